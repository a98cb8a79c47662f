"""The demo's users: they ask the service, the judge labels what they were told, the labels go to the console.

`python -m examples.demo.traffic --release REL --console http://127.0.0.1:8080`, with DEMO_SIGNALS_TOKEN in
the environment. Runs until SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic
from uuid import uuid4

import httpx
from countermand.canonical import instant
from countermand.detection.models import Arm

from examples.demo.judge import SIGNALS, Label, judge
from examples.demo.outbox import Outbox
from examples.demo.questions import SPIKE, draw

_USERS = 20_000
_IN_FLIGHT = 64
_STATUS_SECONDS = 5.0


class Traffic:
    """Asks at a fixed rate, whatever the answers do; `outbox` None labels and counts only."""

    def __init__(self, options: argparse.Namespace, client: httpx.AsyncClient, outbox: Outbox | None) -> None:
        self._options, self._client, self._outbox = options, client, outbox
        self._dice = Random(options.seed)
        self._run_id = uuid4().hex
        self._asked = 0
        self._in_flight: set[asyncio.Task[None]] = set()
        self._started = monotonic()
        self._counts: Counter[str] = Counter()

    @property
    def rare(self) -> float:
        """The share of questions about rare topics: what the file says, or that of a spike after the time given."""
        after, file = self._options.shift_after, self._options.rare_file
        if file is not None and file.exists():
            return float(file.read_text() or 0)
        return SPIKE if after is not None and monotonic() - self._started >= after else 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop`; then wait briefly for answers that are due."""
        due = self._started = monotonic()
        while not stop.is_set():
            rare = self.rare
            while due <= monotonic():
                due += 1 / self._options.rate
                if len(self._in_flight) < _IN_FLIGHT:
                    self._start(draw(self._dice, rare=rare))
                else:
                    self._counts["skipped"] += 1
            await asyncio.sleep(max(0.0, due - monotonic()))
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=1)

    def _start(self, question: str) -> None:
        self._asked += 1
        user = f"user-{self._dice.randrange(_USERS)}"
        task = asyncio.create_task(self._ask(f"{self._run_id}-{self._asked}", user, question))
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)

    async def _ask(self, observation: str, user: str, question: str) -> None:
        try:
            response = await self._client.post(
                f"{self._options.service}/chat", json={"question": question}, headers={"x-user-id": user}
            )
        except httpx.TransportError:
            self._counts["failed"] += 1
            return
        # The arm is what the service says it was; an answer that names none cannot be counted for any.
        arm = response.headers.get("x-release-arm")
        if not response.is_success or arm is None:
            self._counts["failed"] += 1
        if arm is None:
            return
        labels: dict[str, Label] = dict.fromkeys(SIGNALS)
        if response.is_success:
            labels = judge(question, response.json()["answer"])
        self._counts[arm] += 1
        self._counts.update(f"{arm} {name}" for name, label in labels.items() if label == "bad")
        if self._outbox:
            self._outbox.add(
                observation,
                release=self._options.release,
                arm=arm,
                event_time=instant(datetime.now(UTC)),
                labels=labels,
            )

    async def report(self) -> None:
        """A status line every few seconds until cancelled."""
        while True:
            await asyncio.sleep(_STATUS_SECONDS)
            print(self.status(), flush=True)

    def status(self) -> str:
        """What happened since the last line; the fates of items are totals."""
        counts, self._counts = self._counts, Counter()
        parts = [
            f"{monotonic() - self._started:5.0f} s",
            f"{self.rare:.0%} rare",
            f"failed {counts['failed']} skipped {counts['skipped']}",
        ]
        for arm in Arm:
            shares = "/".join(f"{counts[f'{arm} {name}'] / (counts[arm] or 1):.1%}" for name in SIGNALS)
            parts.append(f"{arm} {counts[arm]} bad {shares}")
        if self._outbox:
            fates = " ".join(f"{fate} {count}" for fate, count in self._outbox.counts.items() if count)
            parts.append(f"{fates} waiting {self._outbox.waiting}")
        return " | ".join(parts)


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    limits = httpx.Limits(max_connections=_IN_FLIGHT + 1, max_keepalive_connections=_IN_FLIGHT + 1)
    async with httpx.AsyncClient(timeout=5, limits=limits, trust_env=False) as client:
        outbox = None
        if options.console:
            url = f"{options.console}/api/v1/signals"
            outbox = Outbox(client, url, os.environ["DEMO_SIGNALS_TOKEN"], uuid4().hex)
        traffic = Traffic(options, client, outbox)
        print(f"bad shares are {'/'.join(SIGNALS)}", flush=True)
        background = [asyncio.create_task(traffic.report())]
        if outbox:
            background.append(asyncio.create_task(outbox.run()))
        await traffic.run(stop)
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        if outbox:
            await asyncio.wait([asyncio.create_task(outbox.flush())], timeout=2)
        print(traffic.status(), flush=True)


def main() -> None:
    """Ask until SIGTERM or SIGINT; what could not be delivered by then is printed as waiting."""
    parser = argparse.ArgumentParser(description="Users of Countermand's demo service.")
    parser.add_argument("--service", default="http://127.0.0.1:8090", help="address of the demo service")
    parser.add_argument("--console", help="address of the console; without it labels are only counted")
    parser.add_argument("--release", default="support-assistant-v7", help="release id of the labels")
    parser.add_argument("--rate", type=float, default=60.0, help="requests per second")
    parser.add_argument("--shift-after", type=float, metavar="SECONDS", help="when interest shifts")
    parser.add_argument("--rare-file", type=Path, metavar="FILE", help="holds the share of rare questions, 0 to 1")
    parser.add_argument("--seed", type=int, help="draw the same users and questions again")
    options = parser.parse_args()
    if options.console and not os.environ.get("DEMO_SIGNALS_TOKEN"):
        parser.error("set DEMO_SIGNALS_TOKEN in the environment")
    asyncio.run(_run(options))


if __name__ == "__main__":
    main()

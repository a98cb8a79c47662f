"""The users: an open-loop load, the judge of what they were told, and a line in a file for every single request.

When a request is due is fixed before the first one is sent and does not wait for answers, and its latency counts from
when it was due: a stall of the service is felt by every request that falls into it ("coordinated omission").
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import monotonic, time
from typing import NamedTuple, TextIO
from uuid import uuid4

import aiohttp
import httpx
from countermand.canonical import instant
from countermand.detection.models import Arm

from examples.demo.judge import Label, judge
from examples.demo.outbox import Outbox
from examples.demo.questions import draw

#: A request without a whole answer after this many seconds has failed.
TIME_LIMIT = 10.0
#: What the judge tells the console; the playbook asks for no more.
SIGNALS = ("hallucinations", "accuracy")
_USERS = 20_000
_FLUSH_SECONDS = 0.5
# Wall-clock times, to be laid beside the ledger's, from a clock that never jumps.
_ZERO = time() - monotonic()


def _now() -> float:
    return _ZERO + monotonic()


class Request(NamedTuple):
    """One request. Times in seconds since 1970; `status` 0 without any answer, `arm` empty without a whole one."""

    number: int
    due: float
    sent: float
    done: float
    status: int
    arm: str

    @property
    def failed(self) -> bool:
        """Anything but a whole answer with success and the name of who gave it."""
        return self.status != 200 or self.arm not in tuple(Arm)

    @property
    def latency(self) -> float:
        """Seconds from when it was due."""
        return self.done - self.due


class Load:
    """Sends every request that is due and skips none; writes one row per request."""

    def __init__(
        self, options: argparse.Namespace, session: aiohttp.ClientSession, outbox: Outbox, log: TextIO
    ) -> None:
        self._options, self._session, self._outbox = options, session, outbox
        self._log = log
        self._rows = csv.writer(log)
        self._rows.writerow(Request._fields)
        self._dice = Random(options.seed)
        self._run_id = uuid4().hex
        self._in_flight: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`; then wait for every answer that is due."""
        flushing = asyncio.create_task(self._flush())
        started, number = _now(), 0
        while not stop.is_set():
            due = started + number / self._options.rate
            await asyncio.sleep(max(0.0, due - _now()))
            task = asyncio.create_task(self._one(number, due))
            self._in_flight.add(task)
            task.add_done_callback(self._in_flight.discard)
            number += 1
        await asyncio.gather(*self._in_flight)
        flushing.cancel()
        self._log.flush()

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            self._log.flush()

    async def _one(self, number: int, due: float) -> None:
        question = draw(self._dice, rare=float(self._options.rare_file.read_text() or 0))
        user = f"user-{self._dice.randrange(_USERS)}"
        status, arm, answer = 0, "", ""
        sent = _now()
        with suppress(aiohttp.ClientError, TimeoutError, ValueError, KeyError):
            async with self._session.post(
                f"{self._options.service}/chat", json={"question": question}, headers={"x-user-id": user}
            ) as response:
                status = response.status
                answer = (await response.json())["answer"]
                arm = response.headers["x-release-arm"]  # last: without it the answer does not count as whole
        request = Request(number, due, sent, _now(), status, arm)
        self._rows.writerow(request)
        if not request.failed:
            self._label(request, question, answer)

    def _label(self, request: Request, question: str, answer: str) -> None:
        said = judge(question, answer)
        labels: dict[str, Label] = {name: said[name] for name in SIGNALS}
        self._outbox.add(
            f"{self._run_id}-{request.number}",
            release=self._options.release,
            arm=request.arm,
            event_time=instant(datetime.fromtimestamp(request.done, UTC)),
            labels=labels,
        )


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    limit = aiohttp.ClientTimeout(total=TIME_LIMIT)
    # No bound on connections: a request must not wait for another one's answer.
    async with (
        aiohttp.ClientSession(timeout=limit, connector=aiohttp.TCPConnector(limit=0)) as session,
        httpx.AsyncClient(timeout=5, trust_env=False) as console,
    ):
        outbox = Outbox(console, f"{options.console}/api/v1/signals", os.environ["EXAMPLE_SIGNALS_TOKEN"], uuid4().hex)
        sending = asyncio.create_task(outbox.run())
        with options.log.open("w", newline="") as log:
            await Load(options, session, outbox, log).run(stop)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
    print(" ".join(f"{fate} {count}" for fate, count in outbox.counts.items()), flush=True)


def main() -> None:
    """Ask until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Users of the Envoy example.")
    parser.add_argument("--service", required=True, help="where Envoy listens")
    parser.add_argument("--console", required=True, help="where labels go")
    parser.add_argument("--release", required=True, help="release id of the labels")
    parser.add_argument("--rate", type=float, required=True, help="requests per second")
    parser.add_argument("--rare-file", type=Path, required=True, help="holds the share of rare questions, 0 to 1")
    parser.add_argument("--log", type=Path, required=True, help="one row per request, CSV")
    parser.add_argument("--seed", type=int, help="draw the same users and questions again")
    options = parser.parse_args()
    if not os.environ.get("EXAMPLE_SIGNALS_TOKEN"):
        parser.error("set EXAMPLE_SIGNALS_TOKEN in the environment")
    asyncio.run(_run(options))


if __name__ == "__main__":
    main()

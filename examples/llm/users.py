"""The users, and the judge of what they were told. Each question is asked twice: for the user, and in the shadow.

`python -m examples.llm.users --service URL --console URL --release ID --rare-file FILE`, with EXAMPLE_SIGNALS_TOKEN in
the environment.
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
from uuid import uuid4

import httpx
from countermand.canonical import instant
from countermand.detection.models import Arm

from examples.demo.judge import judge
from examples.demo.outbox import Outbox
from examples.demo.questions import draw
from examples.llm.versions import BASELINE, CANDIDATE, MODEL_HEADER, PROMPT_HEADER

_USERS = 20_000
_IN_FLIGHT = 32
_STATUS_SECONDS = 5.0
_ARMS = {
    (version.bundle.model, version.bundle.prompt): arm
    for arm, version in ((Arm.candidate, CANDIDATE), (Arm.baseline, BASELINE))
}


class Users:
    """Ask at a fixed rate until told to stop."""

    def __init__(self, options: argparse.Namespace, client: httpx.AsyncClient, outbox: Outbox) -> None:
        self._options, self._client, self._outbox = options, client, outbox
        self._dice = Random()
        self._run = uuid4().hex
        self._turns = asyncio.Semaphore(_IN_FLIGHT)
        self._counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Until cancelled; says every few seconds who answered."""
        asked = 0
        async with asyncio.TaskGroup() as group:
            while True:
                await self._turns.acquire()
                question = draw(self._dice, rare=float(self._options.rare_file.read_text() or 0))
                group.create_task(self._both(f"{self._run}-{asked}", question))
                asked += 1
                if asked % round(_STATUS_SECONDS * self._options.rate) == 0:
                    print(dict(self._counts), flush=True)
                    self._counts.clear()
                await asyncio.sleep(1 / self._options.rate)

    async def _both(self, observation: str, question: str) -> None:
        user = f"user-{self._dice.randrange(_USERS)}"
        try:
            await asyncio.gather(
                *(self._ask(f"{observation}-{path}", path, user, question) for path in ("chat", "shadow"))
            )
        finally:
            self._turns.release()

    async def _ask(self, observation: str, path: str, user: str, question: str) -> None:
        try:
            answer = await self._client.post(
                f"{self._options.service}/{path}", json={"question": question}, headers={"x-user-id": user}
            )
        except httpx.TransportError:
            self._counts["failed"] += 1
            return
        # While both aliases move, an answer may come of a new model and an old prompt: it belongs to no arm.
        arm = _ARMS.get((answer.headers.get(MODEL_HEADER, ""), answer.headers.get(PROMPT_HEADER, "")))
        self._counts[f"{path} {arm or 'mixed'}"] += 1
        if answer.is_success and arm is not None:
            labels = judge(question, answer.json()["answer"])
            at = instant(datetime.now(UTC))
            self._outbox.add(observation, release=self._options.release, arm=arm, event_time=at, labels=labels)


async def _run(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        token = os.environ["EXAMPLE_SIGNALS_TOKEN"]
        outbox = Outbox(client, f"{options.console}/api/v1/signals", token, uuid4().hex)
        work = [asyncio.create_task(Users(options, client, outbox).run()), asyncio.create_task(outbox.run())]
        await stop.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


def main() -> None:
    """Ask until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description="Users of the example's service, and their judge.")
    parser.add_argument("--service", required=True, help="address of the service")
    parser.add_argument("--console", required=True, help="address of the console")
    parser.add_argument("--release", required=True, help="release id of the labels")
    parser.add_argument("--rate", type=float, default=25.0, help="questions per second")
    parser.add_argument("--rare-file", type=Path, required=True, help="holds the share of rare questions, 0 to 1")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()

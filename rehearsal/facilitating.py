"""One rehearsal with real people from the facilitator's chair: who was invited, what happens, and what is typed."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from activities.fence import FenceBroken
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from rehearsal.marked import RehearsalChannels
from rehearsal.orders import SHOWN, OrderInvalid, order_of
from rehearsal.production_watch import ProductionWatch
from rehearsal.windows import Window, window_now
from rehearsal.with_people import Invited, PeopleStory


class Facilitation:
    """channels: the rehearsal's own file. production_channels: see `RehearsalChannels`. Raises FenceBroken and
    SettingsInvalid for files that a rehearsal does not accept."""

    def __init__(
        self,
        scenario: Scenario,
        playbook: bytes,
        port: int = 0,
        channels: Path | None = None,
        production_channels: Path | None = None,
    ) -> None:
        self._scenario = scenario
        self._playbook = playbook
        self._port = port
        self._channels = RehearsalChannels(channels, production_channels) if channels else None
        self._watched: tuple[str, str] | None = None
        self._window: Window | None = None

    def watch(self, url: str | None, token: Path | None, *, unannounced: bool) -> None:
        """Look at production while people rehearse. unannounced: only within a window that is signed there.

        Raises FenceBroken when there is no such window now, or when address or token are missing.
        """
        if url is None or token is None:
            raise FenceBroken(
                "production is looked at with --watch-production URL and --token FILE; write both"
                + (", an unannounced rehearsal needs the signed window that stands there" if unannounced else "")
            )
        try:
            self._watched = (url, token.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise FenceBroken(f"{token} cannot be read: {type(error).__name__}") from error
        if unannounced:
            self._window = window_now(*self._watched, self._scenario.id, datetime.now(UTC))

    async def run(self, data: Path) -> Run | None:
        """Until it is over; None when it was stopped before anything happened."""
        story = PeopleStory(
            self._scenario,
            self._playbook,
            data,
            _say,
            port=self._port,
            channels=self._channels,
            ends=self._window.until if self._window else None,
        )
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, story.stop, "the process was told to end")
        if self._window is not None:
            _say(f"unannounced, within a window until {self._window.until:%H:%M} UTC; who knows: {self._window.known}")
        beside = [asyncio.create_task(self._obey(story)), asyncio.create_task(_invite(story))]
        if self._watched is not None:
            beside.append(asyncio.create_task(self._look_at_production(story)))
        try:
            return await story.play()
        except asyncio.CancelledError:
            return None
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _obey(self, story: PeopleStory) -> None:
        roles = frozenset(self._scenario.roles)
        typed = _typed()
        while True:
            line = await typed.get()
            if not line.strip():
                continue
            try:
                _say(await story.obey(order_of(line, roles)))
            except OrderInvalid as error:
                _say(str(error))

    async def _look_at_production(self, story: PeopleStory) -> None:
        assert self._watched is not None  # noqa: S101, asked by the caller
        alarms: asyncio.Queue[str] = asyncio.Queue()
        url, token = self._watched
        looking = asyncio.create_task(ProductionWatch(url, token, alarms.put_nowait).run())
        try:
            while True:
                _say(await story.pause(await alarms.get()))
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking


async def _invite(story: PeopleStory) -> None:
    invited: Invited = await story.invited
    _say(f"REHEARSAL. Its console: {invited.url}")
    _say("These accounts were made now; the passwords are shown this once:")
    for subject, password in invited.passwords.items():
        _say(f"  {subject:<28} {password}")
    _say(f"You are the facilitator. Type: {SHOWN}")


def _typed() -> asyncio.Queue[str]:
    """Lines of standard input as they come. A thread reads them: terminals, pipes and files are all the same to it."""
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        with suppress(RuntimeError):  # the rehearsal is over
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def _say(words: str) -> None:
    print(words, flush=True)

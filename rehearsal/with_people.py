"""A rehearsal with real people (LRN-19): the same sandbox and world, a console that is served, and people's own time.

Clocks are moved forward only where the facilitator says so.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from activities.fence import Rehearsal
from activities.ports import Message
from adapters.channel_sending import Busy, Refused, Sender, Uncertain
from adapters.database import utc_now
from adapters.settings import Settings
from console.strip import Arrived, Strip
from countermand.canonical import digest
from countermand.cli.starter import password
from countermand.ledger.record import Record
from countermand.playbook.terms import Audience, Step
from countermand.rehearsal.acts_of_people import acts_of_people
from countermand.rehearsal.run import Facilitated, InjectDone, Mode, Run
from countermand.rehearsal.scenario import Inject, Scenario
from rehearsal.marked import MarkedSender, RehearsalChannels
from rehearsal.orders import Order
from rehearsal.sandbox import Sandbox, prepare
from rehearsal.serving import reserve, served
from rehearsal.story import Said, Story

#: Nobody's rehearsal lasts longer, with all its pauses.
_LONGEST = timedelta(hours=12)
#: Who reads what reaches a role; every other role reads as the operators do.
_READERS = {"executive": Audience.exec, "support": Audience.support}


@dataclass(frozen=True)
class Invited:
    """Where people sign in, and with what: told once. passwords: by account."""

    url: str
    passwords: Mapping[str, str]


class PeopleStory(Story):
    """Plays one scenario with real people. `port`: of its console; 0 takes any. `invited` is set once it is served.

    ends: after this instant nobody is paged any more; the rehearsal stops.
    """

    mode: Mode = "people"
    within = _LONGEST.total_seconds()

    def __init__(
        self,
        scenario: Scenario,
        playbook: bytes,
        data: Path,
        say: Said,
        *,
        port: int = 0,
        channels: RehearsalChannels | None = None,
        time_scale: int | None = None,
        ends: datetime | None = None,
    ) -> None:
        super().__init__(scenario, playbook, data, say, time_scale=time_scale or scenario.time_scale)
        self.invited: asyncio.Future[Invited] = asyncio.get_running_loop().create_future()
        self._listener: socket.socket = reserve(port)
        self._channels = channels
        self._ends = ends
        # Injects are no messages of the product: what carries them is not counted as such.
        self._carriers: Mapping[str, MarkedSender] = channels.senders([], self._dark, utc_now) if channels else {}
        self._facilitated: list[Facilitated] = []
        self._strip = Strip(self._roles_of)
        self._box: Sandbox | None = None
        self._playing: asyncio.Task[Any] | None = None

    async def play(self) -> Run:
        """The whole story. Raises FenceBroken; CancelledError when it was stopped before anything happened."""
        self._playing = asyncio.current_task()
        try:
            return await super().play()
        finally:
            self._listener.close()

    # --- what a facilitator can do ------------------------------------------------------------------------------

    async def obey(self, order: Order) -> str:
        """Do what was ordered and record it; returns what happened, in one sentence."""
        match order.do:
            case "pause":
                return await self.pause("The facilitator has paused the rehearsal. Wait here.")
            case "resume":
                return await self._resume()
            case "skip":
                return await self._skip(order.seconds)
            case "inject":
                await self._arrive(0, "info", order.role, "console", order.words)
                return self._note("inject", f"to {order.role}: {order.words}")
            case "note":
                return self._note("note", order.words)
            case "kill-worker":
                return await self._kill_worker()
            case "stop":
                return self.stop("the stop word was said")

    async def pause(self, why: str) -> str:
        """Nothing of the story goes on, and every page says so."""
        if self._conductor is None or self._box is None:
            return "There is nothing to pause yet."
        self._strip.paused = why
        self._conductor.paused = True
        await self._box.hands.stop()
        return self._note("pause", why)

    def stop(self, why: str) -> str:
        """End it at once; what there is so far is kept."""
        said = self._note("stop", why)
        if self._conductor is not None:
            self._conductor.stopped = True
        elif self._playing is not None:
            self._playing.cancel()  # there is no story yet that could be kept
        return said

    async def _resume(self) -> str:
        if self._conductor is None or self._box is None or not self._conductor.paused:
            return "It is not paused."
        await self._box.hands.start()
        self._conductor.paused = False
        self._strip.paused = ""
        return self._note("resume", "it goes on")

    async def _skip(self, seconds: float) -> str:
        if self._conductor is None or self._conductor.paused:
            return "People's clocks can only be moved while it goes on."
        await self._conductor.skip(seconds)
        return self._note("skip", f"people's clocks are {seconds:g} s further")

    async def _kill_worker(self) -> str:
        if self._box is None or not self._box.hands.at_work:
            return "There is no worker now."
        await self._box.hands.stop()
        await self._box.hands.start()
        return self._note("kill-worker", "the worker was stopped and started anew")

    def _note(self, do: str, words: str) -> str:
        at = self._conductor.story if self._conductor else 0.0
        self._facilitated.append(Facilitated(at=at, do=do, words=words))
        return words

    # --- the same story, with people ----------------------------------------------------------------------------

    def _prepared(self) -> Settings:
        return prepare(self._data, self._shifts.document(), port=self._listener.getsockname()[1])

    def _senders(self) -> tuple[Mapping[str, Sender[Rehearsal]], Mapping[Audience, tuple[str, ...]]]:
        if self._channels is None:
            return super()._senders()
        return self._channels.senders(self._sent, self._dark, utc_now), self._channels.routes

    @asynccontextmanager
    async def _around(self, box: Sandbox) -> AsyncIterator[None]:
        self._box = box
        self._strip.mount(box.app)
        passwords = {}
        for subject, name in self._shifts.names.items():
            if self._shifts.on_duty(subject):
                passwords[subject] = password()
                await box.console.accounts.add(subject, name, passwords[subject])
        async with served(box.app, self._listener):
            self.invited.set_result(Invited(box.settings.console_url, passwords))
            telling = asyncio.create_task(self._tell(box))
            try:
                yield
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, box: Sandbox) -> None:
        """The story as it is recorded, for the facilitator; and its end when the window ends."""
        after = -1
        while True:
            for record in await box.stores.ledger.records(after_seq=after):
                after = record.seq
                if words := _told(record):
                    self._say(words)
            if self._ends is not None and utc_now() >= self._ends and self._conductor is not None:
                self._say(self.stop("the signed window is over"))
                return
            await asyncio.sleep(0.5)

    async def _inject(self, number: int, inject: Inject) -> None:
        if inject.channel in ("slack", "email") and self._dark(inject.channel)():
            self._say(self._note("inject", f"{inject.channel} is dark: nobody saw inject {number}"))
            await super()._inject(number, inject)
            return
        await self._arrive(number, inject.kind, inject.to, inject.channel, inject.content)

    async def _arrive(self, number: int, kind: str, role: str, channel: str, content: str) -> None:
        """Show it to whoever holds the role, on the page and where the rehearsal has channels of its own."""
        story = self._conductor.story if self._conductor else 0.0
        self._strip.arrive(Arrived(utc_now(), role, channel, content))
        self._injects.append(
            InjectDone(at=story, number=number, kind=kind, to=role, channel=channel, content=content, shown=True)
        )
        self._say(f"to {role.replace('_', ' ')} by {channel}: {content}")
        audience = _READERS.get(role, Audience.operator)
        for name in (self._channels.routes.get(audience, ()) if self._channels else ())[:1]:
            words = f"For {role.replace('_', ' ')}, by {channel}: {content}"
            message = Message(
                key=f"inject/{len(self._injects)}",
                incident_id="",
                step=Step.incident_opened,
                audience=audience,
                subject=f"Something reaches {role.replace('_', ' ')}",
                text=words,
                facts_sha256=digest({"text": words}),
            )
            sender = self._carriers[name]
            try:
                await sender.send(message, sender.time_limit.total_seconds())
            except (Busy, Refused, Uncertain) as error:
                self._say(f"{name} did not take it: {error}")

    async def _run(self, box: Sandbox, digest: str, started: datetime, *rest: object) -> Run:
        run = await super()._run(box, digest, started, *rest)  # type: ignore[arg-type]  # passed on as it came
        return run.model_copy(
            update={"acts": tuple(acts_of_people(run.records, run.offset)), "facilitated": tuple(self._facilitated)}
        )

    def _roles_of(self, subject: str) -> tuple[str, ...]:
        return self._shifts.roles_of(subject)


def _told(record: Record) -> str:
    """What a facilitator reads about a record; empty for what says nothing about the story."""
    return "" if record.kind.value.startswith(("key.", "templates.")) else f"· {record.kind.value.replace('.', ' ')}"

"""Plays a script against a running sandbox: what happens calls for the next cue, and people's time passes at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from activities.ports import Ledger
from countermand.ledger.record import Kind, Record
from countermand.rehearsal.script import events_of
from rehearsal.clock import PeoplesClock

_LOOK = 0.1  # seconds between two looks at the ledger
#: How long nothing new may be on record before it counts as quiet, in seconds: then only people can go on.
_QUIET = 0.8
#: People's time passes in steps of at most this many seconds, so that every rung is heard in its order.
_STEP = 120.0
#: Phases in which machines wait for people.
_PEOPLES_PHASES = ("asking", "held", "not_verified", "paused_for_investigation")
_PEOPLES_STAGES = ("held", "stopped", "partial", "compensated")

#: Why a story ended: as its scenario says, by its limit, because a real machine was too slow, or by the stop word.
Ended = Literal["over", "story_limit", "real_limit", "stopped"]


@dataclass(frozen=True)
class Cue:
    """Something that is done `after` seconds of the story: after it began, or after an event.

    occurrence: the how manieth event of that name it waits for.
    """

    name: str
    do: Callable[[], Awaitable[None]]
    after: float = 0.0
    on: str | None = None
    occurrence: int = 1


class Timeline:
    """Which time of the story an instant of the real clock was: straight lines between `points`."""

    def __init__(self) -> None:
        self.points: tuple[tuple[datetime, float], ...] = ()

    def mark(self, at: datetime, story: float) -> None:
        """At this instant the story had lasted so many seconds; a point on the line so far replaces its end."""
        self.points = (*self.points, (at, story))

    def story(self, at: datetime) -> float:
        """Seconds of the story; 0 before it began, its last known second after its end."""
        earlier = self.points[0] if self.points else (at, 0.0)
        for point in self.points:
            if point[0] > at:
                whole = (point[0] - earlier[0]).total_seconds()
                part = (at - earlier[0]).total_seconds() / whole if whole else 0.0
                return earlier[1] + max(part, 0.0) * (point[1] - earlier[1])
            earlier = point
        return earlier[1]


@dataclass
class _Waiting:
    cue: Cue
    due: float | None = None


class Conductor:
    """time_scale: story seconds per real second while machines work. scripted: nobody real is waited for.

    Time of the story is machine time by the scale plus people's time as it is; that is what cues and limits count.
    paused: no time of the story passes, and nothing of it happens. stopped: it ends at the next look.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: PeoplesClock,
        now: Callable[[], datetime],
        time_scale: int,
        *,
        scripted: bool = True,
    ) -> None:
        self.records: list[Record] = []
        self.never: list[str] = []
        self.story = 0.0
        self.timeline = Timeline()
        self.paused = self.stopped = False
        self._ledger = ledger
        self._clock = clock
        self._now = now
        self._scale = time_scale
        self._scripted = scripted
        self._heard: Counter[str] = Counter()
        self._newest = self._counted_to = now()

    def heard(self, event: str) -> int:
        """How often this happened so far."""
        return self._heard[event]

    async def play(self, cues: Sequence[Cue], over: Callable[[], bool], *, within: float, story_limit: float) -> Ended:
        """Play until `over`, or until a limit: `within` seconds of real time, `story_limit` of the story's.

        Cues whose time never came are in `never`.
        """
        waiting = [_Waiting(cue, cue.after if cue.on is None else None) for cue in cues]
        began = self._now()
        ended: Ended = "real_limit"
        while (self._now() - began).total_seconds() < within:
            self._count()
            await self._look(waiting)
            if self.stopped:
                ended = "stopped"
                break
            if self.paused:
                await asyncio.sleep(_LOOK)
                continue
            due = [one for one in waiting if one.due is not None and one.due <= self.story]
            if due:
                first = min(due, key=lambda one: one.due or 0.0)
                waiting.remove(first)
                await first.cue.do()
                self._newest = self._now()
            elif over():
                ended = "over"
                break
            elif self.story > story_limit:
                ended = "story_limit"
                break
            elif self._scripted and self._people_decide and (self._now() - self._newest).total_seconds() > _QUIET:
                await self._let_time_pass(waiting, story_limit)
            else:
                await asyncio.sleep(_LOOK)
        self.never += [one.cue.name for one in waiting]
        return ended

    def _count(self) -> None:
        now = self._now()
        passed = (now - self._counted_to).total_seconds()
        self._counted_to = now
        if self.paused:
            passed = 0.0
        self.story += passed if self._people_decide else passed * self._scale
        self.timeline.mark(now, self.story)

    async def _look(self, waiting: list[_Waiting]) -> None:
        after = self.records[-1].seq if self.records else -1
        for record in await self._ledger.records(after_seq=after):
            self.records.append(record)
            self._newest = self._now()
            for name in events_of(record):
                self._heard[name] += 1
                for one in waiting:
                    if one.cue.on == name and one.due is None and self._heard[name] >= one.cue.occurrence:
                        one.due = self.story + one.cue.after

    async def _let_time_pass(self, waiting: list[_Waiting], story_limit: float) -> None:
        """To the next cue; without one, in steps that let ladders and defaults run."""
        nexts = [one.due - self.story for one in waiting if one.due is not None]
        await self.skip(max(min([*nexts, _STEP, story_limit - self.story + 1.0]), 0.5))

    async def skip(self, seconds: float) -> None:
        """Let people's time pass at once."""
        self._count()
        await self._clock.skip(seconds, self._now())
        self.story += seconds
        self._newest = self._counted_to = self._now()
        self.timeline.mark(self._counted_to, self.story)

    @property
    def _people_decide(self) -> bool:
        """Whether nothing goes on without people, as far as the record says."""
        if self._heard["incident_opened"] == 0:
            return False
        return self._phase in _PEOPLES_PHASES or (self._phase == "reverting" and self._stage in _PEOPLES_STAGES)

    @property
    def _phase(self) -> str:
        return self._newest_of(Kind.incident_phase, "phase")

    @property
    def _stage(self) -> str:
        return self._newest_of(Kind.stage_state, "state")

    def _newest_of(self, kind: Kind, field: str) -> str:
        return next((str(one.body[field]) for one in reversed(self.records) if one.kind is kind), "")

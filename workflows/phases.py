"""Where an incident is, until when, and the commands that count there: in the Ledger and in the Temporal UI."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from temporalio import workflow

from countermand.governance.commands import CommandBox
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.glass_box import GlassBox
from countermand.ledger.bodies import IncidentPhase
from workflows.scribe import Scribe
from workflows.visibility import show

Phase = Literal[
    "freezing",
    "planning",
    "asking",
    "paused_for_investigation",
    "reverting",
    "verifying",
    "held",
    "not_verified",
]

Done = TypeVar("Done")


class Phases:
    """The phases of one incident, one after the other. Every wait in here has an end, and break-glass ends it."""

    def __init__(
        self,
        scribe: Scribe,
        commands: CommandBox,
        glass: GlassBox,
        ends_by: datetime,
        ask_again_every: Callable[[], timedelta],
    ) -> None:
        self._scribe = scribe
        self._commands = commands
        self._glass = glass
        self._ends_by = ends_by
        self._ask_again_every = ask_again_every
        self.number = 0

    async def enter(
        self,
        phase: Phase,
        sentence: str,
        until: datetime | None,
        *,
        commands_to: str | None = None,
        commands: Iterable[DecisionKind] = (),
        waiting_for: str = "nothing",
    ) -> None:
        """Say where we are, in the Ledger and in the Temporal UI. Without `commands_to` the commands count here."""
        self.number += 1
        self._commands.open(commands if commands_to is None else ())
        await self._scribe.record(
            f"phase/{self.number}",
            IncidentPhase(
                phase=phase,
                sentence=sentence,
                until=until,
                commands_to=commands_to or workflow.info().workflow_id,
                commands=tuple(kind.value for kind in commands),
            ),
            f"Phase: {phase.replace('_', ' ')}",
        )
        ends = "" if until is None else f" until {until:%Y-%m-%d %H:%M:%S} UTC"
        show(phase, f"{phase.replace('_', ' ').capitalize()}{ends}.", waiting_for)

    async def wait_for(self, phase: Phase, sentence: str, kinds: tuple[DecisionKind, ...]) -> Decision | None:
        """Wait for a command until it is time to ask again; None when that time came first, or break-glass did."""
        until = min(workflow.now() + self._ask_again_every(), self._ends_by)
        await self.enter(phase, sentence, until, commands=kinds, waiting_for="incident_commander")
        with suppress(TimeoutError):  # a command of the same instant still counts
            await workflow.wait_condition(
                lambda: self._commands.given or self._glass.broken,
                timeout=max(until - workflow.now(), timedelta(milliseconds=1)),
                timeout_summary=f"{phase.replace('_', ' ')} until {until:%H:%M:%S} UTC",
            )
        self._commands.open(())
        return self._commands.take()

    async def answered(self, sentence: str) -> Decision | None:
        """Hold, and say what people answer: to ask again, or to abort."""
        return await self.wait_for("held", sentence, (DecisionKind.ask_again, DecisionKind.abort))

    @property
    def interrupted(self) -> bool:
        """Whether somebody broke the glass or gave a command that nobody has taken yet."""
        return self._glass.broken or self._commands.given

    def taken(self) -> Decision | None:
        """The command that came while a step was under way, once."""
        return self._commands.take()

    async def unless_interrupted(self, done: Callable[[], bool]) -> bool:
        """Wait for a step; whether it came to its end before somebody broke the glass or gave a command."""
        await workflow.wait_condition(lambda: done() or self.interrupted)
        return not self.interrupted

    async def doing(self, step: Coroutine[Any, Any, Done]) -> Done | None:
        """What a step answers; None when it was interrupted: people's way waits for no step before it."""
        task = asyncio.create_task(step)
        if await self.unless_interrupted(task.done):
            return await task
        task.cancel()
        await workflow.wait([task])
        return None

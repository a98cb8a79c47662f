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

Phase = Literal["freezing", "planning", "asking", "reverting", "verifying", "held", "not_verified"]

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
        """Say where we are, in the Ledger and in the Temporal UI."""
        self.number += 1
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
        show(phase, sentence, waiting_for)

    async def wait_for(self, phase: Phase, sentence: str, kinds: tuple[DecisionKind, ...]) -> Decision | None:
        """Wait for a command until it is time to ask again; None when that time came first, or break-glass did."""
        until = min(workflow.now() + self._ask_again_every(), self._ends_by)
        self._commands.open(kinds)
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

    async def unless_broken(self, step: Coroutine[Any, Any, Done]) -> Done | None:
        """What a step answers; None when somebody breaks the glass: their way waits for no step before it."""
        doing = asyncio.create_task(step)
        await workflow.wait_condition(lambda: doing.done() or self._glass.broken)
        if self._glass.broken:
            doing.cancel()
            await workflow.wait([doing])
            return None
        return await doing

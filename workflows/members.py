"""The members of one plan while it is carried out: which moved, what they say, and how they are brought back."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from countermand import ids
from countermand.plan.model import Plan, PlannedStage
from countermand.plan.target import Split
from workflows.stage_steps import StageSteps


class Failed(NamedTuple):
    """A member did not move. `unmoved`: it is known to be as it was; otherwise nobody knows, or somebody else moved
    it."""

    name: str
    why: str
    unmoved: bool

    @property
    def sentence(self) -> str:
        return f"{self.name} could not be moved: {self.why}."


class Members:
    """The members by their position in the plan; the one that moves in stages is 0."""

    def __init__(self, plan: Plan, steps: StageSteps) -> None:
        self._plan = plan
        self._steps = steps
        self._says = [one.before for one in plan.members]
        self._revisions = [one.before_revision for one in plan.members]
        self._moved: set[tuple[int, int]] = set()
        self._touched: list[int] = []
        self._unclear: set[int] = set()
        self.seen_words = ""

    @property
    def untouched(self) -> bool:
        """Whether no member moved yet."""
        return not self._moved

    def due(self, stage: PlannedStage) -> list[int]:
        """What this stage has still to move, in order."""
        return [one for one in self._plan.due(stage.number) if (stage.number, one) not in self._moved]

    def expected(self, stage: PlannedStage) -> dict[int, str | None]:
        """The revisions that targets must still say before this stage; those of all members before the first one."""
        looked_at = range(len(self._revisions)) if self.untouched else self.due(stage)
        return {one: None if one in self._unclear else self._revisions[one] for one in looked_at}

    async def move(
        self, stage: PlannedStage, position: int, attempt: int, limit: timedelta, words: str
    ) -> Failed | None:
        """Set one member to what the stage asks of it; None when it is there."""
        touched = position in self._touched
        failed = await self._set(stage.number, position, self._plan.desired(stage, position), attempt, limit, words)
        if failed is None:
            self._moved.add((stage.number, position))
        elif failed.unmoved and not touched:
            self._touched.remove(position)
        return failed

    async def seen(self, stage: int, wanted: dict[int, Split], attempt: int, limit: timedelta) -> str:
        """Look at all these members at the same time; empty when each says what is wanted and is seen to follow, else
        why not. Some may only be configured, where the playbook takes that: `seen_words` says so."""
        looks = (
            self._steps.traffic(stage, one, desired, self._revisions[one], attempt, limit)
            for one, desired in wanted.items()
        )
        checked = await asyncio.gather(*looks)
        unseen = [self._plan.members[one].name for one, found in zip(wanted, checked, strict=True) if found.unseen]
        self.seen_words = f"not seen in traffic, only configured: {', '.join(unseen)}" if unseen else "seen in traffic"
        return " ".join(found.sentence for found in checked if not found.passed)

    async def bring_back(self, attempt: int, deadline: datetime) -> str:
        """Return everything that was touched to the state recorded before, the newest first; why not, or empty."""
        for position in reversed(self._touched):
            before = self._plan.members[position].before
            words = f"Back to the recorded state: {self._named(position, before)}"
            limit = max(deadline - workflow.now(), timedelta(seconds=1))
            failed = await self._set(ids.REVERSE_STAGE, position, before, attempt, limit, words)
            if failed is not None:
                return f"{failed.name} could not be brought back: {failed.why}."
        return ""

    @property
    def back(self) -> dict[int, Split]:
        """The recorded state of everything that was touched."""
        return {one: self._plan.members[one].before for one in self._touched}

    @property
    def table(self) -> str:
        """What each member says now, as far as is known."""
        said = (
            f"{one.name}: not known" if at in self._unclear else self._named(at, self._says[at])
            for at, one in enumerate(self._plan.members)
        )
        return "; ".join(said)

    def _named(self, position: int, split: Split) -> str:
        moving = self._plan.members[position]
        return f"{moving.name}: {moving.says(split)}"

    async def _set(
        self, stage: int, position: int, desired: Split, attempt: int, limit: timedelta, words: str
    ) -> Failed | None:
        moving = self._plan.members[position]
        revision = None if position in self._unclear else self._revisions[position]
        if position not in self._touched:
            self._touched.append(position)
        self._unclear.add(position)  # until the outcome is known
        try:
            outcome = await self._steps.effect(stage, position, desired, revision, attempt, limit, words)
        except ActivityError as error:
            cause = error.cause
            nothing_sent = isinstance(cause, ApplicationError) and cause.type == "TargetUnavailable"
            if nothing_sent:
                self._unclear.discard(position)
            return Failed(moving.name, str(cause or error).rstrip("."), unmoved=nothing_sent)
        if outcome.result != "ambiguous":
            self._unclear.discard(position)
        if outcome.after is not None:
            self._says[position] = outcome.after.split
        if outcome.after is None or outcome.result not in ("applied", "already"):
            return Failed(moving.name, outcome.sentence.rstrip("."), unmoved=outcome.result == "rejected")
        self._revisions[position] = outcome.after.revision
        return None

"""Releases, bundles and the Plan that people approve by digest."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import StringConstraints

from countermand.canonical import digest
from countermand.plan.target import Member, Split, Value
from countermand.playbook.model import Check, Severity
from countermand.playbook.units import Duration

#: One line without control characters.
Short = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Bundle(Value):
    """The unit of release: every part that shapes an answer, named by digest."""

    name: Short
    model: Short
    prompt: Short
    decoding: Short
    guardrail: Short
    index: Short
    harness: Short
    training_data: Short

    @property
    def digest(self) -> str:
        return digest({name: getattr(self, name) for name in type(self).model_fields})

    def differs_from(self, other: Bundle) -> tuple[str, ...]:
        """Names of the members that differ, in declaration order."""
        return tuple(
            name for name in type(self).model_fields if name != "name" and getattr(self, name) != getattr(other, name)
        )


class Release(Value):
    """A candidate bundle in front of users beside a baseline bundle, in one environment."""

    release_id: str
    environment: str
    service: str
    candidate: Bundle
    baseline: Bundle
    playbook_digest: str
    registered_by: str
    owner: str


class PlannedStage(Value):
    """One step: the split to set, how long to soak, and by when the whole stage must be over."""

    number: int
    give_back_bp: int
    desired: Split
    soak: Duration
    time_limit: Duration


class Plan(Value):
    """Exact content of a proposed revert; votes are for its digest (GOV-8)."""

    incident_id: str
    release_id: str
    environment: str
    service: str
    severity: Severity
    candidate: Bundle
    baseline: Bundle
    member: Member
    before: Split
    before_revision: str
    before_fence: int
    stages: tuple[PlannedStage, ...]
    checks: tuple[Check, ...]
    checks_before: tuple[str, ...]
    checks_between: tuple[str, ...]
    checks_after: tuple[str, ...]
    residual_bp: int
    settle: Duration
    traffic_time_limit: Duration
    playbook_digest: str
    governance_digest: str
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return digest(self)

    @property
    def expected_duration(self) -> timedelta:
        """Soaks and settling only; checks and traffic add to it."""
        return sum((stage.soak + self.settle for stage in self.stages), timedelta())

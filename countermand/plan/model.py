"""Releases, bundles and the Plan that people approve by digest."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from countermand.canonical import digest
from countermand.plan.target import Member, Split, Value
from countermand.playbook.model import Check, Severity
from countermand.playbook.protected import singles_out
from countermand.playbook.terms import Part
from countermand.playbook.units import Duration, format_percent
from countermand.playbook.way_back import Observing

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


#: Position in a plan's members, counted from its beginning.
Position = Annotated[int, Field(ge=0)]

#: How a member takes shares: a split any share, an alias all or nothing.
MemberKind = Literal["split", "alias"]


def says(kind: MemberKind, split: Split) -> str:
    """What a member of this kind says at this share, in words."""
    if kind == "alias":
        return f"names the {'candidate' if split.candidate_bp else 'baseline'}"
    return f"candidate {format_percent(split.candidate_bp)} of users"


class Moving(Value):
    """One member of the bundle that a plan moves, and the state before it, enough to restore it (TGT-6).

    kind: a `split` takes any share; an `alias` names the candidate (100 %) or the baseline (0 %) and nothing between.
    part: the part of the bundle that the member holds; None: the whole bundle.
    """

    member: Member
    kind: MemberKind
    part: Part | None
    before: Split
    before_revision: str
    before_fence: int

    @property
    def name(self) -> str:
        """How people and records call it: `registry/chat-prompt`."""
        return f"{self.member.target}/{self.member.name}"

    def says(self, split: Split) -> str:
        """What the member says at this share, in words."""
        return says(self.kind, split)


class PlannedStage(Value):
    """One step: the split to set, how long to soak, and by when the whole stage must be over."""

    number: int
    give_back_bp: int
    desired: Split
    soak: Duration
    time_limit: Duration


class Plan(Value):
    """Exact content of a proposed revert; votes are for its digest (GOV-8).

    `member` moves in stages; `followers` move with the last stage, in this order (TGT-19). `readiness`: what was seen
    when the way back was looked at ahead of need, and when (TGT-18).
    """

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
    kind: MemberKind = "split"
    part: Part | None = None
    followers: tuple[Moving, ...] = ()
    on_member_failure: Literal["hold", "compensate"] = "hold"
    observed: Observing = "required"
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
    readiness: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return digest(self)

    @model_validator(mode="after")
    def _for_everybody(self) -> Self:
        """Exposure changes for all users alike, never for one protected group only (GOV-35)."""
        for one in self.members:
            if attribute := singles_out(one.member.name):
                raise ValueError(
                    f"member {one.member.name!r} selects people by {attribute!r}; a plan changes exposure for all "
                    "users alike: name a member that all of them go through"
                )
        return self

    @property
    def members(self) -> tuple[Moving, ...]:
        """Everything that moves; the member that moves in stages comes first."""
        lead = Moving(
            member=self.member,
            kind=self.kind,
            part=self.part,
            before=self.before,
            before_revision=self.before_revision,
            before_fence=self.before_fence,
        )
        return (lead, *self.followers)

    def due(self, stage: int) -> tuple[int, ...]:
        """Positions in `members` of what this stage moves."""
        last = stage == self.stages[-1].number
        return tuple(range(len(self.followers) + 1)) if last else (0,)

    def desired(self, stage: PlannedStage, position: int) -> Split:
        """What this stage asks of the member at this position."""
        return stage.desired if position == 0 else Split.candidate(0)

    def follower(self, position: int) -> str | None:
        """Name of the follower at this position; None for the member that moves in stages, or where there is none."""
        return self.members[position].name if 0 < position < len(self.members) else None

    @property
    def expected_duration(self) -> timedelta:
        """Soaks and settling only; checks and traffic add to it."""
        return sum((stage.soak + self.settle for stage in self.stages), timedelta())

"""The part of a playbook that says how to go back, and when that counts as done (targets.md)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.playbook.terms import Faults, Misfit, Name, Part, Severity, SignalName, Strict, repeated
from countermand.playbook.units import BasisPoints, Duration, Number, Positive, format_percent, within

#: How long a freeze may take at most, whatever the playbook says; 5 minutes where nothing stands here (GOV-42).
LONGEST_FREEZE = {Severity.sev1: timedelta(seconds=60)}


class StageSpec(Strict):
    """One step back: `give_back` of the candidate's users return to the baseline."""

    give_back: Annotated[BasisPoints, within(1, 10_000)] = Field(
        description="Share of the candidate's users that return, counted from the start: 10%."
    )
    soak: Duration = Field(description="How long the stage is watched before the next, for example 10m.")


#: Whether a share that nobody could see in traffic stops a stage (TGT-9).
Observing = Literal["required", "best_effort"]


class TrafficVerification(Strict):
    """How much must be seen before a stage counts as done (TGT-8, TGT-11)."""

    residual: Annotated[BasisPoints, within(1, 5_000)] = Field(
        100,
        description="Accepted difference between wanted and seen share of users: 1%.",
        json_schema_extra={"default": "1%"},
    )
    settle: Duration = Field(description="Time the traffic gets to move before it is counted.")
    time_limit: Positive = Field(description="By when the seen share must fit, else the stage stops.")
    observed: Observing = Field(
        "required",
        description="best_effort: when traffic is unknown at the time limit, the stage counts as configured only.",
    )


class BundleMember(Strict):
    """One controllable thing that the bundle lives in."""

    target: Name = Field(description="The release-control system, as named in the target settings.")
    member: Name = Field(description="The split or alias inside the target that is changed.")
    part: Part | None = Field(None, description="The part of the bundle that it holds; without it the whole bundle.")


class Revert(BundleMember):
    """The staged way back on one named target, and what moves together with it (TGT-19)."""

    together: tuple[BundleMember, ...] = Field(
        (), description="Members that move with the last stage, in this order: the last one released comes first."
    )
    on_member_failure: Literal["hold", "compensate"] | None = Field(
        None,
        description="When one of `together` cannot be moved: hold = leave what moved and ask people; "
        "compensate = bring back what moved, then ask.",
    )
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=1)] = Field(
        description="Steps in rising order; the last gives back 100%."
    )
    stage_time_limit: Positive = Field(description="By when a whole stage must be over, else people are asked.")
    traffic: TrafficVerification = Field(description="How much must be seen before a stage counts as done.")
    guard: Positive = Field(
        timedelta(days=7),
        description="How long after a rollback the target is watched for the bad version coming back: 7d.",
        json_schema_extra={"default": "7d"},
    )

    @model_validator(mode="after")
    def _downwards(self) -> Self:
        shares = [stage.give_back for stage in self.stages]
        faults = Faults()
        members: tuple[BundleMember, ...] = (self, *self.together)
        names = [f"{one.target}/{one.member}" for one in members]
        for i in repeated(names):
            faults.add(f"{names[i]!r} is moved already; name each member once", "together", i - 1, "member")
        if self.together and self.on_member_failure is None:
            faults.add(
                "say what happens when one of `together` cannot be moved: hold or compensate", "on_member_failure"
            )
        if not self.together and self.on_member_failure is not None:
            faults.add("nothing moves together here; leave this out or list `together`", "on_member_failure")
        for i, (earlier, later) in enumerate(pairwise(shares), start=1):
            if later <= earlier:
                faults.add(
                    f"{format_percent(later)} after {format_percent(earlier)}: "
                    "each stage must give back more than the one before",
                    *("stages", i, "give_back"),
                )
        if shares[-1] != 10_000:
            faults.add(
                f"the last stage gives back {format_percent(shares[-1])}; it must give back 100%",
                *("stages", len(shares) - 1, "give_back"),
            )
        faults.refuse()
        return self


class HealthEvidence(Strict):
    """A signal that must be shown to be good after the revert: the upper confidence bound of its bad rate."""

    signal: SignalName = Field(description="Name of a signal defined under `detection.signals`.")
    at_most: Annotated[Number, Field(gt=0, lt=1)] = Field(
        description="Highest accepted bad share; its upper confidence bound must be at most this."
    )
    min_scored: Annotated[int, Field(ge=20, le=10_000_000, strict=True)] = Field(
        description="Fewest labelled outputs on which the statement may rest, at least 20."
    )


class RollbackVerification(Strict):
    """Positive evidence that the service is well again (GOV-31); without it there is no all-clear."""

    signals: Annotated[tuple[HealthEvidence, ...], Field(min_length=1)] = Field(
        description="What must be shown to be good after the way back."
    )
    confidence: Annotated[Number, Field(gt=Decimal("0.5"), lt=1)] = Field(
        Decimal("0.95"), description="Confidence of the upper bounds."
    )
    time_limit: Positive = Field(description="By when it must be shown, else people are asked; never an all-clear.")
    watch_for: Positive | None = Field(
        None, description="For how long it is watched after that, before the all-clear and the end of the incident."
    )
    on_regression: Literal["hold", "ask"] | None = Field(
        None,
        description="When it becomes worse again in that time. hold: people are told and nothing is planned. ask: a "
        "new way back is planned and put to people. Required with `watch_for`.",
    )

    @model_validator(mode="after")
    def _declared(self) -> Self:
        if (self.watch_for is None) != (self.on_regression is None):
            missing = "on_regression" if self.on_regression is None else "watch_for"
            raise Misfit(((missing,), "`watch_for` and `on_regression` go together: how long, and what then"))
        return self


class EvidenceFreeze(Strict):
    """Evidence is frozen before the first effect, within this time."""

    time_limit: Positive = Field(description="By when the evidence must be frozen; 60s for sev1 and 5m else at most.")
    if_incomplete: Literal["wait", "ask"] = Field(
        "wait",
        description="When something cannot be frozen in time. wait: nothing is changed until it is; people can ask for "
        "another try. ask: people can also decide to go on without it.",
    )

    def budget(self, severity: Severity) -> timedelta:
        """How long the freeze of an incident of this severity may take (GOV-42)."""
        return min(self.time_limit, LONGEST_FREEZE.get(severity, timedelta(minutes=5)))

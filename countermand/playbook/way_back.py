"""The part of a playbook that says how to go back, and when that counts as done (targets.md)."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from countermand.playbook.terms import Faults, Name, SignalName, Strict
from countermand.playbook.units import BasisPoints, Duration, Number, Positive, format_percent, within


class StageSpec(Strict):
    """One step back: `give_back` of the candidate's users return to the baseline."""

    give_back: Annotated[BasisPoints, within(1, 10_000)] = Field(
        description="Share of the candidate's users that return, counted from the start: 10%."
    )
    soak: Duration = Field(description="How long the stage is watched before the next, for example 10m.")


class TrafficVerification(Strict):
    """How much must be seen before a stage counts as done (TGT-8, TGT-11)."""

    residual: Annotated[BasisPoints, within(1, 5_000)] = Field(
        100,
        description="Accepted difference between wanted and seen share of users: 1%.",
        json_schema_extra={"default": "1%"},
    )
    settle: Duration = Field(description="Time the traffic gets to move before it is counted.")
    time_limit: Positive = Field(description="By when the seen share must fit, else the stage stops.")


class Revert(Strict):
    """The staged way back on one named target."""

    target: Name = Field(description="The release-control system, as named in the target settings.")
    member: Name = Field(description="The split inside the target that is changed.")
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=1)] = Field(
        description="Steps in rising order; the last gives back 100%."
    )
    stage_time_limit: Positive = Field(description="By when a whole stage must be over, else people are asked.")
    traffic: TrafficVerification = Field(description="How much must be seen before a stage counts as done.")

    @model_validator(mode="after")
    def _downwards(self) -> Self:
        shares = [stage.give_back for stage in self.stages]
        faults = Faults()
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


class EvidenceFreeze(Strict):
    """Evidence is frozen before the first effect, within this time."""

    time_limit: Positive = Field(description="By when the evidence must be frozen.")

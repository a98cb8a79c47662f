"""What a playbook says about fairness: time to look into a pattern, test sets, the harm register (R83, R85)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.playbook.criteria import Trigger
from countermand.playbook.integrity import DataCheck, DataIntegrity
from countermand.playbook.terms import Misfit, Name, Strict, Text, repeated
from countermand.playbook.units import Number, Positive

Fault = tuple[tuple[str | int, ...], str]


class SetLimit(Strict):
    """What a run of a test set has to show, for each group by itself; a good average hides whom it fails."""

    groups: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(
        description="Groups that every run has to report; a run that leaves one out shows nothing."
    )
    min_scored: Annotated[int, Field(ge=20, le=10_000_000, strict=True)] = Field(
        description="Fewest outputs of each group, at least 20; with fewer it is unknown."
    )
    at_most: Annotated[Number, Field(gt=0, lt=1)] = Field(
        description="Highest accepted bad share of each group; its upper confidence bound must be at most this."
    )
    confidence: Annotated[Number, Field(gt=Decimal("0.5"), lt=1)] = Field(
        Decimal("0.95"), description="Confidence of the upper bounds."
    )


class InclusiveSet(Strict):
    """One inclusive or accessibility test set. Without a limit no run of it can pass: it counts as missing."""

    name: Name = Field(description="Name of the set.")
    covers: Literal["languages", "dialects", "assistive_use", "other"] = Field(description="What it is about.")
    includes: Annotated[tuple[Text, ...], Field(min_length=1)] = Field(
        description="Which languages, dialects or kinds of assistive use it has."
    )
    check: Name | None = Field(
        None, description="The data check of `data_integrity` that reports how it went; must be listed in `after`."
    )
    limit: SetLimit | None = Field(None, description="What a run of it has to show; without it no run can pass.")
    gate: Literal["re_release"] | None = Field(
        None,
        description="`re_release`: it must have passed after any rollback before users get a candidate; "
        "after one about fairness every set must.",
    )

    @model_validator(mode="after")
    def _can_pass(self) -> Self:
        if self.gate is not None and self.limit is None:
            raise Misfit((("gate",), f"test set {self.name!r} gates and could never pass; write its `limit`"))
        if self.limit is not None and (again := repeated(self.limit.groups)):
            name = self.limit.groups[again[0]]
            raise Misfit((("limit", "groups", again[0]), f"group {name!r} is listed before; names must differ"))
        return self


class Fairness(Strict):
    """How a pattern of unfairness is looked into, before anybody is taken back."""

    window: Positive = Field(timedelta(hours=4), description="Time for a finding; then nothing is changed, and asked.")
    extend_once: bool = Field(True, description="Whether a reviewer who needs more evidence gets the time once more.")
    test_sets: tuple[InclusiveSet, ...] = Field((), description="Inclusive and accessibility test sets.")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [one.name for one in self.test_sets]
        if again := repeated(names):
            raise Misfit((("test_sets", again[0], "name"), f"{names[again[0]]!r} is listed before; names must differ"))
        return self


class AcceptedRisk(Strict):
    """Somebody accepted a harm that nothing finds."""

    by: Text = Field(description="Who accepted it: name and role.")
    until: date = Field(description="Until when; then it has to be looked at anew.")
    why: Text = Field(description="Why it is accepted.")


class Harm(Strict):
    """One entry of the harm register: a harm, and the criterion that finds it or who accepted the risk."""

    id: Name = Field(description="Name of the entry.")
    harm: Text = Field(description="What can go wrong for whom.")
    trigger: Name | None = Field(None, description="The trigger of `detection` that finds it.")
    accepted: AcceptedRisk | None = Field(None, description="Who accepted that nothing finds it, and until when.")

    def expired(self, today: date) -> bool:
        """Whether it was accepted until a day that is over."""
        return self.accepted is not None and self.accepted.until < today

    @property
    def overdue(self) -> str:
        """What people read about it once that day is over; empty for a harm that nobody accepted."""
        if self.accepted is None:
            return ""
        return (
            f"harm {self.id!r} was accepted by {self.accepted.by} until {self.accepted.until}; that is over: look "
            "at it anew, and write a new `until` with who and why, or the `trigger` that finds it"
        )


def misplaced(
    fairness: Fairness | None, harms: Sequence[Harm], integrity: DataIntegrity, triggers: Sequence[Trigger]
) -> Iterator[Fault]:
    """What does not fit the rest of the playbook: (place, what to write instead)."""
    checks = {one.id for one in integrity.checks if isinstance(one, DataCheck)}
    for i, each in enumerate(fairness.test_sets if fairness else ()):
        if each.check is not None and (each.check not in checks or each.check not in integrity.after):
            known = ", ".join(sorted(checks.intersection(integrity.after))) or "none yet"
            message = f"{each.check!r} is no data check of `data_integrity` that runs in `after`; those are: {known}"
            yield ("fairness", "test_sets", i, "check"), message
    named = {one.id for one in triggers}
    for i in repeated([one.id for one in harms]):
        yield ("harms", i, "id"), f"harm {harms[i].id!r} is listed before; ids must differ"
    for i, one in enumerate(harms):
        if one.trigger is not None and one.trigger not in named:
            yield ("harms", i, "trigger"), f"unknown trigger {one.trigger!r}; defined are {', '.join(sorted(named))}"

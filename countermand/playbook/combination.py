"""Criteria, and how they are combined: any, all, k of n, weights, in groups inside groups (detection.md §5.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from countermand.playbook.limits import ThresholdRule
from countermand.playbook.signals import Tolerance
from countermand.playbook.terms import Faults, Misfit, SignalName, Strict
from countermand.playbook.units import Duration, Number

Place = tuple[str | int, ...]


class Part(Strict):
    """What a criterion and a group of criteria have in common as members of a trigger."""

    weight: Annotated[Number, Field(gt=0, le=1)] | None = Field(
        None, description="Below `weights`: its part of the evidence; all weights add up to 1."
    )
    critical: bool = Field(False, description="It also fires alone, whatever the others say.")


class Criterion(Part):
    """A signal with either a tolerance against the concurrent baseline or a plain threshold rule."""

    signal: SignalName = Field(description="Name of a signal defined under `detection.signals`.")
    tolerate: Tolerance | None = Field(None, description="How much worse than the baseline is accepted.")
    rule: ThresholdRule | None = Field(None, description="A plain threshold; it carries no false-alarm bound.")
    required: bool | None = Field(
        None, description="Without its data the trigger is unknown; default true, for an alert false."
    )
    warm_up: Duration | None = Field(
        None, description="Blocks of this time give no evidence yet; default 0s, for latency 5 blocks."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.tolerate is None) == (self.rule is None):
            raise ValueError("a criterion has exactly one of `tolerate` (against the baseline) and `rule` (threshold)")
        return self


class Combination(Strict):
    """Criteria and groups of criteria, combined in exactly one way."""

    any: Annotated[tuple[Member, ...], Field(min_length=1)] | None = Field(
        None, description="Fires when one of the criteria holds."
    )
    all: Annotated[tuple[Member, ...], Field(min_length=1)] | None = Field(
        None, description="Fires when all criteria hold at the same time."
    )
    at_least: AtLeast | None = Field(None, description="Fires when k of the criteria hold at the same time.")
    weights: Annotated[tuple[Member, ...], Field(min_length=2)] | None = Field(
        None, description="Fires when the weighted evidence of the criteria is enough; each has a `weight`."
    )

    @model_validator(mode="after")
    def _exactly_one_form(self) -> Self:
        if sum(form is not None for form in (self.any, self.all, self.at_least, self.weights)) != 1:
            what = type(self).__name__.lower()
            raise ValueError(f"a {what} has exactly one of `any`, `all`, `at_least` and `weights`")
        faults = Faults()
        weighed = [member.weight for member in self.members if member.weight is not None]
        if self.weights:
            if len(weighed) < len(self.members) or sum(weighed) != 1:
                faults.add("every member below `weights` needs a `weight`, and they add up to 1", "weights")
            if any(criterion.rule is not None for criterion in self.criteria):
                faults.add("a threshold rule is all or nothing and cannot carry a weight", "weights")
        elif weighed:
            faults.add("`weight` belongs to members of `weights`", self.form)
        faults.refuse()
        return self

    @property
    def form(self) -> Literal["any", "all", "at_least", "weights"]:
        return "any" if self.any else "all" if self.all else "at_least" if self.at_least else "weights"

    @property
    def members(self) -> tuple[Criterion | Group, ...]:
        return self.any or self.all or self.weights or (self.at_least.of if self.at_least else ())

    @property
    def needed(self) -> int:
        """How many of the members must hold before it fires; with weights any may be enough."""
        return len(self.members) if self.all else self.at_least.k if self.at_least else 1

    @property
    def bounded(self) -> bool:
        """Does the false-alarm budget hold? Not when its threshold rules alone can fire it (DET-23)."""
        free = [not member.bounded if isinstance(member, Group) else member.rule is not None for member in self.members]
        critical = (alone and member.critical for alone, member in zip(free, self.members, strict=True))
        return sum(free) < self.needed and not any(critical)

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """All criteria, from top to bottom."""
        return tuple(criterion for criterion, _ in self._leaves())

    def criterion_path(self, index: int) -> Place:
        """Where the criterion stands below the trigger: `("at_least", "of", 1)`."""
        return [place for _, place in self._leaves()][index]

    def _leaves(self) -> Iterator[tuple[Criterion, Place]]:
        place: Place = ("at_least", "of") if self.at_least else (self.form,)
        for i, member in enumerate(self.members):
            if isinstance(member, Criterion):
                yield member, (*place, i)
            else:
                yield from ((criterion, (*place, i, *below)) for criterion, below in member._leaves())


class Group(Part, Combination):
    """Criteria combined, as a member of a trigger or of another group."""


def _member(value: Any) -> str:
    combines = {"any", "all", "at_least", "weights"}
    grouped = isinstance(value, Group) or (isinstance(value, dict) and not combines.isdisjoint(value))
    return "[group]" if grouped else "[criterion]"


#: The tags in brackets stay out of messages: see wording.path_of.
Member = Annotated[Annotated[Criterion, Tag("[criterion]")] | Annotated[Group, Tag("[group]")], Discriminator(_member)]


class AtLeast(Strict):
    """k of n criteria."""

    k: Annotated[int, Field(ge=1, strict=True)] = Field(description="How many of the criteria must hold.")
    of: Annotated[tuple[Member, ...], Field(min_length=1)] = Field(description="The criteria.")

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.k > len(self.of):
            n = len(self.of)
            raise Misfit((("k",), f"k = {self.k} of {n} criteria can never hold; write k between 1 and {n}"))
        return self


# Groups hold groups: their types are complete only here.
Combination.model_rebuild()
Group.model_rebuild()

"""The part of a playbook that says what is watched and when it counts as worse (detection.md)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from countermand.playbook.terms import Faults, Misfit, Name, Severity, SignalName, Strict, Text, repeated
from countermand.playbook.units import Duration, Number, Positive, format_duration

#: Longest sustain and longest window of a threshold rule, in blocks: a watch keeps them in its state (DET-4).
MAX_BLOCKS = 60


class SignalFamily(StrEnum):
    """The families of the signal taxonomy."""

    user_experience = "user_experience"
    model_quality = "model_quality"
    operational_health = "operational_health"
    safety = "safety"
    fairness = "fairness"
    cost = "cost"


class SignalSpec(Strict):
    """One measured thing, counted per arm and block."""

    kind: Literal["rate"] = Field(description="`rate`: a share of outputs.")
    bad: Literal["higher", "lower"] = Field(
        description="Which direction is worse: `higher` for failures, `lower` for a share of good outputs."
    )
    expect: Annotated[Number, Field(gt=0, lt=1)] = Field(
        description="The usual share, between 0 and 1, in the signal's own direction: 0.03 or 3%."
    )
    family: SignalFamily = Field(description="The family of the signal taxonomy it belongs to.")
    meaning: Text = Field(description="What is counted, in words a release manager understands.")
    source: Name = Field(description="The source that labels outputs, as named in the source settings.")
    unit: Name = Field("output", description="What one label is about: output, session, task, record, image …")
    show: Literal["percent", "per_10000"] = Field("percent", description="How people see the share.")
    min_coverage: Annotated[Number, Field(gt=0, le=1)] = Field(
        Decimal("0.8"),
        description="Share of due outputs that must be labelled; below it the block is unknown.",
    )


class Tolerance(Strict):
    """How much worse than the baseline is accepted; ratio and absolute add up."""

    ratio: Annotated[Number, Field(ge=Decimal("0.25"), le=10)] | None = Field(
        None, description="Accepted multiple of the baseline's bad share: 1.2 = up to 20 % worse."
    )
    absolute: Annotated[Number, Field(ge=0, le=Decimal("0.5"))] | None = Field(
        None, description="Accepted difference in share: 0.01 = one percentage point worse."
    )

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.ratio is None and self.absolute is None:
            raise ValueError("tolerate needs `ratio` (1.2 = up to 20 % worse) or `absolute` (0.01 = one point worse)")
        return self


class Bound(Strict):
    """Breached when the candidate's value over `window` is outside during every block of `for`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    above: Annotated[Number, Field(ge=0, lt=1)] | None = Field(None, description="Breached above this share.")
    below: Annotated[Number, Field(gt=0, le=1)] | None = Field(None, description="Breached below this share.")
    window: Positive = Field(description="The span over which the share is taken, for example 5m.")
    hold_for: Duration = Field(alias="for", description="How long it must stay outside, for example 10m.")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a bound has exactly one of `above` and `below`")
        return self


class FailureLimit(Strict):
    """Breached when more than `limit` measurements, one per `interval`, were outside the bound."""

    above: Annotated[Number, Field(ge=0, lt=1)] | None = Field(None, description="A failure above this share.")
    below: Annotated[Number, Field(gt=0, le=1)] | None = Field(None, description="A failure below this share.")
    interval: Positive = Field(description="One measurement per interval, for example 5m.")
    limit: Annotated[int, Field(ge=0, le=1000, strict=True)] = Field(
        description="How many failures are still accepted."
    )
    count: Literal["cumulative", "consecutive"] = Field(
        "cumulative",
        description="`cumulative` counts all failures of the watch, `consecutive` those in a row.",
    )

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a failure_limit has exactly one of `above` and `below`")
        return self


class ThresholdRule(Strict):
    """A rule teams already run; it carries no bound on false alarms and its verdicts say so."""

    bound: Bound | None = Field(None, description="An alert with a `for:` time.")
    failure_limit: FailureLimit | None = Field(None, description="More failed measurements than accepted.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.bound is None) == (self.failure_limit is None):
            raise ValueError("a rule has exactly one of `bound` and `failure_limit`")
        return self

    @property
    def spans(self) -> tuple[tuple[tuple[str, str], timedelta], ...]:
        """Its durations, each with its place below the rule; all are whole numbers of blocks."""
        if self.bound is not None:
            return (("bound", "window"), self.bound.window), (("bound", "for"), self.bound.hold_for)
        if self.failure_limit is not None:
            return ((("failure_limit", "interval"), self.failure_limit.interval),)
        return ()


class Criterion(Strict):
    """A signal with either a tolerance against the concurrent baseline or a plain threshold rule."""

    signal: SignalName = Field(description="Name of a signal defined under `detection.signals`.")
    tolerate: Tolerance | None = Field(None, description="How much worse than the baseline is accepted.")
    rule: ThresholdRule | None = Field(None, description="A plain threshold; it carries no false-alarm bound.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.tolerate is None) == (self.rule is None):
            raise ValueError("a criterion has exactly one of `tolerate` (against the baseline) and `rule` (threshold)")
        return self


class AtLeast(Strict):
    """k of n criteria."""

    k: Annotated[int, Field(ge=1, strict=True)] = Field(description="How many of the criteria must hold.")
    of: Annotated[tuple[Criterion, ...], Field(min_length=1)] = Field(description="The criteria.")

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.k > len(self.of):
            n = len(self.of)
            raise Misfit((("k",), f"k = {self.k} of {n} criteria can never hold; write k between 1 and {n}"))
        return self


class Protects(Strict):
    """What a trigger protects; without it a trigger has no reason to exist."""

    kind: Literal["user_impact", "safety", "business"] = Field(description="The kind of harm it prevents.")
    what: Text = Field(description="What is protected, and from what, in one sentence.")


class Trigger(Strict):
    """Criteria combined, with a severity and the part of the false-alarm budget it may spend."""

    id: Name = Field(description="Short name people use for this trigger.")
    severity: Severity = Field(description="sev1 = serious harm going on … sev4 = minor; chooses the approval.")
    protects: Protects = Field(description="The user impact, safety aim or business risk behind it.")
    share: Annotated[Number, Field(gt=0, le=1)] = Field(
        Decimal(1), description="Part of the false-alarm budget it may spend; all parts add up to at most 1."
    )
    any: Annotated[tuple[Criterion, ...], Field(min_length=1)] | None = Field(
        None, description="Fires when one of the criteria holds."
    )
    all: Annotated[tuple[Criterion, ...], Field(min_length=1)] | None = Field(
        None, description="Fires when all criteria hold at the same time."
    )
    at_least: AtLeast | None = Field(None, description="Fires when k of the criteria hold at the same time.")

    @model_validator(mode="after")
    def _exactly_one_form(self) -> Self:
        if sum(form is not None for form in (self.any, self.all, self.at_least)) != 1:
            raise ValueError("a trigger has exactly one of `any`, `all` and `at_least`")
        return self

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        return self.any or self.all or (self.at_least.of if self.at_least else ())

    @property
    def needed(self) -> int:
        """How many of the criteria must hold before it fires."""
        return 1 if self.any else len(self.criteria) if self.all else self.at_least.k if self.at_least else 0

    @property
    def bounded(self) -> bool:
        """Does the false-alarm budget hold? Not when its threshold rules alone can fire it (DET-23)."""
        return sum(criterion.rule is not None for criterion in self.criteria) < self.needed

    def criterion_path(self, index: int) -> tuple[str | int, ...]:
        """Where the criterion stands below the trigger: `("at_least", "of", 1)`."""
        form = ("any",) if self.any else ("all",) if self.all else ("at_least", "of")
        return (*form, index)


class FalseAlarms(Strict):
    """The false-alarm budget of one release."""

    per_release: Annotated[Number, Field(gt=0, le=Decimal("0.2"))] = Field(
        Decimal("0.01"), description="Accepted probability of a wrong proposal per release: 0.01 = 1 in 100."
    )
    reserve: Annotated[Number, Field(ge=0, lt=1)] = Field(
        Decimal("0.1"), description="Part of the budget kept for changes during the watch."
    )


class Detection(Strict):
    """What is watched and when it counts as worse (detection.md)."""

    block: Positive = Field(description="Outputs are counted in blocks of this length, for example 60s.")
    watch: Positive = Field(description="How long a release is watched, a whole number of blocks, for example 24h.")
    sustain: Positive = Field(description="How long damage must last, 1 to 60 whole blocks, for example 5m.")
    lateness: Duration = Field(description="How long labels may arrive after the end of their block.")
    blind_after: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        5, description="After this many blocks without data the watch says that it is blind."
    )
    dispersion: Annotated[Number, Field(ge=1, le=20)] = Field(
        Decimal("1.5"),
        description="How much noisier blocks are than independent outputs, until it is measured.",
    )
    w0: Annotated[Number, Field(gt=0, lt=1)] = Field(
        Decimal("0.5"), description="Weight on 'bad from the start' against 'turns bad later'."
    )
    false_alarms: FalseAlarms = Field(description="How often a harmless release may be called worse.")
    signals: Annotated[dict[SignalName, SignalSpec], Field(min_length=1)] = Field(
        description="What is measured, by name."
    )
    triggers: Annotated[tuple[Trigger, ...], Field(min_length=1)] = Field(
        description="When what is measured counts as worse."
    )

    @property
    def sustain_blocks(self) -> int:
        return round(self.sustain / self.block)

    @property
    def watch_blocks(self) -> int:
        return round(self.watch / self.block)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        block = format_duration(self.block)
        faults = Faults()
        for name in ("watch", "sustain"):
            value = getattr(self, name)
            if value < self.block or value % self.block:
                faults.add(f"{format_duration(value)!r} is not a whole number of blocks of {block}", name)
        if self.sustain > MAX_BLOCKS * self.block:
            faults.add(
                f"{format_duration(self.sustain)!r} is more than {MAX_BLOCKS} blocks of {block}; "
                f"1 to {MAX_BLOCKS} are accepted",
                "sustain",
            )
        shares = sum(trigger.share for trigger in self.triggers if any(c.tolerate for c in trigger.criteria))
        if shares > 1:
            faults.add(
                f"the shares of the triggers add up to {shares}; at most 1 is accepted "
                "(a trigger without `share` takes 1)",
                "triggers",
            )
        ids = [trigger.id for trigger in self.triggers]
        for i in repeated(ids):
            faults.add(f"trigger id {ids[i]!r} is used before; ids must differ", "triggers", i, "id")
        for i, trigger in enumerate(self.triggers):
            for j, criterion in enumerate(trigger.criteria):
                place = ("triggers", i, *trigger.criterion_path(j))
                if criterion.signal not in self.signals:
                    faults.add(
                        f"trigger {trigger.id!r} uses unknown signal {criterion.signal!r}; "
                        f"defined are {', '.join(sorted(self.signals))}",
                        *(*place, "signal"),
                    )
                for where, span in criterion.rule.spans if criterion.rule else ():
                    if span % self.block or span > MAX_BLOCKS * self.block:
                        faults.add(
                            f"{format_duration(span)!r} is not a whole number of blocks of {block}, "
                            f"at most {MAX_BLOCKS}",
                            *(*place, "rule", *where),
                        )
        faults.refuse()
        return self

"""When what is measured counts as worse: criteria combined into triggers, and their budget (detection.md)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from countermand.playbook.combination import AtLeast, Combination, Criterion, Group, Member
from countermand.playbook.health import Health, faults_of
from countermand.playbook.limits import Bound, FailureLimit, ThresholdRule
from countermand.playbook.signals import SignalFamily, SignalSpec, Tolerance, misfit
from countermand.playbook.terms import Faults, Name, Routing, Severity, SignalName, Strict, Text, repeated
from countermand.playbook.units import Duration, Number, Positive, format_duration, plain

__all__ = [
    "MAX_BLOCKS",
    "AtLeast",
    "Bound",
    "Combination",
    "Criterion",
    "Detection",
    "FailureLimit",
    "FalseAlarms",
    "Group",
    "Health",
    "Member",
    "Protects",
    "Ramp",
    "Severe",
    "SignalFamily",
    "SignalSpec",
    "ThresholdRule",
    "Tolerance",
    "Trigger",
]

#: Longest sustain and longest window of a threshold rule, in blocks: a watch keeps them in its state (DET-4).
MAX_BLOCKS = 60

#: Longest window of a burn rate, in blocks: 6 hours of minutes.
MAX_BURN_BLOCKS = 360


class Severe(Strict):
    """A second, wider tolerance that needs to be exceeded for a shorter time."""

    ratio: Annotated[Number, Field(ge=1, le=100)] | None = Field(
        None, description="Multiple of the baseline's bad share that is serious: 3."
    )
    absolute: Annotated[Number, Field(gt=0)] | None = Field(None, description="Difference that is serious: 0.05.")
    slower_by: Annotated[Number, Field(gt=0, le=100)] | None = Field(
        None, description="For latency: how much slower is serious: 100%."
    )
    sustain: Positive | None = Field(None, description="How long it must last; default 3 blocks.")


class Protects(Strict):
    """What a trigger protects; without it a trigger has no reason to exist."""

    kind: Literal["user_impact", "safety", "business"] = Field(description="The kind of harm it prevents.")
    what: Text = Field(description="What is protected, and from what, in one sentence.")


class Trigger(Combination):
    """Criteria combined, with a severity and the part of the false-alarm budget it may spend."""

    id: Name = Field(description="Short name people use for this trigger.")
    severity: Severity = Field(description="sev1 = serious harm going on … sev4 = minor; chooses the approval.")
    protects: Protects = Field(description="The user impact, safety aim or business risk behind it.")
    share: Annotated[Number, Field(gt=0, le=1)] = Field(
        Decimal(1), description="Part of the false-alarm budget it may spend; all parts add up to at most 1."
    )
    severe: Severe | Literal["none"] | None = Field(
        None,
        description="Wider limits that fire sooner; `none` switches them off. Added by itself to a trigger of one "
        "criterion and to `any`.",
    )
    shadow: bool = Field(False, description="Judged and shown, but it never acts and spends nothing.")

    @property
    def spends(self) -> bool:
        """Does it use a part of the false-alarm budget?"""
        return not self.shadow and any(criterion.tolerate for criterion in self.criteria)


class Ramp(Strict):
    """The moments at which the candidate gets more traffic: harm is looked for there first."""

    mass: Annotated[Number, Field(gt=0, lt=1)] = Field(
        Decimal("0.2"), description="Weight on 'turns bad when it gets more traffic'; less than 1 together with `w0`."
    )
    at: Annotated[tuple[Positive, ...], Field(min_length=1, max_length=20)] = Field(
        description="When the candidate's share grows, from the start of the watch: [30m, 2h]."
    )


class FalseAlarms(Strict):
    """The false-alarm budget of one release."""

    per_release: Annotated[Number, Field(gt=0, le=Decimal("0.2"))] = Field(
        Decimal("0.01"), description="Accepted probability of a wrong proposal per release: 0.01 = 1 in 100."
    )
    reserve: Annotated[Number, Field(ge=0, lt=1)] = Field(
        Decimal("0.1"), description="Part of the budget kept for changes during the watch."
    )
    standing: Positive = Field(
        timedelta(days=90), description="After the watch: accepted time between two wrong proposals per trigger."
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
    routing: Routing = Field(
        "random",
        description="`by_class`: region, customer or the like decides who gets the candidate; then classes that differ "
        "look like harm or hide it, and verdicts say so.",
    )
    ramp: Ramp | None = Field(None, description="When the candidate gets more traffic, if that is planned.")
    false_alarms: FalseAlarms = Field(description="How often a harmless release may be called worse.")
    signals: Annotated[dict[SignalName, SignalSpec], Field(min_length=1)] = Field(
        description="What is measured, by name."
    )
    triggers: Annotated[tuple[Trigger, ...], Field(min_length=1)] = Field(
        description="When what is measured counts as worse."
    )

    health: Health | None = Field(None, description="When the candidate is certified as healthy.")

    @property
    def sustain_blocks(self) -> int:
        return round(self.sustain / self.block)

    @property
    def of_fairness(self) -> tuple[str, ...]:
        """Names of the signals that compare groups of people, or are of the family fairness."""
        fairness = SignalFamily.fairness
        return tuple(name for name, spec in self.signals.items() if spec.family is fairness or spec.kind == "gap")

    @property
    def watch_blocks(self) -> int:
        return round(self.watch / self.block)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = Faults()
        for name in ("watch", "sustain"):
            self._whole(faults, getattr(self, name), MAX_BLOCKS if name == "sustain" else None, name)
        self._check_ramp(faults)
        shares = sum(trigger.share for trigger in self.triggers if trigger.spends)
        if shares > 1:
            faults.add(
                f"the shares of the triggers add up to {shares}; at most 1 is accepted "
                "(a trigger without `share` takes 1)",
                "triggers",
            )
        ids = [trigger.id for trigger in self.triggers]
        for i in repeated(ids):
            faults.add(f"trigger id {ids[i]!r} is used before; ids must differ", "triggers", i, "id")
        for name, spec in self.signals.items():
            self._check_of(faults, spec, "signals", name, "of")
            if spec.block is not None:
                self._whole(faults, spec.block, MAX_BLOCKS, "signals", name, "block")
        for i, trigger in enumerate(self.triggers):
            for j, criterion in enumerate(trigger.criteria):
                self._check_criterion(faults, trigger, criterion, "triggers", i, *trigger.criterion_path(j))
            if isinstance(trigger.severe, Severe) and trigger.severe.sustain is not None:
                self._whole(faults, trigger.severe.sustain, MAX_BLOCKS, "triggers", i, "severe", "sustain")
        if self.health is not None:
            named = ((trigger.id, criterion) for trigger in self.triggers for criterion in trigger.criteria)
            for place, message in faults_of(self.health, self.signals, named):
                faults.add(message, "health", *place)
        faults.refuse()
        return self

    def _check_ramp(self, faults: Faults) -> None:
        if self.ramp is None:
            return
        if self.w0 + self.ramp.mass >= 1:
            faults.add(
                f"w0 '{plain(self.w0)}' and '{plain(self.ramp.mass)}' leave nothing for harm that begins at another "
                "time; together less than 1 is accepted",
                *("ramp", "mass"),
            )
        for i, at in enumerate(self.ramp.at):
            self._whole(faults, at, self.watch_blocks - 1, "ramp", "at", i)
            if at in self.ramp.at[:i]:
                faults.add(f"{format_duration(at)!r} stands there before; write each moment once", "ramp", "at", i)

    def _check_of(self, faults: Faults, spec: SignalSpec, *place: str | int) -> None:
        if spec.of is None:
            return
        kind = self.signals[spec.of].kind if spec.of in self.signals else "unknown"
        if spec.kind == "gap" and kind not in ("rate", "judgement", "score"):
            faults.add(f"{spec.of!r} is {kind}; a rate or a score is needed", *place)
        elif kind in ("unknown", "missing", "gap", "alert"):
            faults.add(f"{spec.of!r} is {kind}; a signal with values of its own is needed", *place)

    def _check_criterion(self, faults: Faults, trigger: Trigger, criterion: Criterion, *place: str | int) -> None:
        spec = self.signals.get(criterion.signal)
        if spec is None:
            known = ", ".join(sorted(self.signals))
            faults.add(
                f"trigger {trigger.id!r} uses unknown signal {criterion.signal!r}; defined are {known}",
                *(*place, "signal"),
            )
        elif criterion.tolerate is not None and (problem := misfit(spec, criterion.tolerate, self._values_of(spec))):
            faults.add(problem, *place, "tolerate")
        elif criterion.rule is not None and (problem := _misruled(spec, criterion.rule)):
            faults.add(f"{problem}; {criterion.signal!r} is a signal of kind {spec.kind}", *place, "rule")
        if criterion.warm_up:
            self._whole(faults, criterion.warm_up, None, *place, "warm_up")
        most = MAX_BURN_BLOCKS if criterion.rule and criterion.rule.burn_rate else MAX_BLOCKS
        for where, span in criterion.rule.spans if criterion.rule else ():
            if span % self.block or span > most * self.block:
                block = format_duration(self.block)
                faults.add(
                    f"{format_duration(span)!r} is not a whole number of blocks of {block}, at most {most}",
                    *(*place, "rule", *where),
                )

    def _values_of(self, spec: SignalSpec) -> SignalSpec:
        """The signal whose values a gap compares; every other has its own."""
        return self.signals.get(spec.of, spec) if spec.kind == "gap" and spec.of else spec

    def _whole(self, faults: Faults, span: timedelta, most: int | None, *place: str | int) -> None:
        block = format_duration(self.block)
        if span < self.block or span % self.block:
            faults.add(f"{format_duration(span)!r} is not a whole number of blocks of {block}", *place)
        if most is not None and span > most * self.block:
            faults.add(
                f"{format_duration(span)!r} is more than {most} blocks of {block}; 1 to {most} are accepted", *place
            )


def _misruled(spec: SignalSpec, rule: ThresholdRule) -> str | None:
    """Why a rule cannot be used with a signal; None when it can."""
    if (spec.kind == "alert") != (rule.firing is not None):
        return "`firing` is the rule of alerts and their only one"
    return None if spec.kind in ("rate", "judgement", "alert") else "a threshold rule needs a share"

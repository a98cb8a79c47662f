"""The playbook schema `countermand.playbook/v1`.

Frozen, closed (`extra="forbid"`) and free of defaults that could decide something in silence: a missing
time limit, default action, check or verification does not parse. `load.py` turns the errors of these models
into messages with file and line.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from countermand.playbook.units import BasisPoints, Duration, Number, format_duration, format_percent

SCHEMA = "countermand.playbook/v1"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
SignalName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]


class Strict(BaseModel):
    """Base of everything people write."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Context(StrEnum):
    """Deployment contexts a playbook is written for."""

    conversational_agent = "conversational_agent"
    image_generator = "image_generator"
    data_augmentation = "data_augmentation"


class Severity(StrEnum):
    """sev1 = serious harm going on … sev4 = minor."""

    sev1 = "sev1"
    sev2 = "sev2"
    sev3 = "sev3"
    sev4 = "sev4"


class Audience(StrEnum):
    """Who is told (communications.md §1)."""

    operator = "operator"
    approver = "approver"
    exec = "exec"
    support = "support"
    customer = "customer"


class Step(StrEnum):
    """The steps of a rollback at which people are told something."""

    ramp_held = "ramp_held"
    incident_opened = "incident_opened"
    approval_asked = "approval_asked"
    approval_reminded = "approval_reminded"
    approval_decided = "approval_decided"
    default_taken = "default_taken"
    stage_completed = "stage_completed"
    revert_stopped = "revert_stopped"
    reverted = "reverted"
    all_clear = "all_clear"
    not_verified = "not_verified"
    review_drafted = "review_drafted"


# --- detection ------------------------------------------------------------------------------------------------


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

    kind: Literal["rate"]
    bad: Literal["higher", "lower"]
    expect: Annotated[Number, Field(gt=0, lt=1)]
    family: SignalFamily
    meaning: Text
    source: Name
    unit: Name = "output"
    show: Literal["percent", "per_10000"] = "percent"
    min_coverage: Annotated[Number, Field(gt=0, le=1)] = Decimal("0.8")


class Tolerance(Strict):
    """How much worse than the baseline is accepted; ratio and absolute add up."""

    ratio: Annotated[Number, Field(ge=Decimal("0.25"), le=10)] | None = None
    absolute: Annotated[Number, Field(ge=0, le=Decimal("0.5"))] | None = None

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.ratio is None and self.absolute is None:
            raise ValueError("tolerate needs `ratio` (1.2 = up to 20 % worse) or `absolute` (0.01 = one point worse)")
        return self


class Bound(Strict):
    """Breached when the candidate's value over `window` is outside during every block of `for`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    above: Annotated[Number, Field(ge=0, lt=1)] | None = None
    below: Annotated[Number, Field(gt=0, le=1)] | None = None
    window: Duration
    hold_for: Duration = Field(alias="for")

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a bound has exactly one of `above` and `below`")
        return self


class FailureLimit(Strict):
    """Breached when more than `limit` measurements, one per `interval`, were outside the bound."""

    above: Annotated[Number, Field(ge=0, lt=1)] | None = None
    below: Annotated[Number, Field(gt=0, le=1)] | None = None
    interval: Duration
    limit: Annotated[int, Field(ge=0, le=1000)]
    count: Literal["cumulative", "consecutive"] = "cumulative"

    @model_validator(mode="after")
    def _one_side(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("a failure_limit has exactly one of `above` and `below`")
        return self


class ThresholdRule(Strict):
    """A rule teams already run; it carries no bound on false alarms and its verdicts say so."""

    bound: Bound | None = None
    failure_limit: FailureLimit | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.bound is None) == (self.failure_limit is None):
            raise ValueError("a rule has exactly one of `bound` and `failure_limit`")
        return self


class Criterion(Strict):
    """A signal with either a tolerance against the concurrent baseline or a plain threshold rule."""

    signal: SignalName
    tolerate: Tolerance | None = None
    rule: ThresholdRule | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.tolerate is None) == (self.rule is None):
            raise ValueError("a criterion has exactly one of `tolerate` (against the baseline) and `rule` (threshold)")
        return self


class AtLeast(Strict):
    """k of n criteria."""

    k: Annotated[int, Field(ge=1)]
    of: Annotated[tuple[Criterion, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        if self.k > len(self.of):
            raise ValueError(f"k = {self.k} of {len(self.of)} criteria can never hold; write k between 1 and {len(self.of)}")
        return self


class Protects(Strict):
    """What a trigger protects; without it a trigger has no reason to exist."""

    kind: Literal["user_impact", "safety", "business"]
    what: Text


class Trigger(Strict):
    """Criteria combined, with a severity and the part of the false-alarm budget it may spend."""

    id: Name
    severity: Severity
    protects: Protects
    share: Annotated[Number, Field(gt=0, le=1)] = Decimal(1)
    any: Annotated[tuple[Criterion, ...], Field(min_length=1)] | None = None
    all: Annotated[tuple[Criterion, ...], Field(min_length=1)] | None = None
    at_least: AtLeast | None = None

    @model_validator(mode="after")
    def _exactly_one_form(self) -> Self:
        if sum(form is not None for form in (self.any, self.all, self.at_least)) != 1:
            raise ValueError("a trigger has exactly one of `any`, `all` and `at_least`")
        return self

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        return self.any or self.all or (self.at_least.of if self.at_least else ())


class FalseAlarms(Strict):
    """The false-alarm budget of one release."""

    per_release: Annotated[Number, Field(gt=0, le=Decimal("0.2"))] = Decimal("0.01")
    reserve: Annotated[Number, Field(ge=0, lt=1)] = Decimal("0.1")


class Detection(Strict):
    """What is watched and when it counts as worse (detection.md)."""

    block: Duration
    watch: Duration
    sustain: Duration
    lateness: Duration
    blind_after: Annotated[int, Field(ge=1, le=1000)] = 5
    dispersion: Annotated[Number, Field(ge=1, le=20)] = Decimal("1.5")
    w0: Annotated[Number, Field(gt=0, lt=1)] = Decimal("0.5")
    false_alarms: FalseAlarms
    signals: Annotated[dict[SignalName, SignalSpec], Field(min_length=1)]
    triggers: Annotated[tuple[Trigger, ...], Field(min_length=1)]

    @property
    def sustain_blocks(self) -> int:
        return round(self.sustain / self.block)

    @property
    def watch_blocks(self) -> int:
        return round(self.watch / self.block)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        block = format_duration(self.block)
        for name in ("watch", "sustain"):
            value = getattr(self, name)
            if value < self.block or value % self.block:
                raise ValueError(f"{name} = {format_duration(value)} is not a whole number of blocks of {block}")
        if not 1 <= self.sustain_blocks <= 60:
            raise ValueError(f"sustain is {self.sustain_blocks} blocks; 1 to 60 blocks of {block} are accepted")
        shares = sum(trigger.share for trigger in self.triggers if any(c.tolerate for c in trigger.criteria))
        if shares > 1:
            raise ValueError(f"the shares of the triggers add up to {shares}; at most 1 is accepted")
        ids = [trigger.id for trigger in self.triggers]
        if len(ids) != len(set(ids)):
            raise ValueError(f"trigger ids must differ: {ids!r}")
        for trigger in self.triggers:
            for criterion in trigger.criteria:
                if criterion.signal not in self.signals:
                    raise ValueError(
                        f"trigger {trigger.id!r} uses unknown signal {criterion.signal!r}; "
                        f"defined are {', '.join(sorted(self.signals))}"
                    )
        return self


# --- approvals ------------------------------------------------------------------------------------------------


class QuorumSlot(Strict):
    """`min` different people who hold `role`."""

    role: Name
    min: Annotated[int, Field(ge=1, le=10)]


class Quorum(Strict):
    """Who must agree. One person fills at most one slot, whatever roles they hold (GOV-15)."""

    roles: Annotated[tuple[QuorumSlot, ...], Field(min_length=1)]
    distinct_people: Annotated[int, Field(ge=1, le=10)]

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        slots = sum(slot.min for slot in self.roles)
        if self.distinct_people < slots:
            raise ValueError(
                f"distinct_people = {self.distinct_people} is less than the {slots} role slots; "
                f"each slot needs a person of its own, write at least {slots}"
            )
        names = [slot.role for slot in self.roles]
        if len(names) != len(set(names)):
            raise ValueError(f"role listed twice in a quorum: {names!r}; raise `min` instead")
        return self


class Rung(Strict):
    """One rung of the ladder; `after` counts from the ask."""

    after: Duration
    do: Literal["ask", "remind", "escalate", "default"]
    to: tuple[Name, ...] = ()
    action: Literal["hold", "abort"] | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.do in ("ask", "escalate") and not self.to:
            raise ValueError(f"a rung that does {self.do!r} names the roles it goes `to`")
        if (self.do == "default") != (self.action is not None):
            raise ValueError("`action: hold` or `action: abort` belongs to the rung `do: default`, and only there")
        return self


class ApprovalPolicy(Strict):
    """Quorum, reminders and the declared default when nobody decides (GOV-22, GOV-23)."""

    quorum: Quorum
    ladder: Annotated[tuple[Rung, ...], Field(min_length=2)]
    ask_again_every: Duration

    @property
    def time_limit(self) -> Duration:
        return self.ladder[-1].after

    @property
    def default(self) -> Literal["hold", "abort"]:
        action = self.ladder[-1].action
        if action is None:  # the validator below makes this unreachable for parsed playbooks
            raise ValueError("the ladder has no default")
        return action

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.ladder[0].do != "ask" or self.ladder[0].after:
            raise ValueError("the first rung of a ladder is {after: 0s, do: ask, to: [roles]}")
        if [rung.do for rung in self.ladder].count("default") != 1 or self.ladder[-1].do != "default":
            raise ValueError(
                "a ladder has exactly one last rung {after: <time limit>, do: default, action: hold | abort}; "
                "without it nobody would know what happens when nobody decides"
            )
        times = [rung.after for rung in self.ladder]
        if times != sorted(set(times)):
            raise ValueError("the rungs of a ladder have different times in rising order")
        return self


# --- the way back ---------------------------------------------------------------------------------------------


class Check(Strict):
    """A data-integrity or readiness test of the destination, run by name."""

    id: Name
    kind: Literal["destination_healthy", "digest_served", "error_rate"]
    meaning: Text
    max_error_rate: Annotated[Number, Field(ge=0, le=1)] | None = None

    @model_validator(mode="after")
    def _parameters(self) -> Self:
        if (self.kind == "error_rate") != (self.max_error_rate is not None):
            raise ValueError("`max_error_rate` belongs to checks of kind error_rate, and only there")
        return self


class StageSpec(Strict):
    """One step back: `give_back` of the candidate's users return to the baseline."""

    give_back: Annotated[BasisPoints, Field(ge=1)]
    soak: Duration


class TrafficVerification(Strict):
    """How much must be seen before a stage counts as done (TGT-8, TGT-11)."""

    residual: Annotated[BasisPoints, Field(ge=1, le=5000)] = 100
    settle: Duration
    time_limit: Duration


class Revert(Strict):
    """The staged way back on one named target."""

    target: Name
    member: Name
    stages: Annotated[tuple[StageSpec, ...], Field(min_length=1)]
    stage_time_limit: Duration
    traffic: TrafficVerification

    @model_validator(mode="after")
    def _downwards(self) -> Self:
        shares = [stage.give_back for stage in self.stages]
        if shares != sorted(set(shares)):
            shown = ", ".join(format_percent(share) for share in shares)
            raise ValueError(f"stages give back {shown}; each stage must give back more than the one before")
        if shares[-1] != 10_000:
            raise ValueError(f"the last stage gives back {format_percent(shares[-1])}; it must give back 100%")
        return self


class DataIntegrity(Strict):
    """Which checks run before the first stage, between stages and after the last."""

    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    before: Annotated[tuple[Name, ...], Field(min_length=1)]
    between: Annotated[tuple[Name, ...], Field(min_length=1)]
    after: Annotated[tuple[Name, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _known(self) -> Self:
        known = {check.id for check in self.checks}
        for phase in ("before", "between", "after"):
            for name in getattr(self, phase):
                if name not in known:
                    raise ValueError(f"{phase} names unknown check {name!r}; defined are {', '.join(sorted(known))}")
        return self

    def named(self, phase: Literal["before", "between", "after"]) -> tuple[Check, ...]:
        by_id = {check.id: check for check in self.checks}
        return tuple(by_id[name] for name in getattr(self, phase))


class HealthEvidence(Strict):
    """A signal that must be shown to be good after the revert: the upper confidence bound of its bad rate."""

    signal: SignalName
    at_most: Annotated[Number, Field(gt=0, lt=1)]
    min_scored: Annotated[int, Field(ge=20, le=10_000_000)]


class RollbackVerification(Strict):
    """Positive evidence that the service is well again (GOV-31); without it there is no all-clear."""

    signals: Annotated[tuple[HealthEvidence, ...], Field(min_length=1)]
    confidence: Annotated[Number, Field(gt=Decimal("0.5"), lt=1)] = Decimal("0.95")
    time_limit: Duration


class EvidenceFreeze(Strict):
    """Evidence is frozen before the first effect, within this time."""

    time_limit: Duration


class Emergency(Strict):
    """Who is paged at once, and the sentence they read first."""

    page: Annotated[tuple[Name, ...], Field(min_length=1)]
    say: Text


class CommunicationRule(Strict):
    """Which audiences hear about one step."""

    step: Step
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1)]


class ReviewPolicy(Strict):
    """The post-incident review: whose it is and when it must be signed."""

    owner: Name
    sign_off: Quorum
    due: Duration


class LegalTags(Strict):
    """Legal and safety duties that shaped the criteria; an empty list needs a reason."""

    duties: tuple[Text, ...]
    none_because: Text | None = None

    @model_validator(mode="after")
    def _said(self) -> Self:
        if not self.duties and self.none_because is None:
            raise ValueError("no legal duty listed: say why in `none_because`")
        return self


#: Steps every playbook must tell these audiences about (communications.md §2, rows marked M).
MANDATORY: dict[Step, frozenset[Audience]] = {
    Step.incident_opened: frozenset({Audience.operator, Audience.approver}),
    Step.approval_asked: frozenset({Audience.operator, Audience.approver}),
    Step.approval_reminded: frozenset({Audience.operator, Audience.approver}),
    Step.approval_decided: frozenset({Audience.operator, Audience.approver}),
    Step.default_taken: frozenset({Audience.operator, Audience.approver, Audience.exec}),
    Step.stage_completed: frozenset({Audience.operator}),
    Step.revert_stopped: frozenset({Audience.operator, Audience.approver, Audience.exec}),
    Step.reverted: frozenset({Audience.operator, Audience.approver, Audience.exec, Audience.support, Audience.customer}),
    Step.all_clear: frozenset({Audience.operator, Audience.approver, Audience.exec, Audience.support, Audience.customer}),
    Step.not_verified: frozenset({Audience.operator, Audience.approver, Audience.exec}),
    Step.review_drafted: frozenset({Audience.operator, Audience.approver}),
}


def _unique_steps(rules: tuple[CommunicationRule, ...]) -> tuple[CommunicationRule, ...]:
    steps = [rule.step for rule in rules]
    if len(steps) != len(set(steps)):
        raise ValueError("a step is listed twice; list each step once with all its audiences")
    return rules


class Playbook(Strict):
    """One playbook for one service in one deployment context."""

    schema_: Literal["countermand.playbook/v1"] = Field(alias="schema")
    name: Name
    version: Annotated[int, Field(ge=1)]
    context: Context
    service: Name
    summary: Text
    owner: Name
    legal: LegalTags
    detection: Detection
    approvals: Annotated[dict[Severity, ApprovalPolicy], Field(min_length=1)]
    emergency: Emergency
    evidence_freeze: EvidenceFreeze
    data_integrity: DataIntegrity
    revert: Revert
    verification: RollbackVerification
    communications: Annotated[tuple[CommunicationRule, ...], AfterValidator(_unique_steps)]
    review: ReviewPolicy
    incident_time_limit: Duration

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for trigger in self.detection.triggers:
            if trigger.severity not in self.approvals:
                raise ValueError(f"trigger {trigger.id!r} has severity {trigger.severity} but approvals has no {trigger.severity}")
        for evidence in self.verification.signals:
            if evidence.signal not in self.detection.signals:
                raise ValueError(f"verification names unknown signal {evidence.signal!r}")
        told = {rule.step: set(rule.audiences) for rule in self.communications}
        for step, audiences in MANDATORY.items():
            missing = sorted(audiences - told.get(step, set()))
            if missing:
                raise ValueError(f"communications: step {step.value!r} must also tell {', '.join(missing)}")
        return self

    def audiences(self, step: Step) -> tuple[Audience, ...]:
        return next((rule.audiences for rule in self.communications if rule.step == step), ())

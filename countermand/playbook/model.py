"""The playbook schema `countermand.playbook/v1`.

Frozen, closed (`extra="forbid"`) and free of defaults that could decide something in silence: a missing
time limit, default action, check or verification does not parse. `load.py` turns the errors of these models
into messages with file and line.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from countermand.playbook.approvals import ApprovalPolicy, Quorum, QuorumSlot, Rung
from countermand.playbook.criteria import (
    AtLeast,
    Bound,
    Criterion,
    Detection,
    FailureLimit,
    FalseAlarms,
    Protects,
    SignalFamily,
    SignalSpec,
    ThresholdRule,
    Tolerance,
    Trigger,
)
from countermand.playbook.fairness import Fairness, Harm, misplaced
from countermand.playbook.integrity import Check, DataIntegrity
from countermand.playbook.rollout import Rollout, faults_of
from countermand.playbook.terms import (
    Audience,
    Context,
    Faults,
    Misfit,
    Name,
    Severity,
    SignalName,
    Step,
    Strict,
    Text,
    repeated,
)
from countermand.playbook.units import Positive, format_duration
from countermand.playbook.way_back import (
    EvidenceFreeze,
    HealthEvidence,
    Revert,
    RollbackVerification,
    StageSpec,
    TrafficVerification,
)

__all__ = [
    "ALWAYS",
    "MANDATORY",
    "SCHEMA",
    "ApprovalPolicy",
    "AtLeast",
    "Audience",
    "Bound",
    "Check",
    "CommunicationRule",
    "Context",
    "Criterion",
    "DataIntegrity",
    "Detection",
    "Emergency",
    "EvidenceFreeze",
    "FailureLimit",
    "FalseAlarms",
    "HealthEvidence",
    "LegalTags",
    "Name",
    "Playbook",
    "Protects",
    "Quorum",
    "QuorumSlot",
    "Revert",
    "ReviewPolicy",
    "RollbackVerification",
    "Rollout",
    "Rung",
    "Severity",
    "SignalFamily",
    "SignalName",
    "SignalSpec",
    "StageSpec",
    "Step",
    "Strict",
    "Text",
    "ThresholdRule",
    "Tolerance",
    "TrafficVerification",
    "Trigger",
]

SCHEMA = "countermand.playbook/v1"


class Emergency(Strict):
    """Who is paged at once, and the sentence they read first."""

    page: Annotated[tuple[Name, ...], Field(min_length=1)] = Field(description="Roles that are paged at once.")
    say: Text = Field(description="The sentence they read first.")


class CommunicationRule(Strict):
    """Which audiences hear about one step."""

    step: Step = Field(description="The step of the rollback.")
    audiences: Annotated[tuple[Audience, ...], Field(min_length=1)] = Field(description="Who is told.")


class ReviewPolicy(Strict):
    """The post-incident review: whose it is and when it must be signed."""

    owner: Name = Field(description="The role that writes the review.")
    sign_off: Quorum = Field(description="Who signs it.")
    due: Positive = Field(description="Time until it must be signed, for example 5d.")


class LegalTags(Strict):
    """Legal and safety duties that shaped the criteria; an empty list needs a reason."""

    duties: tuple[Text, ...] = Field(description="Legal and safety duties that shaped the criteria; [] if none.")
    none_because: Text | None = Field(None, description="Why there is none; required when `duties` is empty.")

    @model_validator(mode="after")
    def _said(self) -> Self:
        if not self.duties and self.none_because is None:
            raise Misfit((("duties",), "no legal duty is listed: say why in `none_because`"))
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
    Step.reverted: frozenset(
        {Audience.operator, Audience.approver, Audience.exec, Audience.support, Audience.customer}
    ),
    Step.all_clear: frozenset(
        {Audience.operator, Audience.approver, Audience.exec, Audience.support, Audience.customer}
    ),
    Step.not_verified: frozenset({Audience.operator, Audience.approver, Audience.exec}),
    Step.review_drafted: frozenset({Audience.operator, Audience.approver}),
}


#: Steps out of the playbook's order: these audiences are told whatever it lists (GOV-29, GOV-37, GOV-39).
ALWAYS: dict[Step, tuple[Audience, ...]] = {
    Step.rollback_proposed: (Audience.operator, Audience.approver),
    Step.emergency_declared: (Audience.operator, Audience.approver, Audience.exec),
    Step.glass_broken: (Audience.operator, Audience.approver, Audience.exec),
    Step.automatic_started: (Audience.approver, Audience.operator, Audience.exec, Audience.support),
    Step.requarantine_breach: (Audience.operator, Audience.approver, Audience.exec),
    Step.fairness_pause: (Audience.operator, Audience.approver, Audience.exec),
    Step.investigation_result: (Audience.operator, Audience.approver, Audience.exec),
    Step.rollout_started: (Audience.operator,),
    Step.rollout_promoted: (Audience.operator,),
    Step.ramp_held: (Audience.operator,),
    Step.rollout_ended: (Audience.operator,),
}
#: How soon people outside the responders hear again, where a playbook says nothing else.
UPDATE_EVERY: dict[Severity, timedelta] = {
    Severity.sev1: timedelta(minutes=30),
    Severity.sev2: timedelta(minutes=60),
    Severity.sev3: timedelta(hours=4),
    Severity.sev4: timedelta(hours=4),
}
#: A shorter promise would leave no room for a channel that is slow and another that takes its place.
SHORTEST_UPDATE = timedelta(minutes=5)


def _updates(every: dict[Severity, timedelta]) -> dict[Severity, timedelta]:
    faults = Faults()
    for severity, interval in every.items():
        if interval < SHORTEST_UPDATE:
            shortest = format_duration(SHORTEST_UPDATE)
            faults.add(f"{format_duration(interval)} is too short; write {shortest} or more", severity.value)
    faults.refuse()
    return every


def _unique_steps(rules: tuple[CommunicationRule, ...]) -> tuple[CommunicationRule, ...]:
    steps = [rule.step.value for rule in rules]
    faults = Faults()
    if Step.periodic_update.value in steps:
        faults.add(
            "updates go by themselves to everybody who was promised one; leave this step out and set `update_every`",
            *(steps.index(Step.periodic_update.value), "step"),
        )
    for i in repeated(steps):
        faults.add(f"step {steps[i]!r} is listed before; list each step once with all its audiences", i, "step")
    faults.refuse()
    return rules


#: Rounds of asking in one incident: keeps its workflow history far below Temporal's limits.
MAX_ROUNDS = 200


class Playbook(Strict):
    """One playbook for one service in one deployment context."""

    schema_: Literal["countermand.playbook/v1"] = Field(alias="schema", description="Version of this schema.")
    name: Name = Field(description="Name of the playbook.")
    version: Annotated[int, Field(ge=1, strict=True)] = Field(description="Counts up with every adopted change.")
    context: Context = Field(description="The deployment context it is written for.")
    service: Name = Field(description="The service whose releases it covers.")
    summary: Text = Field(description="What it is for, in one or two sentences.")
    owner: Name = Field(description="The role that keeps it up to date.")
    legal: LegalTags = Field(description="Legal and safety duties behind the criteria.")
    detection: Detection = Field(description="What is watched and when it counts as worse.")
    approvals: Annotated[dict[Severity, ApprovalPolicy], Field(min_length=1)] = Field(
        description="Who decides, by severity: sev1, sev2, sev3, sev4."
    )
    emergency: Emergency = Field(description="Who is paged at once.")
    evidence_freeze: EvidenceFreeze = Field(description="Evidence is frozen before anything changes.")
    data_integrity: DataIntegrity = Field(description="What is checked before, between and after stages.")
    revert: Revert = Field(description="The staged way back.")
    rollout: Rollout | None = Field(None, description="How releases go forward; without it nothing does.")
    verification: RollbackVerification = Field(description="When the service counts as well again.")
    communications: Annotated[tuple[CommunicationRule, ...], AfterValidator(_unique_steps)] = Field(
        description="Who is told what, when."
    )
    update_every: Annotated[dict[Severity, Positive], AfterValidator(_updates)] = Field(
        default_factory=dict,
        description="How soon exec, support and customers hear again, by severity: 5m or more. "
        "Without it 30m for sev1, 60m for sev2, 4h for the others.",
    )
    fairness: Fairness | None = Field(None, description="How a pattern of unfairness is looked into; 4h without it.")
    harms: tuple[Harm, ...] = Field((), description="The harm register: what can go wrong for whom, and what finds it.")
    review: ReviewPolicy = Field(description="The review after the incident.")
    incident_time_limit: Positive = Field(description="After this time an open incident is escalated and closed.")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        faults = Faults()
        covered = ", ".join(severity.value for severity in self.approvals)
        for i, trigger in enumerate(self.detection.triggers):
            if trigger.severity not in self.approvals:
                faults.add(
                    f"trigger {trigger.id!r} has severity {trigger.severity.value!r} "
                    f"but `approvals` covers only {covered}",
                    *("detection", "triggers", i, "severity"),
                )
        for i, evidence in enumerate(self.verification.signals):
            if evidence.signal not in self.detection.signals:
                faults.add(
                    f"verification names unknown signal {evidence.signal!r}; "
                    f"defined are {', '.join(sorted(self.detection.signals))}",
                    *("verification", "signals", i, "signal"),
                )
        if self.rollout is not None:
            for place, message in faults_of(self.rollout, self.detection.health):
                faults.add(message, "rollout", *place)
        for place, message in misplaced(self.fairness, self.harms, self.data_integrity, self.detection.triggers):
            faults.add(message, *place)
        rules = {rule.step: (i, rule) for i, rule in enumerate(self.communications)}
        for step, audiences in MANDATORY.items():
            if step not in rules:
                everyone = ", ".join(sorted(audiences))
                faults.add(f"step {step.value!r} is missing; it must tell {everyone}", "communications")
            elif missing := audiences.difference(rules[step][1].audiences):
                faults.add(
                    f"step {step.value!r} must also tell {', '.join(sorted(missing))}",
                    *("communications", rules[step][0], "audiences"),
                )
        for severity, policy in self.approvals.items():
            if self.incident_time_limit > MAX_ROUNDS * policy.ask_again_every:
                faults.add(
                    f"asking again every {format_duration(policy.ask_again_every)} until an incident ends after "
                    f"{format_duration(self.incident_time_limit)} makes more than {MAX_ROUNDS} rounds; "
                    f"ask less often or shorten `incident_time_limit`",
                    *("approvals", severity.value, "ask_again_every"),
                )
        if self.fairness is not None and self.incident_time_limit > MAX_ROUNDS * self.fairness.window:
            faults.add(
                f"a window of {format_duration(self.fairness.window)} until an incident ends after "
                f"{format_duration(self.incident_time_limit)} tells executives more than {MAX_ROUNDS} times; "
                "lengthen it or shorten `incident_time_limit`",
                *("fairness", "window"),
            )
        faults.refuse()
        return self

    def updates_every(self, severity: Severity) -> timedelta:
        """How soon people outside the responders hear again."""
        return self.update_every.get(severity, UPDATE_EVERY[severity])

    def audiences(self, step: Step) -> tuple[Audience, ...]:
        """Who is told about a step."""
        listed = next((rule.audiences for rule in self.communications if rule.step == step), ())
        return tuple(dict.fromkeys((*listed, *ALWAYS.get(step, ()))))

    @property
    def investigation(self) -> Fairness:
        """How unfairness is looked into: as the playbook says, else by default."""
        return self.fairness or Fairness()

    def policy(self, severity: Severity) -> ApprovalPolicy:
        """How approval is asked at a severity: the playbook's own, else the next stricter one, else its strictest."""
        stricter = [covered for covered in self.approvals if covered <= severity]
        return self.approvals[max(stricter, default=min(self.approvals))]

"""The schema of each record kind: what a body holds, and one function that makes an Entry of it (EVD-4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from countermand.canonical import digest, instant
from countermand.detection.models import CriterionRecord, Verdict, VerdictWord, WatchVerdict
from countermand.governance.decision import Decision, SignatureClass
from countermand.ledger.record import Entry, Kind, Record
from countermand.plan.target import Split, TargetState, Value


class Body(Value):
    """Base of record bodies; `KIND` ties a model to its record kind."""

    KIND: ClassVar[Kind]

    def entry(
        self, idem_key: str, actor: str, *, incident_id: str | None = None, release_id: str | None = None
    ) -> Entry:
        """The append request for this body."""
        return Entry(
            kind=self.KIND,
            idem_key=idem_key,
            actor=actor,
            body=_plain(self.model_dump(mode="python")),
            incident_id=incident_id,
            release_id=release_id,
        )


def _plain(value: Any) -> Any:
    """Instants in the one canonical form; everything else as JSON already has it."""
    match value:
        case datetime():
            return instant(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case Value():
            return _plain(value.model_dump(mode="python"))
        case str():
            return str(value)
        case _:
            return value


class ReleaseRegistered(Body):
    KIND: ClassVar[Kind] = Kind.release_registered
    environment: str
    service: str
    candidate_name: str
    candidate_digest: str
    baseline_name: str
    baseline_digest: str
    playbook_digest: str
    registered_by: str
    owner: str


class ReleaseClosed(Body):
    KIND: ClassVar[Kind] = Kind.release_closed
    why: str


class VerdictChanged(Body):
    """A watch's verdict changed. `verdicts` are the full records of the triggers behind it: all that have fired, else
    the leading one; `evidence_digest` is theirs, and what people approve is bound to it."""

    KIND: ClassVar[Kind] = Kind.verdict
    watch_id: str
    word: str
    severity: str
    trigger: str
    sentence: str
    row: int
    evidence_digest: str
    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, watch_id: str, verdict: WatchVerdict) -> VerdictChanged:
        """The record of a watch's verdict."""
        leading = verdict.leading
        fired = tuple(one for one in verdict.verdicts if one.word is VerdictWord.trigger) or (leading,)
        return cls(
            watch_id=watch_id,
            word=verdict.word.value,
            severity=leading.severity.value,
            trigger=" and ".join(one.trigger for one in fired),
            sentence=" ".join(one.sentence for one in fired),
            row=leading.seq,
            evidence_digest=digest([one.model_dump(mode="json") for one in fired]),
            verdicts=fired,
        )

    @property
    def by_person(self) -> bool:
        """Whether it is what a person said, not what a watch measured."""
        return not self.verdicts

    @property
    def criteria(self) -> tuple[CriterionRecord, ...]:
        """What each criterion behind this verdict saw."""
        return tuple(criterion for verdict in self.verdicts for criterion in verdict.criteria)


class IncidentOpened(Body):
    KIND: ClassVar[Kind] = Kind.incident_opened
    workflow_id: str
    environment: str
    service: str
    candidate_name: str
    baseline_name: str
    severity: str
    trigger: str
    sentence: str
    evidence_digest: str
    opened_by: str
    ends_by: datetime


class IncidentPhase(Body):
    """What the incident is doing or waiting for, and until when; `commands_to` takes people's commands now."""

    KIND: ClassVar[Kind] = Kind.incident_phase
    phase: Literal["freezing", "planning", "asking", "reverting", "verifying", "held", "not_verified"]
    sentence: str
    until: datetime | None
    commands_to: str
    commands: tuple[str, ...]


class IncidentClosed(Body):
    KIND: ClassVar[Kind] = Kind.incident_closed
    outcome: Literal[
        "reverted",
        "reverted_not_verified",
        "rejected",
        "withdrawn",
        "expired",
        "aborted",
        "reversed",
        "unresolved",
    ]
    sentence: str


class FrozenItem(Value):
    """One item of frozen evidence."""

    name: str
    sha256: str
    size: int
    source: str
    read_at: datetime
    complete: bool


class FreezeCompleted(Body):
    KIND: ClassVar[Kind] = Kind.freeze_completed
    inventory_sha256: str
    items: tuple[FrozenItem, ...]


class FreezeFailed(Body):
    KIND: ClassVar[Kind] = Kind.freeze_failed
    reason: str
    branch: Literal["wait", "parallel"]


class PlanMade(Body):
    KIND: ClassVar[Kind] = Kind.plan
    plan_digest: str
    plan: dict[str, Any]


class AskOpened(Body):
    KIND: ClassVar[Kind] = Kind.ask_opened
    ask_id: str
    workflow_id: str
    plan_digest: str
    evidence_digest: str
    approval_digest: str
    requester: str
    excluded: tuple[str, ...]
    need_roles: tuple[str, ...]
    need_people: int
    asked: tuple[str, ...]
    opened_at: datetime
    expires_at: datetime
    default: Literal["proceed", "hold", "abort"]
    ladder: tuple[str, ...]
    governance_digest: str
    rules: str
    supersedes: str | None
    signature_class: SignatureClass = SignatureClass.standard
    rungs_due: tuple[datetime, ...] = ()


class AskRung(Body):
    KIND: ClassVar[Kind] = Kind.ask_rung
    ask_id: str
    rung: int
    do: str
    to: tuple[str, ...]


class AskAcknowledged(Body):
    """Somebody is looking at it: no vote, and the ladder goes on (GOV-25)."""

    KIND: ClassVar[Kind] = Kind.ask_acknowledged
    ask_id: str
    subject: str
    name: str
    channel: str


class AskExtended(Body):
    """People took more time, once; `until` replaces the time limit."""

    KIND: ClassVar[Kind] = Kind.ask_extended
    ask_id: str
    decision_id: str
    subject: str
    name: str
    reason: str
    until: datetime


class AskVote(Body):
    KIND: ClassVar[Kind] = Kind.ask_vote
    ask_id: str
    decision_id: str
    vote: Literal["approve", "reject", "retract"]
    subject: str
    name: str
    roles: tuple[str, ...]
    reason: str
    channel: str
    have: int
    need: int
    missing: tuple[str, ...]


class AskClosed(Body):
    KIND: ClassVar[Kind] = Kind.ask_closed
    ask_id: str
    status: str
    because: str
    have: int
    need: int


class DecisionMade(Body):
    """A signed decision as submitted; whether it counted is the next record of the workflow it was for."""

    KIND: ClassVar[Kind] = Kind.decision
    decision: Decision


class DecisionRefused(Body):
    KIND: ClassVar[Kind] = Kind.decision_refused
    decision_kind: str
    ask_id: str | None
    subject: str
    channel: str
    code: str
    detail: str


class StageIntent(Body):
    """What is about to be done, and the state before it, enough to restore it (TGT-6)."""

    KIND: ClassVar[Kind] = Kind.stage_intent
    revert: int
    stage: int
    desired: Split
    before: TargetState
    key: str
    fence: int
    plan_digest: str


class StageOutcome(Body):
    KIND: ClassVar[Kind] = Kind.stage_outcome
    revert: int
    stage: int
    result: Literal["applied", "already", "conflict", "rejected", "ambiguous"]
    by: str
    recovered: bool
    after: TargetState | None
    sentence: str


class StageState(Body):
    """Life of a stage and of the revert around it."""

    KIND: ClassVar[Kind] = Kind.stage_state
    revert: int
    stage: int
    state: Literal["started", "soaking", "completed", "held", "resumed", "stopped", "aborted", "reversed"]
    sentence: str
    by: str | None = None
    until: datetime | None = None


class CheckDone(Body):
    KIND: ClassVar[Kind] = Kind.check_result
    revert: int
    stage: int
    phase: Literal["before", "traffic", "between", "after", "verification"]
    name: str
    word: Literal["pass", "fail", "unknown"]
    sentence: str


class CommsSent(Body):
    KIND: ClassVar[Kind] = Kind.comms_sent
    step: str
    audience: str
    key: str
    subject: str
    text_sha256: str
    channel: str
    facts_sha256: str


class CommsFailed(Body):
    """A message that could not be made or delivered; the rollback goes on without it (REL-6, I15)."""

    KIND: ClassVar[Kind] = Kind.comms_failed
    step: str
    audiences: tuple[str, ...]
    why: str


class CommsCorrected(Body):
    """A person's order to put a wrong message right; without `what` it is withdrawn (COM-25)."""

    KIND: ClassVar[Kind] = Kind.comms_corrected
    correction_id: str
    key: str
    step: str
    audience: str
    subject: str
    what: str | None
    why: str
    by: str
    name: str

    @property
    def message_key(self) -> str:
        """Key of the message that puts it right."""
        return f"{self.key}/correction/{self.correction_id}"


class ReviewDrafted(Body):
    KIND: ClassVar[Kind] = Kind.review_drafted
    review_id: str
    workflow_id: str
    draft_sha256: str
    owner: str
    due: datetime


class ReviewClosed(Body):
    KIND: ClassVar[Kind] = Kind.review_closed
    review_id: str
    outcome: Literal["signed", "overdue"]
    by: tuple[str, ...]


class UpdatePromised(Body):
    """The message `key` said that the next one comes by `until` (COM-24)."""

    KIND: ClassVar[Kind] = Kind.update_promised
    audience: str
    key: str
    until: datetime


class UpdateKept(Body):
    """The promise of message `key` was kept by message `by`."""

    KIND: ClassVar[Kind] = Kind.update_kept
    audience: str
    key: str
    by: str


class UpdateOverdue(Body):
    """The promise of message `key` was not kept by the time it named."""

    KIND: ClassVar[Kind] = Kind.update_overdue
    audience: str
    key: str
    until: datetime


class ConsentOpened(Body):
    """People are asked to sign `document` under a row of the rights table; `approval_digest` covers what it says.

    `overdue`: `lapse` at `expires_at`, or `escalate_daily` from then on until somebody decides (a ratification).
    """

    KIND: ClassVar[Kind] = Kind.consent_opened
    consent_id: str
    workflow_id: str
    subject: str
    document: dict[str, Any]
    right: dict[str, Any]
    approval_digest: str
    requester: str
    excluded: tuple[str, ...]
    environment: str
    asked: tuple[str, ...]
    opened_at: datetime
    expires_at: datetime
    overdue: Literal["lapse", "escalate_daily"]
    governance_digest: str
    rules: str


class ConsentVote(Body):
    KIND: ClassVar[Kind] = Kind.consent_vote
    consent_id: str
    decision_id: str
    vote: Literal["approve", "reject", "retract"]
    subject: str
    name: str
    roles: tuple[str, ...]
    reason: str
    channel: str
    have: int
    need: int
    missing: tuple[str, ...]


class ConsentOverdue(Body):
    """Nobody decided in time on what cannot lapse; `number` counts the reminders."""

    KIND: ClassVar[Kind] = Kind.consent_overdue
    consent_id: str
    number: int
    due: datetime
    missing: tuple[str, ...]


class ConsentClosed(Body):
    KIND: ClassVar[Kind] = Kind.consent_closed
    consent_id: str
    status: Literal["given", "refused", "lapsed"]
    because: str


class StandingIssued(Body):
    """`authorisation` is a StandingAuthorisation with its signers; the register checks it against the signatures."""

    KIND: ClassVar[Kind] = Kind.standing_issued
    authorisation: dict[str, Any]
    consent_id: str


class StandingRevoked(Body):
    KIND: ClassVar[Kind] = Kind.standing_revoked
    authorisation_id: str
    consent_id: str
    reason: str
    decision_id: str
    name: str


class ConcernRaised(Body):
    """A person says that a release is bad: a judgement with a reason, no measurement (R20)."""

    KIND: ClassVar[Kind] = Kind.concern_raised
    decision_id: str
    subject: str
    name: str
    roles: tuple[str, ...]
    severity: str
    reason: str


class FreezeStarted(Body):
    """The copying of evidence began and runs beside what is done, because the glass was broken (GOV-39)."""

    KIND: ClassVar[Kind] = Kind.freeze_started
    decision_id: str


class GlassBroken(Body):
    """Somebody acts first and answers for it: who, against which harm, what is done, and until when others must have
    ratified it. `plan_digest` None: no user is moved."""

    KIND: ClassVar[Kind] = Kind.glass_broken
    decision_id: str
    subject: str
    name: str
    emergency: Literal["stop", "disable", "last_known_good"]
    harm: str
    reason: str
    environment: str
    plan_digest: str | None
    sentence: str
    ratify_by: datetime


class GateDecided(Body):
    """What the verdicts of an incident lead to for one plan (GOV-27). `because` names every clause that does not hold.

    `triggers` are those that fired and are not about fairness. `facts_sha256`: the facts it rests on, kept as evidence.
    """

    KIND: ClassVar[Kind] = Kind.gate_decided
    plan_digest: str
    act: Literal["automatic", "ask", "ask_if_blind", "notify", "investigate", "none"]
    clear: bool
    triggers: tuple[str, ...]
    people: int | None
    window_seconds: int | None
    next_working_window: bool
    hold_ramp: bool
    because: tuple[str, ...]
    authorisation_id: str | None
    facts_sha256: str
    rules: str


class AskDefaulted(Body):
    """Which branch is taken because nobody decided; `degraded` says why it is not the declared one (GOV-24)."""

    KIND: ClassVar[Kind] = Kind.ask_defaulted
    ask_id: str
    plan_digest: str
    declared: Literal["proceed", "hold", "abort"]
    action: Literal["proceed", "hold", "abort"]
    degraded: tuple[str, ...]
    triggers: tuple[str, ...]
    authorisation_id: str | None
    facts_sha256: str
    rules: str


class RehearsalPassed(Body):
    """A rehearsal of exactly this playbook went well; when it did is the time of the record."""

    KIND: ClassVar[Kind] = Kind.rehearsal_passed
    playbook_digest: str
    scenario: str


class AskSentTo(Body):
    """How one person is reached about one request, decided once (GOV-50): `batch` means that it is only listed."""

    KIND: ClassVar[Kind] = Kind.ask_sent
    ask_id: str
    subject: str
    name: str
    severity: str
    lane: Literal["own", "now", "batch"]


class VersionDenied(Body):
    """A person put a version on the deny list of an environment (GOV-44). `digest`: a bundle, or one part of bundles.

    It counts from `not_before` until `not_after`; None: until it is allowed again.
    """

    KIND: ClassVar[Kind] = Kind.version_denied
    digest: str
    environment: str
    decision_id: str
    subject: str
    name: str
    reason: str
    not_before: datetime
    not_after: datetime | None


class VersionAllowed(Body):
    """People took a version off the deny list; what was denied before they were asked ends (GOV-45)."""

    KIND: ClassVar[Kind] = Kind.version_allowed
    digest: str
    environment: str
    consent_id: str


class VersionQuarantined(Body):
    """The candidate of the record's incident, and each part in which it differs from the baseline (GOV-47).

    `fairness`: whether a trigger about fairness had fired, so that lifting it needs a fairness reviewer as well.
    """

    KIND: ClassVar[Kind] = Kind.version_quarantined
    digest: str
    name: str
    environment: str
    members: dict[str, str]
    fairness: bool


class QuarantineLifted(Body):
    """People let a version out of the quarantine that `by_incident` put it in (GOV-48)."""

    KIND: ClassVar[Kind] = Kind.quarantine_lifted
    digest: str
    environment: str
    by_incident: str
    consent_id: str


BODIES: dict[Kind, type[Body]] = {
    body.KIND: body
    for body in (
        ReleaseRegistered, ReleaseClosed, VerdictChanged, IncidentOpened, IncidentPhase, IncidentClosed,
        FreezeCompleted, FreezeFailed, PlanMade, AskOpened, AskRung, AskAcknowledged, AskExtended, AskVote, AskClosed,
        DecisionMade, DecisionRefused, StageIntent, StageOutcome, StageState, CheckDone, CommsSent, CommsFailed,
        CommsCorrected, ReviewDrafted, ReviewClosed, UpdatePromised, UpdateKept, UpdateOverdue,
        ConsentOpened, ConsentVote, ConsentOverdue, ConsentClosed, StandingIssued, StandingRevoked,
        ConcernRaised, FreezeStarted, GlassBroken,
        GateDecided, AskDefaulted, RehearsalPassed,
        AskSentTo,
        VersionDenied, VersionAllowed, VersionQuarantined, QuarantineLifted,
    )
}  # fmt: skip


def parse_body(record: Record) -> Body | None:
    """The typed body of a record; None for kinds without a schema of their own (genesis, selfcheck)."""
    model = BODIES.get(record.kind)
    return model.model_validate(record.body) if model else None

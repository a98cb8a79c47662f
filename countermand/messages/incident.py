"""An incident as people see it: a pure fold over its Ledger records.

Pages, cards, the command line, messages and the review all read this one view; nothing else keeps state
about an incident, so two of them cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from countermand import ids
from countermand.governance.decision import Decision, DecisionKind
from countermand.ledger import bodies as b
from countermand.ledger.record import Record
from countermand.messages import moving
from countermand.messages.fencing import fenced
from countermand.messages.investigation import InvestigationView, note
from countermand.plan.model import Plan


@dataclass(frozen=True)
class Line:
    """One line of the timeline, linked to its record."""

    seq: int
    at: datetime
    tone: str  # info | ask | good | bad | person
    text: str
    detail: str = ""


@dataclass
class AskView:
    """One request for approval."""

    opened: b.AskOpened
    votes: list[b.AskVote] = field(default_factory=list)
    voted_at: dict[str, datetime] = field(default_factory=dict)
    rungs: list[b.AskRung] = field(default_factory=list)
    rung_at: dict[int, datetime] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    lanes: dict[str, str] = field(default_factory=dict)
    extended: b.AskExtended | None = None
    closed: b.AskClosed | None = None
    closed_at: datetime | None = None
    defaulted: b.AskDefaulted | None = None
    #: How the try before it stopped; empty for the first one.
    tried: str = ""

    @property
    def status(self) -> str:
        return self.closed.status if self.closed else "pending"

    @property
    def expires_at(self) -> datetime:
        """Until when a decision counts; people may have taken more time, once."""
        return self.extended.until if self.extended else self.opened.expires_at

    @property
    def have(self) -> int:
        return self.closed.have if self.closed else (self.votes[-1].have if self.votes else 0)

    @property
    def missing(self) -> tuple[str, ...]:
        return self.votes[-1].missing if self.votes else self.opened.need_roles

    @property
    def standing_votes(self) -> list[b.AskVote]:
        """The newest vote of each person, without retracted ones."""
        newest = {vote.subject: vote for vote in self.votes}
        return [vote for vote in newest.values() if vote.vote != "retract"]


@dataclass
class StageView:
    """One stage of the way back, as planned and as it went."""

    number: int
    give_back_bp: int
    candidate_bp: int
    state: str = "waiting"
    sentence: str = ""
    started_at: datetime | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    outcome: b.StageOutcome | None = None
    checks: list[b.CheckDone] = field(default_factory=list)


@dataclass
class Promise:
    """What a message said about the next one, and what came of it. Overdue stays overdue, whatever comes later."""

    audience: str
    until: datetime
    word: Literal["open", "kept", "overdue"] = "open"


@dataclass
class IncidentView:
    """Everything people see about one incident."""

    incident_id: str
    release_id: str
    opened: b.IncidentOpened
    opened_at: datetime
    phase: b.IncidentPhase | None = None
    phase_since: datetime | None = None
    closed: b.IncidentClosed | None = None
    closed_at: datetime | None = None
    unattended: b.IncidentUnattended | None = None
    verdict: b.VerdictChanged | None = None
    freeze: b.FreezeCompleted | None = None
    freeze_gap: b.FreezeIncomplete | None = None
    waiver: b.FreezeWaived | None = None
    plan: Plan | None = None
    gate: b.GateDecided | None = None
    asks: list[AskView] = field(default_factory=list)
    revert: int = 0
    stages: list[StageView] = field(default_factory=list)
    members: list[moving.MemberView] = field(default_factory=list)
    stopped: str = ""
    before_bp: int | None = None
    candidate_bp: int | None = None
    verification: list[b.CheckDone] = field(default_factory=list)
    messages: list[tuple[datetime, b.CommsSent]] = field(default_factory=list)
    refusals: list[tuple[datetime, b.DecisionRefused]] = field(default_factory=list)
    statement: b.VerdictChanged | None = None
    breach: b.RequarantineBreach | None = None
    glass: list[b.GlassBroken] = field(default_factory=list)
    promises: dict[str, Promise] = field(default_factory=dict)
    slices: b.SlicesMeasured | None = None
    investigations: list[InvestigationView] = field(default_factory=list)
    review: b.ReviewDrafted | None = None
    review_closed: b.ReviewClosed | None = None
    timeline: list[Line] = field(default_factory=list)
    as_of_seq: int = -1

    @property
    def ask(self) -> AskView | None:
        """The newest request for approval."""
        return self.asks[-1] if self.asks else None

    @property
    def investigation(self) -> InvestigationView | None:
        """The newest investigation of unfairness; it may outlive the incident."""
        return self.investigations[-1] if self.investigations else None

    @property
    def status(self) -> str:
        """The phase while open, the outcome once closed."""
        if self.closed:
            return self.closed.outcome
        if self.unattended:
            return "unattended"
        return self.phase.phase if self.phase else "opened"

    @property
    def sentence(self) -> str:
        """What is happening now, in one sentence."""
        if self.closed:
            return self.closed.sentence
        if self.unattended:
            return self.unattended.sentence
        return self.phase.sentence if self.phase else self.opened.sentence

    def stage(self, number: int) -> StageView | None:
        return next((stage for stage in self.stages if stage.number == number), None)


def incidents(records: Iterable[Record]) -> list[IncidentView]:
    """Fold mixed records into incidents, oldest first. Records outside any incident are passed over."""
    views: dict[str, IncidentView] = {}
    for record in records:
        if record.incident_id is None:
            continue
        body = b.parse_body(record)
        view = views.get(record.incident_id)
        if isinstance(body, b.IncidentOpened):
            view = IncidentView(record.incident_id, record.release_id or "", body, record.at)
            views[record.incident_id] = view
        if view is not None and body is not None:
            _apply(view, record, body)
            view.as_of_seq = record.seq
    return list(views.values())


def incident(records: Iterable[Record]) -> IncidentView | None:
    """The one incident these records are about."""
    views = incidents(records)
    return views[0] if views else None


def _apply(view: IncidentView, record: Record, body: b.Body) -> None:
    """One record's effect on the view; a record also leaves its line in the timeline."""

    def line(tone: str, text: str, detail: str = "") -> None:
        view.timeline.append(Line(record.seq, record.at, tone, text, detail))

    match body:
        case b.IncidentOpened():
            line("bad", f"Incident opened: {body.trigger} ({body.severity})", body.sentence)
        case b.VerdictChanged():
            view.verdict = body
            if not body.verdicts:
                view.statement = body
            if body.sentence != view.opened.sentence:  # the first one opened the incident and stands there already
                tone = "person" if body.by_person else "bad" if body.word == "trigger" else "info"
                line(tone, f"Evidence changed: {body.trigger.replace('_', ' ')}", body.sentence)
        case b.DecisionMade(decision=decision) if _closes(view, decision):
            line("person", f"{decision.actor.printed_name} aborts", decision.reason)
        case b.IncidentPhase():
            view.phase, view.phase_since, view.unattended = body, record.at, None
        case b.FreezeCompleted():
            view.freeze, view.freeze_gap = body, None
            line("info", f"Evidence frozen: {len(body.items)} items", body.inventory_sha256)
        case b.FreezeIncomplete():
            view.freeze_gap = body
            missing = [f"{item.name}: {item.why}" for item in body.items if not item.complete]
            line("bad", f"Evidence incomplete: {len(missing)} of {len(body.items)} items missing", "; ".join(missing))
        case b.FreezeWaived():
            view.waiver = body
            said = f"missing: {body.missing}. Reason: {fenced(body.reason)}"
            line("person", f"{body.name} went on with incomplete evidence", said)
        case b.FreezeStarted():
            line("info", "Evidence is copied meanwhile", "the glass was broken, so nothing waits for it")
        case b.GlassBroken():
            view.glass.append(body)
            what = body.emergency.replace("_", " ")
            line("bad", f"{body.name} broke the glass: {what}", f"{body.sentence} Harm: {fenced(body.harm)}")
        case b.FreezeFailed():
            line("bad", "Evidence could not be frozen", body.reason)
        case b.PlanMade():
            view.plan = Plan.model_validate(body.plan)
            view.members = moving.members_of(view.plan)
            line("info", "Plan made", body.plan_digest)
        case b.GateDecided():
            view.gate = body
            words = {"automatic": "Starts without asking", "investigate": "Held to be investigated"}
            words |= {"notify": "Nothing is changed", "none": "Nothing is changed"}
            line("ask", words.get(body.act, "People decide"), "; ".join(body.because))
        case b.AskOpened() | b.AskRung() | b.AskAcknowledged() | b.AskExtended() | b.AskVote() | b.AskClosed():
            _apply_ask(view, record, body, line)
        case b.AskDefaulted() | b.AskSentTo():
            _apply_ask(view, record, body, line)
        case b.DecisionRefused():
            view.refusals.append((record.at, body))
            line("person", f"Refused: {body.decision_kind} by {body.subject}", f"{body.code}: {body.detail}")
        case b.StageIntent() | b.StageOutcome() | b.StageState():
            _apply_stage(view, record, body, line)
        case b.CheckDone():
            moving.note(view.members, body)
            if body.phase != "verification":
                _begin(view, body.revert)
            stage = view.stage(body.stage)
            if body.phase == "verification":
                view.verification.append(body)
            elif stage is not None:
                stage.checks.append(body)
            tone = {"pass": "good", "fail": "bad", "unknown": "bad"}[body.word]
            line(tone, f"Check {body.name.replace('_', ' ')}: {body.word}", body.sentence)
        case b.CommsSent():
            view.messages.append((record.at, body))
        case b.CommsFailed():
            told = ", ".join(body.audiences)
            line("bad", f"Could not tell {told}: {body.step.replace('_', ' ')}", body.why)
        case b.CommsCorrected():
            done = "Corrected" if body.what else "Withdrawn"
            line("person", f"{done} by {body.name}: message to {body.audience}", f"{body.subject}. {body.why}")
        case b.UpdatePromised():
            view.promises[body.key] = Promise(body.audience, body.until)
        case b.UpdateKept():
            promise = view.promises.get(body.key)
            if promise is not None and promise.word == "open":
                promise.word = "kept"
        case b.UpdateOverdue():
            promise = view.promises.get(body.key)
            if promise is not None:
                promise.word = "overdue"
            line("bad", f"Promised update to {body.audience} is overdue", f"promised by {body.until:%H:%M:%S} UTC")
        case b.SlicesMeasured():
            view.slices = body
        case b.InvestigationOpened():
            view.investigations.append(InvestigationView(body, body.until, body.digest, view.slices))
            line("ask", f"Paused to be looked into by {', '.join(body.asked) or 'nobody'}", "; ".join(body.because))
        case (
            b.InvestigationFilled()
            | b.InvestigationRung()
            | b.InvestigationFound()
            | b.InvestigationOverridden()
            | b.InvestigationEnded()
        ):
            if noted := note(view.investigations, body, record.at):
                line(*noted)
        case b.ReviewDrafted():
            view.review = body
            line("info", "Review drafted", f"owner: {body.owner.replace('_', ' ')}")
        case b.ReviewClosed():
            view.review_closed = body
            line("good" if body.outcome == "signed" else "bad", f"Review {body.outcome}", ", ".join(body.by))
        case b.RequarantineBreach():
            view.breach = body
            line("bad", "The version in quarantine is back", body.sentence)
        case b.GuardState():
            line("bad" if body.state == "blind" else "info", f"Guard: {body.state}", body.sentence)
        case b.VersionMarked():
            line("info" if body.ok else "bad", f"Tagged {body.status} at {body.target}/{body.member}", body.sentence)
        case b.ConsentOpened():
            line("ask", f"Consent asked of {', '.join(body.asked)}", body.subject)
        case b.ConsentVote():
            verb = {"approve": "signed", "reject": "refused", "retract": "took back their signature"}[body.vote]
            line("person", f"{body.name} {verb} ({body.have} of {body.need})", body.reason)
        case b.ConsentOverdue():
            line("bad", f"Consent overdue, reminder {body.number}", f"missing: {', '.join(body.missing)}")
        case b.ConsentClosed():
            line("good" if body.status == "given" else "bad", f"Consent {body.status}", body.because)
        case b.IncidentUnattended():
            view.unattended, view.phase = body, None
            line("bad", "Nothing works on it any more", body.sentence)
        case b.IncidentClosed():
            view.closed, view.closed_at = body, record.at
            line(
                "good" if body.outcome == "reverted" else "bad",
                f"Closed: {body.outcome.replace('_', ' ')}",
                body.sentence,
            )


def _closes(view: IncidentView, decision: Decision) -> bool:
    """Whether a person ends the incident itself; the stage that a command stops shows the words of that command."""
    return decision.kind is DecisionKind.abort and decision.addressed_to == view.opened.workflow_id


def _apply_ask(view: IncidentView, record: Record, body: b.Body, line: Callable[..., None]) -> None:
    if isinstance(body, b.AskOpened):
        view.asks.append(AskView(body, tried=view.stopped))
        line("ask", f"Approval asked of {', '.join(body.asked)}", f"{body.need_people} people needed")
        return
    ask = next((ask for ask in view.asks if ask.opened.ask_id == getattr(body, "ask_id", None)), None)
    if ask is None:
        return
    match body:
        case b.AskRung():
            ask.rungs.append(body)
            ask.rung_at[body.rung] = record.at
            words = {"remind": "Reminded those who have not decided", "escalate": "Escalated"}
            line("ask", words.get(body.do, body.do), ", ".join(body.to))
        case b.AskDefaulted():
            ask.defaulted = body
            line("ask", f"Nobody decided: {body.action}", "; ".join(body.degraded))
        case b.AskExtended():
            ask.extended = body
            line("person", f"{body.name} took more time, until {body.until:%H:%M:%S} UTC", body.reason)
        case b.AskAcknowledged():
            ask.acknowledged[body.subject] = (body.name, record.at)
            line("person", f"{body.name} is looking at the request")
        case b.AskSentTo():
            ask.lanes[body.subject] = body.lane
            if body.lane == "batch":
                line("ask", f"Only listed for {body.name}", "they had their share of requests in the last hour")
        case b.AskVote():
            ask.votes.append(body)
            ask.voted_at[body.decision_id] = record.at
            verb = {"approve": "approved", "reject": "rejected", "retract": "took back their vote"}[body.vote]
            line("person", f"{body.name} {verb} ({body.have} of {body.need})", body.reason)
        case b.AskClosed():
            ask.closed, ask.closed_at = body, record.at
            line("good" if body.status == "approved" else "bad", f"Request {body.status}", body.because)


def _begin(view: IncidentView, revert: int) -> None:
    """The stages of a revert as planned, with its first record: a check may stop it before anything is set."""
    if revert == view.revert or view.plan is None:
        return
    view.revert, view.before_bp = revert, view.plan.before.candidate_bp
    view.stages = [
        StageView(stage.number, stage.give_back_bp, stage.desired.candidate_bp) for stage in view.plan.stages
    ]


def _apply_stage(view: IncidentView, record: Record, body: b.Body, line: Callable[..., None]) -> None:
    match body:
        case b.StageIntent() | b.StageOutcome() if body.member is not None:
            moving.note(view.members, body)
            if isinstance(body, b.StageOutcome):
                ok = body.result in ("applied", "already")
                line("info" if ok else "bad", f"{_step(body.stage)}, {body.member}: {body.result}", body.sentence)
        case b.StageIntent():
            moving.note(view.members, body)
            _begin(view, body.revert)
            view.candidate_bp = body.before.split.candidate_bp
            stage = view.stage(body.stage)
            if stage is not None:
                stage.state, stage.started_at = "setting", stage.started_at or record.at
        case b.StageOutcome():
            moving.note(view.members, body)
            stage = view.stage(body.stage)
            if body.after is not None:
                view.candidate_bp = body.after.split.candidate_bp
            if stage is not None:
                stage.outcome, stage.sentence = body, body.sentence
            ok = body.result in ("applied", "already")
            line("info" if ok else "bad", f"{_step(body.stage)}: {body.result}", body.sentence)
        case b.StageState():
            _begin(view, body.revert)
            stage = view.stage(body.stage)
            if body.state in ("stopped", "partial", "compensated"):
                view.stopped = body.sentence
            if stage is not None:
                stage.state, stage.sentence, stage.until = body.state, body.sentence, body.until
                if body.state in ("completed", "stopped", "aborted", "reversed", "partial", "compensated"):
                    stage.ended_at = record.at
            bad = ("stopped", "aborted", "reversed", "partial", "compensated")
            tone = "good" if body.state == "completed" else "bad" if body.state in bad else "info"
            who = f" by {body.by}" if body.by else ""
            line("person" if body.by else tone, f"Stage {body.stage} {body.state}{who}", body.sentence)


def _step(stage: int) -> str:
    """What the timeline calls a stage; bringing back what moved is none of the plan's."""
    return "Bringing back" if stage == ids.REVERSE_STAGE else f"Stage {stage}"

"""One sentence per Ledger record, for the list of records."""

from __future__ import annotations

from countermand.ledger import bodies as b
from countermand.ledger.record import Record
from countermand.messages.facts import spoken, utc
from countermand.playbook.units import format_percent


def summary(record: Record) -> str:
    """What the record says, in one line of text."""
    body = b.parse_body(record)
    return record.kind.value if body is None else _of(body)


def _of(body: b.Body) -> str:
    match body:
        case b.ReleaseRegistered():
            return f"{body.candidate_name} beside {body.baseline_name} in {body.environment}"
        case b.VerdictChanged():
            return f"{body.word}: {body.sentence}"
        case b.IncidentOpened():
            return f"{body.severity}, trigger {body.trigger}: {body.sentence}"
        case b.IncidentPhase():
            return f"{_words(body.phase)}: {body.sentence}"
        case b.IncidentClosed():
            return f"{_words(body.outcome)}: {body.sentence}"
        case b.FreezeCompleted():
            return f"{len(body.items)} items frozen"
        case b.FreezeFailed():
            return body.reason
        case b.FreezeIncomplete():
            missing = [item.name for item in body.items if not item.complete]
            return f"{len(body.items) - len(missing)} of {len(body.items)} items frozen; missing: {', '.join(missing)}"
        case b.FreezeWaived():
            return f"{body.name} went on although evidence is missing: {body.missing}. {body.reason}"
        case b.FreezeStarted():
            return "the evidence is copied while something is done already"
        case b.GateDecided():
            return f"{_words(body.act)}: {'; '.join(body.because)}"
        case b.AskDefaulted():
            why = f", not {body.declared}: {'; '.join(body.degraded)}" if body.degraded else ""
            return f"{body.ask_id}: nobody decided, {body.action}{why}"
        case b.RehearsalPassed():
            return f"rehearsal {body.scenario!r} passed"
        case b.RolloutPlanned():
            return f"rollout plan {_short(body.plan_digest)}{': ' + '; '.join(body.asks) if body.asks else ''}"
        case b.RolloutIntent():
            share = format_percent(body.desired.candidate_bp)
            return f"step {body.step}: about to set the candidate to {share} of users"
        case b.RolloutOutcome():
            return f"step {body.step} {body.result}: {body.sentence}"
        case b.RolloutTraffic():
            return f"step {body.step} {_words(body.basis)} in traffic: {body.sentence}"
        case b.RolloutPromoted():
            return f"step {body.step} shown to be healthy: {body.sentence}"
        case b.RolloutHeld():
            return f"step {body.step} held: {body.sentence}"
        case b.RolloutEnded():
            return f"{body.kind} {_words(body.outcome)}: {body.sentence}"
        case b.RolloutScheduled() | b.RolloutSkipped():
            return body.sentence
        case b.PlanMade():
            return f"plan {_short(body.plan_digest)}"
        case b.StageIntent():
            share = format_percent(body.desired.candidate_bp)
            what = f"{body.member}, " if body.member else ""
            return f"stage {body.stage}: about to set {what}the candidate to {share} of users"
        case b.StageOutcome():
            return f"stage {body.stage} {body.result}: {body.sentence}"
        case b.StageState():
            return f"stage {body.stage} {body.state}: {body.sentence}"
        case b.CheckDone():
            what = f"{body.member}, " if body.member else ""
            return f"{what}{_words(body.name)} {body.word}: {body.sentence}"
        case b.CommsSent():
            return f"{body.audience}: {body.subject}"
        case b.CommsFailed():
            return f"could not tell {', '.join(body.audiences)} about {_words(body.step)}: {body.why}"
        case b.CommsCorrected():
            return f"{'corrected' if body.what else 'withdrawn'} for {body.audience}: {body.subject}"
        case b.UpdatePromised() | b.UpdateOverdue():
            word = "promised" if isinstance(body, b.UpdatePromised) else "overdue"
            return f"{body.audience}: next update {word}, by {utc(body.until)}"
        case b.UpdateKept():
            return f"{body.audience}: the promised update came"
        case b.ReleaseClosed():
            return body.why
        case b.BundleDescribed():
            return f"{body.by} described {body.name} (bundle {_short(body.bundle_digest)})"
        case b.VersionQuarantined():
            parts = spoken(tuple(map(_words, body.members)))
            return f"{body.name} is in quarantine in {body.environment}, with its {parts}"
        case b.RequarantineBreach() | b.GuardState() | b.VersionMarked() | b.DestinationChecked():
            return body.sentence
        case _:
            return _of_people(body)


def _of_people(body: b.Body) -> str:
    match body:
        case b.AskOpened():
            return f"{body.ask_id}: {body.need_people} people of {spoken(body.asked)}"
        case b.AskRung():
            return f"{body.ask_id}: {body.do} {', '.join(map(_words, body.to))}"
        case b.AskExtended():
            return f"{body.ask_id}: {body.name} took more time"
        case b.AskAcknowledged():
            return f"{body.ask_id}: {body.name} is looking at it"
        case b.AskSentTo():
            return f"{body.ask_id}: {body.name} {'only finds it listed' if body.lane == 'batch' else 'was called'}"
        case b.AskVote():
            return f"{body.name}: {body.vote} ({body.have} of {body.need}) {body.reason}"
        case b.AskClosed():
            return f"{body.ask_id} {body.status}: {body.because}"
        case b.DecisionMade():
            decision = body.decision
            return f"{_words(decision.kind.value)} signed by {decision.actor.printed_name}: {decision.reason}"
        case b.DecisionRefused():
            return f"{_words(body.decision_kind)} by {body.subject} refused ({_words(body.code)}): {body.detail}"
        case b.ConsentOpened():
            return f"{body.consent_id}: {body.subject}"
        case b.ConsentVote():
            return f"{body.name}: {body.vote} ({body.have} of {body.need}) {body.reason}"
        case b.ConsentOverdue():
            return f"{body.consent_id}: overdue, reminder {body.number}"
        case b.ConsentClosed():
            return f"{body.consent_id} {body.status}: {body.because}"
        case b.StandingIssued():
            return f"standing authorisation {body.authorisation['authorisation_id']} issued"
        case b.StandingRevoked():
            return f"standing authorisation {body.authorisation_id} revoked by {body.name}: {body.reason}"
        case b.ReleaseRefused():
            return f"{body.release_id} was not registered: {body.because}"
        case b.VersionDenied():
            until = f" until {utc(body.not_after)}" if body.not_after else ""
            return f"{_short(body.digest)} denied in {body.environment}{until} by {body.name}: {body.reason}"
        case b.VersionAllowed():
            return f"{_short(body.digest)} allowed again in {body.environment} ({body.consent_id})"
        case b.QuarantineLifted():
            return f"{_short(body.digest)} is out of the quarantine of {body.by_incident} in {body.environment}"
        case b.ConcernRaised():
            return f"{body.name} raised a concern ({body.severity}): {body.reason}"
        case b.GlassBroken():
            return f"{body.name} broke the glass ({_words(body.emergency)}): {body.sentence}"
        case b.ReviewDrafted():
            return f"draft for {_words(body.owner)}"
        case b.ReviewClosed():
            return f"{body.outcome} by {spoken(body.by)}"
        case _:
            raise TypeError(f"{type(body).__name__} has no summary; add one here")


def _words(identifier: str) -> str:
    return identifier.replace("_", " ")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]

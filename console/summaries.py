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
        case b.KeyAdded():
            made = "made at the first start" if body.key_origin == "auto" else "provided"
            return f"{body.purpose} key {body.key_id}, {made}"
        case b.KeyRotated():
            return f"{body.purpose} key {body.key_id} took over from {body.old_key_id}; both signed it"
        case b.CheckpointExternal():
            return f"{body.place} holds the checkpoint of {body.tree_size} records"
        case b.CheckpointForked():
            return body.sentence
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
        case b.IncidentUnattended():
            return body.sentence
        case b.InvestigationOpened():
            return f"{body.investigation_id}: {spoken(body.asked) or 'nobody'} asked. {'; '.join(body.because)}"
        case b.SlicesMeasured():
            lacking = f"; no data of {spoken(body.lacking)}" if body.lacking else ""
            return f"{len(body.slices)} shares by group from {body.rows} blocks{lacking}"
        case b.InclusiveRun():
            said = f"{body.name} reports a run of test set {_words(body.test_set)}"
            return f"{said}: {body.passed:,} of {body.scored:,} outputs passed in {len(body.groups)} groups"
        case b.InvestigationRung() | b.InvestigationOverridden() | b.InvestigationEnded():
            return f"{body.investigation_id}: {body.sentence}"
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
        case b.RehearsalFinished():
            return f"rehearsal {body.scenario!r} ({body.mode}): {body.held} lines held, {body.failed} failed"
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
        case b.TemplatesRead():
            others = f"; other than before: {', '.join(body.changed)}" if body.changed else ""
            return f"a worker began with {len(body.files)} templates, {_short(body.digest)}{others}"
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
        case b.CadencePlanned():
            return f"{_words(body.duty)} is due every {body.every_s // 3600} hours"
        case b.CadenceOpened():
            asked = f"{spoken(body.asks)} until {utc(body.deadline)}"
            return f"{_words(body.duty)}{_about(body.subject)} is asked of {asked}"
        case b.CadenceMoved() | b.CadenceMissed():
            return f"{_words(body.duty)}{_about(body.subject)}: {body.sentence}"
        case b.CadenceDone():
            return f"{_words(body.duty)}{_about(body.subject)} {body.result}: {body.sentence}"
        case b.CadenceSkipped():
            return f"{body.name} left out {_words(body.duty)}{_about(body.subject)}: {body.reason}"
        case b.LessonWritten():
            return f"{body.name} wrote lesson {body.lesson_id}: {body.title}"
        case b.LessonSeen():
            word = "applies" if body.applies else "does not apply"
            return f"{body.name} says that lesson {body.lesson_id} {word} to {_words(body.place)} {body.about[:20]}"
        case b.LessonUsed():
            return f"{body.name} made lesson {body.lesson_id} into a {_words(body.use)}"
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
        case b.InvestigationFilled():
            left = f"; still empty: {spoken(tuple(map(_words, body.missing)))}" if body.missing else "; complete"
            return f"{body.investigation_id}: {body.name} filled in the form{left}"
        case b.InvestigationFound():
            more = f" (also has to sign: {spoken(body.missing)})" if body.missing else ""
            return f"{body.investigation_id}: {body.name} found {_words(body.outcome)}{more}. {body.reason}"
        case b.HoldPlaced():
            return f"{body.hold_id}: legal hold placed by {body.name}: {body.reason}"
        case b.HoldReleased():
            return f"{body.hold_id}: legal hold released ({body.consent_id})"
        case b.PurgeCertificate():
            return f"{body.count} {body.what} of class {_words(body.class_id)} deleted; {body.held} kept under a hold"
        case b.ErasureDone():
            return f"{body.count} texts of {body.subject} erased: {body.reason}"
        case b.ErasureRefused():
            return f"erasure for {body.subject} refused: {body.basis} Look again on {utc(body.recheck_on)}"
        case b.ProfileDeclared():
            return f"the organisation profile says something new about {spoken(body.changed) or 'nothing'}"
        case b.ObligationDataset():
            changed = f"{len(body.rows_changed)} differ from those of the product: {spoken(body.rows_changed)}"
            own = changed if body.rows_changed else "as they come with the product"
            return f"clocks use the rows {body.name} version {body.version} of {body.as_of}, {own}"
        case b.ObligationFact():
            return f"{body.name} stated about this incident: {_words(body.path)} = {body.value}"
        case b.ObligationAnchor():
            return (
                f"{body.name} recorded when it happened: {_words(body.event)}, {utc(body.at) if body.at else body.on}"
            )
        case b.ObligationClock():
            return f"{body.row_id} is due {utc(body.due)}, counted from {_words(body.anchor_event)}"
        case b.ObligationWarned():
            return f"{body.row_id}: {body.sentence}"
        case b.ObligationAcknowledged():
            return f"{body.name} looks after {body.row_id}"
        case b.ObligationOverdue():
            return f"{body.row_id} was due {utc(body.due)}, and no report is recorded{body.unless}"
        case b.ObligationFiled():
            how = f"{' partly' if body.partial else ''}{' and late' if body.late else ''}"
            return f"{body.name} recorded that {body.row_id} was reported{how}: {body.channel}, {body.reference}"
        case b.ObligationSetAside():
            return f"{body.name} decided not to report under {body.row_id}: {body.reasoning}"
        case b.ObligationOpened():
            return f"{body.name} opened {body.row_id} although the profile says no: {body.reasoning}"
        case b.ObligationTolled():
            return f"{body.name} recorded a delay of {body.row_id} by {body.authority}: {body.reasoning}"
        case b.ObligationDecided():
            return f"{body.name} decided on {_words(body.regime)}: reportable {body.reportable}. {body.reasoning}"
        case b.ObligationClosed():
            return body.sentence
        case b.PlaybookAdopted():
            return f"playbook {body.name} version {body.version} adopted by {spoken(body.signers)} ({body.change})"
        case b.ThresholdAdopted():
            return (
                f"{body.playbook}{body.path}: {body.before or 'nothing'} → {body.after or 'nothing'} ({body.direction})"
            )
        case b.ThresholdProposed():
            return f"{body.proposal_id}: version {body.proposed_version} of {body.playbook} is proposed ({body.change})"
        case b.ThresholdJudged():
            stops = f"; stops: {'; '.join(body.stops)}" if body.stops else ""
            return f"{body.proposal_id}: backtest {_short(body.backtest)} on {body.incidents} incidents{stops}"
        case b.ThresholdWaived():
            return f"{body.proposal_id}: {body.name} accepts {_words(body.waives)}: {body.reason}"
        case b.ThresholdReviewed():
            return f"{body.name} leaves the thresholds of {body.playbook} until {utc(body.review_on)}: {body.reason}"
        case b.ThresholdShadow() | b.ThresholdPhase() | b.ThresholdCompared():
            return f"{body.proposal_id}: {body.sentence}"
        case b.ThresholdEnded():
            return f"{body.proposal_id} {body.outcome}: {body.sentence}"
        case b.EpisodeLabelled():
            return f"{body.name} labelled {body.episode_id} as {_words(body.word)} (label {body.version}). {body.note}"
        case b.ReviewDrafted():
            return f"draft for {_words(body.owner)}"
        case b.ReviewPart():
            named = f" ({spoken((*body.factors, *body.others))})" if body.factors or body.others else ""
            return f"{body.name} wrote “{_words(body.part)}” of the review{named}"
        case b.ReviewSigned():
            return f"{body.name} signed the review; it may be shown to: {body.publication}"
        case b.ReviewEscalated() | b.ActionEscalated():
            return body.sentence
        case b.ActionOpened():
            return f"{body.name} opened {body.action_id} for {body.owner_name}, due {utc(body.due)}: {_line(body.what)}"
        case b.ActionChanged():
            word = "done, to be verified" if body.done else "open"
            return f"{body.action_id} is {word}, with {body.owner_name}, due {utc(body.due)}: {_line(body.reason)}"
        case b.ActionVerified():
            return f"{body.name} verified {body.action_id}: {_line(body.result) or _short(body.result_sha256 or '')}"
        case b.ActionDropped():
            return f"{body.name} dropped {body.action_id}: {_line(body.reason)}"
        case b.ActionReopened():
            again = spoken((*body.factors, *body.others))
            return f"{body.action_id} is open again: {again} came again in {body.by_incident}"
        case b.EvidenceSealed():
            what = body.scope["incident_id"] or f"records {body.scope['first_seq']} to {body.scope['last_seq']}"
            return f"{body.profile} pack of {what} sealed: manifest {_short(body.manifest_sha256)}"
        case b.EvidenceReleased():
            return f"{body.name} had an unredacted pack made, manifest {_short(body.manifest_sha256)}. {body.reason}"
        case b.EvidenceDownloaded():
            return f"{body.name} took a copy of the {body.profile} pack {_short(body.manifest_sha256)}"
        case b.PopulationReconciled():
            agree = "agree" if body.clean else "do not all agree with the ledger, or could not be compared"
            return f"change logs of {len(body.result['members'])} members of targets {agree}"
        case b.ReviewClosed():
            why = f": {_line(body.reason)}" if body.reason else ""
            return f"{body.outcome} by {spoken(body.by)}{why}"
        case _:
            raise TypeError(f"{type(body).__name__} has no summary; add one here")


def _line(text: str) -> str:
    return " ".join(text.split())


def _words(identifier: str) -> str:
    return identifier.replace("_", " ")


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:12]


def _about(subject: str) -> str:
    return f" of {subject}" if subject else ""

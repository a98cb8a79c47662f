"""Append records to the Ledger."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.evidence_ports import Heads, NoCheckpoints, checkpoint_soon
from activities.ports import Ledger, LedgerConflict
from countermand.canonical import NotCanonical
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import (
    BODIES,
    Body,
    CheckDone,
    DecisionMade,
    InvestigationFilled,
    InvestigationFound,
)
from countermand.ledger.record import Entry, Kind, LineTooLong
from countermand.plan.target import CheckResult, CheckWord, Value

#: What proofs rest on and no workflow writes: only the activity that did it says so, or the console that heard it.
DONE_ELSEWHERE = frozenset(
    {
        *(Kind.release_registered, Kind.decision, Kind.plan, Kind.ask_opened, Kind.freeze_completed),
        *(Kind.gate_decided, Kind.ask_defaulted, Kind.glass_broken, Kind.stage_intent, Kind.stage_outcome),
        *(Kind.rollout_planned, Kind.rollout_intent, Kind.rollout_outcome, Kind.rollout_promoted, Kind.rollout_ended),
        *(Kind.rollout_traffic, Kind.rollout_scheduled, Kind.incident_unattended, Kind.slices_measured),
        *(Kind.profile_declared, Kind.obligation_fact, Kind.obligation_anchor, Kind.obligation_clock),
        *(Kind.obligation_warned, Kind.obligation_overdue, Kind.obligation_filed, Kind.obligation_set_aside),
        *(Kind.obligation_opened, Kind.obligation_tolled, Kind.obligation_decided, Kind.obligation_closed),
        *(Kind.obligation_dataset, Kind.obligation_acknowledged),
        *(Kind.hold_placed, Kind.hold_released, Kind.purge_certificate, Kind.erasure_done, Kind.erasure_refused),
        *(Kind.key_added, Kind.key_rotated, Kind.checkpoint_external, Kind.checkpoint_forked, Kind.templates_read),
        *(Kind.evidence_sealed, Kind.evidence_released, Kind.evidence_downloaded, Kind.population_reconciled),
        *(Kind.threshold_proposed, Kind.threshold_judged, Kind.threshold_waived, Kind.threshold_shadow),
        *(Kind.threshold_compared, Kind.threshold_reviewed),
        *(Kind.playbook_adopted, Kind.threshold_adopted, Kind.genesis, Kind.selfcheck, Kind.bundle_described),
        *(Kind.episode_labelled, Kind.inclusive_run),
        *(Kind.decision_refused, Kind.release_refused, Kind.release_closed, Kind.concern_raised, Kind.ask_acknowledged),
        *(Kind.comms_sent, Kind.comms_corrected, Kind.update_promised, Kind.update_kept, Kind.ask_sent),
        *(
            Kind.freeze_incomplete,
            Kind.check_result,
            Kind.destination_checked,
            Kind.version_marked,
            Kind.review_drafted,
        ),
        *(Kind.review_part, Kind.review_signed, Kind.review_escalated, Kind.review_closed, Kind.action_opened),
        *(Kind.action_changed, Kind.action_verified, Kind.action_dropped, Kind.action_escalated, Kind.action_reopened),
        *(Kind.version_denied, Kind.version_quarantined, Kind.standing_revoked, Kind.rehearsal_passed),
        Kind.rehearsal_finished,
        *(Kind.cadence_planned, Kind.cadence_opened, Kind.cadence_moved, Kind.cadence_done, Kind.cadence_skipped),
        *(Kind.cadence_missed, Kind.lesson_written, Kind.lesson_seen, Kind.lesson_used),
    }
)


class RecordRequest(Value):
    """Entries that go into the Ledger together; none only asks how far it goes."""

    entries: tuple[Entry, ...] = ()


class Recorded(Value):
    """The newest sequence number of what was appended, or of the whole Ledger when nothing was."""

    seq: int


class RecordingActivities:
    """Ports: Ledger, Heads."""

    def __init__(self, ledger: Ledger, heads: Heads | None = None) -> None:
        self._ledger = ledger
        self._heads = heads or NoCheckpoints()

    @activity.defn(name="record")
    async def record(self, request: RecordRequest) -> Recorded:
        """Append idempotently. A conflict, an entry without canonical form, or one that is not a workflow's to write,
        is a bug or a forgery, never retried."""
        for entry in request.entries:
            if entry.kind in DONE_ELSEWHERE:
                raise ApplicationError(f"{entry.kind.value!r} is not a workflow's to record", non_retryable=True)
            await self._refuse_unsigned(entry, _readable(entry))
        if not request.entries:
            return Recorded(seq=await self._ledger.head())
        try:
            records = await self._ledger.append(*request.entries)
        except (LedgerConflict, NotCanonical, LineTooLong) as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        if any(entry.kind is Kind.incident_closed for entry in request.entries):
            await checkpoint_soon(self._heads)
        return Recorded(seq=max(record.seq for record in records))

    async def _refuse_unsigned(self, entry: Entry, body: Body) -> None:
        """What a workflow says that somebody filled in or found is what that person signed at the console."""
        if not isinstance(body, InvestigationFilled | InvestigationFound):
            return
        known = await self._ledger.find(f"decision/{body.decision_id}")
        signed = DecisionMade.model_validate(known.body).decision if known is not None else None
        kind, found = DecisionKind.fill_investigation, ""
        if isinstance(body, InvestigationFound):
            kind, found = DecisionKind.decide_finding, body.outcome
        said = (kind, entry.incident_id, body.subject, found)
        if signed is None or said != (
            *(signed.kind, signed.incident_id, signed.actor.subject, signed.terms.get("outcome", "")),
        ):
            raise ApplicationError(
                f"{entry.kind.value!r} names decision {body.decision_id!r}, which does not say this", non_retryable=True
            )


def _readable(entry: Entry) -> Body:
    """A line is there for ever, and whoever folds the record reads it: one that nobody can read stops them all."""
    try:
        return BODIES[entry.kind].model_validate(entry.body)
    except (KeyError, ValidationError) as error:
        raise ApplicationError(f"{entry.kind.value!r} does not look like this: {error}", non_retryable=True) from error


class Checked(Value):
    """Results of a group of checks. Only `pass` everywhere lets a rollback go on.

    unseen: set where the playbook takes it that something is configured and nobody can see it in traffic: says so.
    """

    results: tuple[CheckResult, ...]
    unseen: str = ""

    @property
    def passed(self) -> bool:
        return bool(self.results) and (bool(self.unseen) or all(one.word is CheckWord.passed for one in self.results))

    @property
    def sentence(self) -> str:
        """Why not, in words; empty when all passed."""
        return " ".join(
            f"{result.name.replace('_', ' ')}: {result.sentence}"
            for result in self.results
            if result.word is not CheckWord.passed
        )


async def keep_checks(ledger: Ledger, checks: Mapping[str, CheckDone], *, incident_id: str, release_id: str) -> Checked:
    """Record check results by idempotency key; a repeated run answers with what was recorded first."""
    entries, kept = [], []
    for key, body in checks.items():
        known = await ledger.find(key)
        if known is None:
            entries.append(body.entry(key, "worker", incident_id=incident_id, release_id=release_id))
        else:
            body = CheckDone.model_validate(known.body)
        kept.append(CheckResult(name=body.name, word=CheckWord(body.word), sentence=body.sentence))
    if entries:
        await ledger.append(*entries)
    return Checked(results=tuple(kept))

"""Append records to the Ledger."""

from __future__ import annotations

from collections.abc import Mapping

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import Ledger, LedgerConflict
from countermand.canonical import NotCanonical
from countermand.ledger.bodies import CheckDone
from countermand.ledger.record import Entry, Kind, LineTooLong
from countermand.plan.target import CheckResult, CheckWord, Value

#: What proofs rest on and no workflow writes: only the activity that did it says so, or the console that heard it.
DONE_ELSEWHERE = frozenset(
    {
        *(Kind.release_registered, Kind.decision, Kind.plan, Kind.ask_opened, Kind.freeze_completed),
        *(Kind.gate_decided, Kind.ask_defaulted, Kind.glass_broken, Kind.stage_intent, Kind.stage_outcome),
        *(Kind.rollout_planned, Kind.rollout_intent, Kind.rollout_outcome, Kind.rollout_promoted, Kind.rollout_ended),
        *(Kind.rollout_traffic, Kind.rollout_scheduled),
        *(Kind.version_denied, Kind.version_quarantined, Kind.standing_revoked, Kind.rehearsal_passed),
    }
)


class RecordRequest(Value):
    """Entries that go into the Ledger together; none only asks how far it goes."""

    entries: tuple[Entry, ...] = ()


class Recorded(Value):
    """The newest sequence number of what was appended, or of the whole Ledger when nothing was."""

    seq: int


class RecordingActivities:
    """Port: Ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    @activity.defn(name="record")
    async def record(self, request: RecordRequest) -> Recorded:
        """Append idempotently. A conflict, an entry without canonical form, or one that is not a workflow's to write,
        is a bug or a forgery, never retried."""
        for entry in request.entries:
            if entry.kind in DONE_ELSEWHERE:
                raise ApplicationError(f"{entry.kind.value!r} is not a workflow's to record", non_retryable=True)
        if not request.entries:
            return Recorded(seq=await self._ledger.head())
        try:
            records = await self._ledger.append(*request.entries)
        except (LedgerConflict, NotCanonical, LineTooLong) as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error
        return Recorded(seq=max(record.seq for record in records))


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

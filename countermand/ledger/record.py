"""Record format `countermand.record/v1` and the hash chain (evidence.md EVD-1…EVD-5).

One record is one line of canonical bytes. `hash` = sha256(line); the next line carries it as `prev`, so a
link can be checked with `sha256sum` and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from countermand.canonical import canonical, instant, parse_instant

SCHEMA = "countermand.record/v1"
GENESIS_PREV = "0" * 64
MAX_LINE = 64 * 1024


class Kind(StrEnum):
    """The closed set of record kinds in use; a new kind is a change of the public contract."""

    genesis = "genesis"
    selfcheck = "selfcheck"
    key_added = "key.added"
    key_rotated = "key.rotated"
    checkpoint_external = "checkpoint.external"
    checkpoint_forked = "checkpoint.forked"
    release_registered = "release.registered"
    release_closed = "release.closed"
    bundle_described = "bundle.described"
    release_refused = "release.refused"
    verdict = "verdict"
    rollout_planned = "rollout.planned"
    rollout_intent = "rollout.intent"
    rollout_outcome = "rollout.outcome"
    rollout_traffic = "rollout.traffic"
    rollout_promoted = "rollout.promoted"
    rollout_held = "rollout.held"
    rollout_ended = "rollout.ended"
    rollout_scheduled = "rollout.scheduled"
    rollout_skipped = "rollout.skipped"
    incident_opened = "incident.opened"
    incident_phase = "incident.phase"
    incident_closed = "incident.closed"
    incident_unattended = "incident.unattended"
    investigation_opened = "investigation.opened"
    investigation_filled = "investigation.filled"
    investigation_rung = "investigation.rung"
    investigation_found = "investigation.found"
    investigation_overridden = "investigation.overridden"
    investigation_ended = "investigation.ended"
    slices_measured = "slices.measured"
    freeze_completed = "freeze.completed"
    freeze_failed = "freeze.failed"
    freeze_incomplete = "freeze.incomplete"
    freeze_waived = "freeze.waived"
    plan = "plan"
    ask_opened = "ask.opened"
    ask_rung = "ask.rung"
    ask_acknowledged = "ask.acknowledged"
    ask_extended = "ask.extended"
    ask_vote = "ask.vote"
    ask_closed = "ask.closed"
    decision = "decision"
    decision_refused = "decision.refused"
    stage_intent = "stage.intent"
    stage_outcome = "stage.outcome"
    stage_state = "stage.state"
    check_result = "check.result"
    templates_read = "templates.read"
    comms_sent = "comms.sent"
    comms_failed = "comms.failed"
    comms_corrected = "comms.corrected"
    review_drafted = "review.drafted"
    review_closed = "review.closed"
    review_part = "review.part"
    review_signed = "review.signed"
    review_escalated = "review.escalated"
    action_opened = "action.opened"
    action_changed = "action.changed"
    action_verified = "action.verified"
    action_dropped = "action.dropped"
    action_escalated = "action.escalated"
    action_reopened = "action.reopened"
    lesson_written = "lesson.written"
    lesson_seen = "lesson.seen"
    lesson_used = "lesson.used"
    cadence_planned = "cadence.planned"
    cadence_opened = "cadence.opened"
    cadence_moved = "cadence.moved"
    cadence_done = "cadence.done"
    cadence_skipped = "cadence.skipped"
    cadence_missed = "cadence.missed"
    profile_declared = "profile.declared"
    obligation_dataset = "obligation.dataset"
    obligation_fact = "obligation.fact"
    obligation_anchor = "obligation.anchor"
    obligation_clock = "obligation.clock"
    obligation_warned = "obligation.warned"
    obligation_acknowledged = "obligation.acknowledged"
    obligation_overdue = "obligation.overdue"
    obligation_filed = "obligation.filed"
    obligation_set_aside = "obligation.set_aside"
    obligation_opened = "obligation.opened"
    obligation_tolled = "obligation.tolled"
    obligation_decided = "obligation.decided"
    obligation_closed = "obligation.closed"
    evidence_sealed = "evidence.sealed"
    evidence_released = "evidence.released"
    evidence_downloaded = "evidence.downloaded"
    population_reconciled = "population.reconciled"
    update_promised = "update.promised"
    update_kept = "update.kept"
    update_overdue = "update.overdue"
    consent_opened = "consent.opened"
    consent_vote = "consent.vote"
    consent_overdue = "consent.overdue"
    consent_closed = "consent.closed"
    standing_issued = "standing.issued"
    standing_revoked = "standing.revoked"
    concern_raised = "concern.raised"
    freeze_started = "freeze.started"
    glass_broken = "glass.broken"
    gate_decided = "gate.decided"
    ask_defaulted = "ask.defaulted"
    rehearsal_passed = "rehearsal.passed"
    rehearsal_finished = "rehearsal.finished"
    playbook_adopted = "playbook.adopted"
    threshold_adopted = "threshold.adopted"
    threshold_proposed = "threshold.proposed"
    threshold_judged = "threshold.judged"
    threshold_waived = "threshold.waived"
    threshold_shadow = "threshold.shadow"
    threshold_phase = "threshold.phase"
    threshold_compared = "threshold.compared"
    threshold_reviewed = "threshold.reviewed"
    threshold_ended = "threshold.ended"
    episode_labelled = "episode.labelled"
    inclusive_run = "inclusive.run"
    ask_sent = "ask.sent"
    version_denied = "version.denied"
    version_allowed = "version.allowed"
    version_quarantined = "version.quarantined"
    quarantine_lifted = "quarantine.lifted"
    requarantine_breach = "requarantine.breach"
    guard_state = "guard.state"
    version_marked = "version.marked"
    destination_checked = "destination.checked"
    hold_placed = "hold.placed"
    hold_released = "hold.released"
    purge_certificate = "purge.certificate"
    erasure_done = "erasure.done"
    erasure_refused = "erasure.refused"


class Entry(BaseModel):
    """What a caller asks to append. `idem_key` makes the append idempotent (STO-8).

    private: JSON pointers into the body to what people typed, each with its salt (64 hex digits) or "" = draw one; the
    line gets commitments instead (EVD-26). author: whose words they are; None: the actor's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    idem_key: str
    actor: str
    body: dict[str, Any]
    incident_id: str | None = None
    release_id: str | None = None
    private: dict[str, str] = Field(default_factory=dict)
    author: str | None = None


class Record(BaseModel):
    """One appended record, parsed from its line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: str
    seq: int
    at: datetime
    kind: Kind
    actor: str
    incident_id: str | None
    release_id: str | None
    idem_key: str
    body: dict[str, Any]
    prev: str
    rehearsal: bool = False
    line: str

    @property
    def hash(self) -> str:
        return line_hash(self.line)


class ChainBroken(ValueError):
    """The first place where the chain does not hold."""

    def __init__(self, seq: int, why: str) -> None:
        super().__init__(f"record {seq}: {why}")
        self.seq = seq
        self.why = why


class LineTooLong(ValueError):
    """A record over 64 KiB; larger content goes to an evidence blob by digest (STO-9)."""


def line_hash(line: str) -> str:
    """sha256 of the line's bytes, hex."""
    return hashlib.sha256(line.encode()).hexdigest()


def build_line(entry: Entry, *, seq: int, prev: str, at: datetime, rehearsal: bool = False) -> str:
    """The canonical line of an entry. Raises NotCanonical or LineTooLong; nothing is coerced.

    rehearsal: it says so in the hashed bytes, for good (EVD-6).
    """
    line = canonical(
        ({"rehearsal": True} if rehearsal else {})
        | {
            "schema": SCHEMA,
            "seq": seq,
            "at": instant(at),
            "kind": entry.kind.value,
            "actor": entry.actor,
            "incident_id": entry.incident_id,
            "release_id": entry.release_id,
            "idem_key": entry.idem_key,
            "body": entry.body,
            "prev": prev,
        }
    )
    if len(line) > MAX_LINE:
        raise LineTooLong(f"{entry.kind.value} {entry.idem_key!r}: {len(line)} bytes, at most {MAX_LINE} are accepted")
    return line.decode()


def parse_line(line: str) -> Record:
    """Parse one stored line. Raises ValueError on anything that is not a record of this schema."""
    fields = json.loads(line)
    fields["schema_"] = fields.pop("schema")
    fields["at"] = parse_instant(fields["at"])
    return Record(**fields, line=line)


def verify_chain(lines: Iterable[str], *, first_seq: int = 0, prev: str = GENESIS_PREV) -> tuple[int, str]:
    """Check canonical form, `seq` without gaps and `prev` links; return (count, head hash).

    Raises ChainBroken at the first bad record.
    """
    count = 0
    for expected, line in enumerate(lines, start=first_seq):
        try:
            fields = json.loads(line)
            if canonical(fields).decode() != line:
                raise ChainBroken(expected, "the line is not in canonical form")
            record = parse_line(line)
        except (ValueError, KeyError, TypeError) as error:
            if isinstance(error, ChainBroken):
                raise
            raise ChainBroken(expected, f"not a readable record ({error})") from error
        if record.schema_ != SCHEMA:
            raise ChainBroken(expected, f"schema {record.schema_!r} instead of {SCHEMA!r}")
        if record.seq != expected:
            raise ChainBroken(expected, f"seq {record.seq} instead of {expected}: a record is missing or out of order")
        if record.prev != prev:
            raise ChainBroken(
                expected,
                f"prev {record.prev[:12]}… instead of {prev[:12]}…: this record or the one before was changed",
            )
        prev = line_hash(line)
        count += 1
    return count, prev

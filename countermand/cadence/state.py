"""When each duty was done last, when it is due, and what is overdue: folded from the records alone (LRN §4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

from countermand.cadence.duty import Duty
from countermand.ledger.bodies import (
    CadenceDone,
    CadenceMissed,
    CadenceMoved,
    CadenceOpened,
    CadencePlanned,
    CadenceSkipped,
    RehearsalPassed,
    ReleaseClosed,
    ReleaseRegistered,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value

#: The kinds of record that `states` reads.
KINDS = (
    *(Kind.cadence_planned, Kind.cadence_opened, Kind.cadence_moved, Kind.cadence_done, Kind.cadence_skipped),
    *(Kind.cadence_missed, Kind.rehearsal_passed, Kind.release_registered, Kind.release_closed),
)
#: A rehearsal that passed is this duty done, whoever began it.
REHEARSAL = "rehearsal"

#: Runs that a state carries for people to see.
MOST_SHOWN = 30

Word = Literal["unknown", "overdue", "asked", "due", "skipped", "coming", "on_time"]
#: What people have to look at first.
ORDER: tuple[Word, ...] = ("overdue", "unknown", "asked", "due", "skipped", "coming", "on_time")


class Subject(Value):
    """A playbook in use, with the digests of its versions."""

    name: str
    digests: frozenset[str]


class Happened(Value):
    """One run that is over. what: as its record says."""

    what: Literal["clean", "findings", "unknown", "done", "skipped", "missed"]
    at: datetime
    seq: int
    sentence: str
    findings: int = 0
    minutes: int = 0
    seconds: int = 0


class Asked(Value):
    """A run in which people are asked now."""

    workflow_id: str
    asks: tuple[str, ...]
    deadline: datetime
    at: datetime
    seq: int
    times: int = 0
    escalated: bool = False


class DutyState(Value):
    """One duty as it stands. since: when it was planned first; None: nothing plans it.

    due: when it is to be done next; None while nothing plans it. runs: how many runs are over, whatever became of them;
    history: the newest of them, oldest first.
    released_at: when a release was closed after which it is due, if none followed yet.
    """

    duty: Duty
    subject: str
    word: Word
    since: datetime | None
    last: Happened | None
    newest: Happened | None
    asked: Asked | None
    due: datetime | None
    released_at: datetime | None
    runs: int
    history: tuple[Happened, ...] = ()

    @property
    def title(self) -> str:
        """For example `Threshold review, support-assistant`."""
        return f"{self.duty.title}, {self.subject}" if self.subject else self.duty.title

    @property
    def consequence(self) -> str:
        """What follows while it is not done; empty while it is on time."""
        return "" if self.word in ("on_time", "coming") else self.duty.if_missed


class _Fold:
    """What the records say about one duty and one subject."""

    def __init__(self) -> None:
        self.over: list[Happened] = []
        self.asked: Asked | None = None
        self.released_at: datetime | None = None


def states(
    duties: Sequence[Duty], records: Iterable[Record], subjects: Sequence[Subject], now: datetime
) -> tuple[DutyState, ...]:
    """Every duty, for each playbook where it has one for each; what is overdue first.

    records: of `KINDS`, in order. subjects: the playbooks in use.
    """
    known = {digest: subject.name for subject in subjects for digest in subject.digests}
    folds: dict[tuple[str, str], _Fold] = {}
    since: dict[str, datetime] = {}
    first: dict[str, datetime] = {}
    playbook_of: dict[str | None, str] = {}

    def fold(duty: str, subject: str) -> _Fold:
        return folds.setdefault((duty, subject), _Fold())

    for record in records:
        match parse_body(record):
            case CadencePlanned() as body:
                since.setdefault(body.duty, record.at)
            case CadenceOpened() as body:
                fold(body.duty, body.subject).asked = Asked(
                    workflow_id=body.workflow_id,
                    asks=body.asks,
                    deadline=body.deadline,
                    at=record.at,
                    seq=record.seq,
                )
            case CadenceMoved() as body:
                found = fold(body.duty, body.subject)
                if found.asked is not None:
                    changed = body.model_dump(include={"times", "escalated", "asks", "deadline"})
                    found.asked = found.asked.model_copy(update=changed)
            case CadenceDone() | CadenceSkipped() | CadenceMissed() as body:
                found = fold(body.duty, body.subject)
                found.over.append(_happened(record, body))
                found.released_at = None if isinstance(body, CadenceDone) else found.released_at
                if found.asked is not None and found.asked.workflow_id == body.workflow_id:
                    found.asked = None
            case RehearsalPassed() as body if body.playbook_digest in known:
                passed = Happened(
                    what="done", at=record.at, seq=record.seq, sentence=f"Scenario {body.scenario!r} passed."
                )
                fold(REHEARSAL, known[body.playbook_digest]).over.append(passed)
            case ReleaseRegistered() as body if body.playbook_digest in known:
                playbook_of[record.release_id] = known[body.playbook_digest]
                first.setdefault(known[body.playbook_digest], record.at)
            case ReleaseClosed() if record.release_id in playbook_of:
                for duty in duties:
                    if duty.after_release:
                        fold(duty.id, playbook_of[record.release_id]).released_at = record.at
    named = [(duty, name) for duty in duties for name in ([one.name for one in subjects] if duty.per else [""])]
    found_states = [
        _state(duty, name, folds.get((duty.id, name), _Fold()), _begin(duty, name, since, first), now)
        for duty, name in named
    ]
    return tuple(sorted(found_states, key=lambda one: (ORDER.index(one.word), one.due or now, one.title)))


def missed_since(state: DutyState, now: datetime) -> datetime | None:
    """When a run was due that neither took place nor is on record as missed; None when nothing is missing."""
    if state.due is None or state.asked is not None or now <= state.due + state.duty.grace:
        return None
    newest = state.newest
    return None if newest is not None and newest.at >= state.due else state.due


def _begin(duty: Duty, name: str, since: Mapping[str, datetime], first: Mapping[str, datetime]) -> datetime | None:
    """From when on it counts: a playbook has time from its first release on."""
    planned = since.get(duty.id)
    return planned if planned is None or not name else max(planned, first.get(name, planned))


def _state(duty: Duty, name: str, found: _Fold, since: datetime | None, now: datetime) -> DutyState:
    newest = found.over[-1] if found.over else None
    last = next((one for one in reversed(found.over) if one.what not in ("skipped", "missed")), None)
    left_out = next((one for one in reversed(found.over) if one.what == "skipped"), None)
    counted = [one.at for one in (last, left_out) if one is not None] or ([since] if since else [])
    due = max(counted) + duty.every if counted else None
    if due is not None and found.released_at is not None:
        due = min(due, found.released_at)
    return DutyState(
        duty=duty,
        subject=name,
        word=_word(duty, due, last, left_out, found.asked, now),
        since=since,
        last=last,
        newest=newest,
        asked=found.asked,
        due=due,
        released_at=found.released_at,
        runs=len(found.over),
        history=tuple(found.over[-MOST_SHOWN:]),
    )


def _word(
    duty: Duty,
    due: datetime | None,
    last: Happened | None,
    left_out: Happened | None,
    asked: Asked | None,
    now: datetime,
) -> Word:
    if due is None:
        return "unknown"
    if now > due + duty.grace or (asked is not None and asked.escalated):
        return "overdue"
    if asked is not None:
        return "asked"
    if now >= due:
        return "due"
    if left_out is not None and (last is None or left_out.seq > last.seq):
        return "skipped"
    return "on_time" if last is not None else "coming"


def _happened(record: Record, body: CadenceDone | CadenceSkipped | CadenceMissed) -> Happened:
    match body:
        case CadenceDone():
            return Happened(
                what=body.result,
                at=record.at,
                seq=record.seq,
                sentence=body.sentence,
                findings=len(body.findings) + body.left_out,
                minutes=body.minutes,
                seconds=body.seconds,
            )
        case CadenceSkipped():
            return Happened(what="skipped", at=record.at, seq=record.seq, sentence=f"{body.name} left it out.")
        case CadenceMissed():
            return Happened(what="missed", at=record.at, seq=record.seq, sentence=body.sentence)

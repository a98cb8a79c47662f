"""Did every rung of every ladder leave its record? A time limit that nothing enforces is an alarm (GOV-26)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from countermand.ledger.bodies import AskClosed, AskExtended, AskOpened, AskRung, parse_body
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value

#: A rung may be this late: a worker is replaced, a store is slow.
GRACE = timedelta(minutes=1)
#: The records that `overdue_rungs` reads.
KINDS = (Kind.ask_opened, Kind.ask_rung, Kind.ask_extended, Kind.ask_closed)


class Overdue(Value):
    """A rung that was due and left no record. Rungs count from 0, the asking itself."""

    ask_id: str
    rung: int
    due: datetime


def overdue_rungs(records: Iterable[Record], now: datetime) -> tuple[Overdue, ...]:
    """The first overdue rung of each open request, oldest request first.

    A rung with a later one recorded is not missed: a reminder that a later rung overtook is dropped (F2). Requests of
    releases that did not yet record their rungs are passed over.
    """
    due: dict[str, list[datetime]] = {}
    done: dict[str, int] = {}
    for record in records:
        match parse_body(record):
            case AskOpened() as opened:
                due[opened.ask_id] = list(opened.rungs_due)
            case AskRung() as rung:
                done[rung.ask_id] = max(rung.rung, done.get(rung.ask_id, 0))
            case AskExtended() as extended if due.get(extended.ask_id):
                due[extended.ask_id][-1] = extended.until
            case AskClosed() as closed:
                due.pop(closed.ask_id, None)
    late = []
    for ask_id, rungs in due.items():
        missed = next(
            (n for n, at in enumerate(rungs) if n > done.get(ask_id, 0) and at + GRACE <= now),
            None,
        )
        if missed is not None:
            late.append(Overdue(ask_id=ask_id, rung=missed, due=rungs[missed]))
    return tuple(late)

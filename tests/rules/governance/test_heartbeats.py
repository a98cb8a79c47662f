"""GOV-26: an overdue rung without a record is an alarm."""

from __future__ import annotations

from datetime import datetime, timedelta

from countermand.governance.heartbeats import GRACE, overdue_rungs
from countermand.ledger.bodies import AskClosed, AskExtended, AskOpened, AskRung, Body
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from tests.rules.governance.asking import BEGIN, DIGEST

MINUTE = timedelta(minutes=1)
RUNGS = (0, 5, 10, 30)


def opened(ask_id: str = "ask", *, rungs: tuple[int, ...] = RUNGS) -> AskOpened:
    return AskOpened(
        ask_id=ask_id, workflow_id="w", plan_digest=DIGEST, evidence_digest=DIGEST, approval_digest=DIGEST,
        requester="automation", excluded=(), need_roles=("safety_lead",), need_people=1, asked=(), opened_at=BEGIN,
        expires_at=BEGIN + 30 * MINUTE, default="hold", ladder=(), governance_digest=DIGEST, rules="approval/1",
        supersedes=None, rungs_due=tuple(BEGIN + after * MINUTE for after in rungs),
    )  # fmt: skip


def rung(number: int, ask_id: str = "ask") -> AskRung:
    return AskRung(ask_id=ask_id, rung=number, do="remind", to=())


CLOSED = AskClosed(ask_id="ask", status="expired", because="", have=0, need=1)
EXTENDED = AskExtended(
    ask_id="ask", decision_id="d", subject="s", name="n", reason="more time", until=BEGIN + 60 * MINUTE
)


def late(now: datetime, *bodies: Body) -> list[tuple[str, int]]:
    records: list[Record] = []
    for number, body in enumerate(bodies):
        entry = body.entry(f"k-{number}", "worker", incident_id="inc-1")
        records.append(parse_line(build_line(entry, seq=number, prev=GENESIS_PREV, at=BEGIN)))
    return [(one.ask_id, one.rung) for one in overdue_rungs(records, now)]


def test_gov_26_a_rung_without_a_record_is_overdue_after_a_minute_of_grace() -> None:
    due = BEGIN + 5 * MINUTE
    assert late(due + GRACE - timedelta(microseconds=1), opened()) == []
    assert late(due + GRACE, opened()) == [("ask", 1)]
    assert late(due + GRACE, opened(), rung(1)) == []
    assert late(BEGIN + 12 * MINUTE, opened(), rung(1)) == [("ask", 2)]


def test_gov_26_a_reminder_that_a_later_rung_overtook_is_not_missed() -> None:
    assert late(BEGIN + 12 * MINUTE, opened(), rung(2)) == []


def test_gov_26_the_time_limit_itself_is_a_rung_and_an_extension_moves_it() -> None:
    climbed = (opened(), rung(1), rung(2))
    assert late(BEGIN + 31 * MINUTE, *climbed) == [("ask", 3)]
    assert late(BEGIN + 31 * MINUTE, *climbed, EXTENDED) == []
    assert late(BEGIN + 61 * MINUTE, *climbed, EXTENDED) == [("ask", 3)]


def test_gov_26_a_request_that_is_over_owes_nothing_and_each_open_one_is_named_once() -> None:
    later = BEGIN + 90 * MINUTE
    assert late(later, opened(), CLOSED) == []
    assert late(later, opened("first"), opened(), CLOSED, opened("second"), rung(3, "second")) == [("first", 1)]


def test_gov_26_requests_of_before_that_recorded_no_rungs_are_passed_over() -> None:
    assert late(BEGIN + 90 * MINUTE, opened(rungs=())) == []

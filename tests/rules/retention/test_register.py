"""Which holds are in force: what placing and releasing leave behind."""

from __future__ import annotations

from datetime import UTC, datetime

from countermand.ledger.bodies import Body, HoldPlaced, HoldReleased
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from countermand.retention.holding import Scope
from countermand.retention.placing import hold_id
from countermand.retention.register import holds_in_force

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def placed(decision_id: str, *incidents: str) -> HoldPlaced:
    return HoldPlaced(
        hold_id=hold_id(decision_id), scope=Scope(incidents=incidents), reason="a court asks", matter="case 7",
        custodians=(), decision_id=decision_id, subject="local|lena", name="Lena",
    )  # fmt: skip


def records(*bodies: Body) -> list[Record]:
    return [
        parse_line(
            build_line(
                body.entry(f"k/{seq}", "console").model_copy(update={"private": {}}),
                seq=seq, prev=GENESIS_PREV, at=NOW,
            )
        )
        for seq, body in enumerate(bodies)
    ]  # fmt: skip


def test_nobody_ends_a_hold_by_placing_a_narrower_one_under_its_name() -> None:
    wide, narrow = placed("7f3a2c1d-the-court", "inc-1", "inc-2"), placed("7f3a2c1d-mine", "inc-none")
    assert wide.hold_id == narrow.hold_id
    scopes = [hold.scope.incidents for hold in holds_in_force(records(wide, narrow))]
    assert scopes == [("inc-1", "inc-2"), ("inc-none",)]


def test_a_release_ends_the_hold_of_its_name_and_no_other() -> None:
    one, other = placed("aaaaaaaa-1", "inc-1"), placed("bbbbbbbb-1", "inc-2")
    released = HoldReleased(hold_id=one.hold_id, consent_id="c-1")
    assert [hold.hold_id for hold in holds_in_force(records(one, other, released))] == [other.hold_id]

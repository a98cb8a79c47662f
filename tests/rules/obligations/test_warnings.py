"""Who is called by a warning, one more for each that nobody answered; what the organisation's own limits do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.messages.obligation import warning_text
from countermand.obligations.book import Book, Said
from countermand.obligations.clocks import Clock
from countermand.obligations.dataset import shipped
from countermand.obligations.warning import called, due_now, next_look, next_point, own_limits_run
from tests.rules.obligations.books import anchor, at, clock, declared, filing, only

ROW = "nis2-23-4-a"
EVENT = anchor("aware.significant_incident", "2026-11-20 10:00")
STARTED = Book(facts={"significant_incident": True}, anchors=(EVENT,))
PEOPLE = {"compliance_officer": ("Priya",), "incident_commander": ("Jonas",), "executive": ("Amira",)}


def running(book: Book = STARTED, now: str = "2026-11-20 23:00") -> Clock:
    return clock(ROW, only(nis2__entity="essential"), book, now)


def roles(book: Book, holders: dict[str, tuple[str, ...]] = PEOPLE) -> list[str]:
    return list(called(running(), book, lambda role: holders.get(role, ())))


def warned(*seqs: int, row: str = ROW) -> Book:
    return STARTED.model_copy(update={"warned": tuple((row, seq) for seq in seqs)})


def by(seq: int) -> Said:
    return Said(seq=seq, at=at("2026-11-20 22:30"), by="Priya Nair")


def test_each_warning_that_nobody_answers_calls_one_role_more() -> None:
    assert roles(warned()) == ["compliance_officer"]
    assert roles(warned(5)) == ["compliance_officer", "incident_commander"]
    assert roles(warned(5, 6)) == ["compliance_officer", "incident_commander", "executive"]
    assert roles(warned(5, 6, 7)) == ["compliance_officer", "incident_commander", "executive"]


def test_warnings_about_another_clock_call_nobody_more() -> None:
    assert roles(warned(5, 6, row="gdpr-33-1")) == ["compliance_officer"]


@pytest.mark.parametrize(
    "did",
    [
        {"acknowledged": ((ROW, by(7)),)},
        {"filings": (filing(ROW, "2026-11-20 22:30").model_copy(update={"said": by(7)}),)},
        {"anchors": (EVENT.model_copy(update={"seq": 7}),)},
    ],
    ids=["acknowledged", "reported", "recorded its event anew"],
)
def test_whoever_does_something_about_a_clock_brings_the_ladder_down(did: dict[str, object]) -> None:
    answered = warned(5, 6).model_copy(update=did)
    assert roles(answered) == ["compliance_officer"]
    again = answered.model_copy(update={"warned": (*answered.warned, (ROW, 8))})
    assert roles(again) == ["compliance_officer", "incident_commander"]


def test_where_nobody_holds_the_role_the_next_one_is_called_at_once() -> None:
    assert roles(warned(), {"executive": ("Amira",)}) == ["compliance_officer", "incident_commander", "executive"]
    assert called(running(), warned(), lambda _: ()) == dict.fromkeys(PEOPLE, ())


def test_a_warning_says_who_is_called_what_is_asked_and_what_happens_otherwise() -> None:
    found = running()
    point = due_now(shipped(), found, at("2026-11-20 23:00"))
    assert point is not None
    coming = next_point(shipped(), found, at("2026-11-20 23:00"))
    subject, text = warning_text(found, point, {"compliance_officer": ()}, coming, "inc-1", "https://c.example")
    assert "due 2026-11-21 10:00" in subject
    for words in ("nobody holds this role", "If nothing is done", "The next warning comes", "Not legal advice"):
        assert words in text
    _, more = warning_text(found, point, dict(list(PEOPLE.items())[:2]), coming, "inc-1", "https://c.example")
    assert "more people are called" in more
    assert "Jonas" in more


def test_a_clock_that_is_over_warns_once_more_and_says_so() -> None:
    found = running(now="2026-11-21 12:00")
    point = due_now(shipped(), found, at("2026-11-21 12:00"))
    assert point is not None
    assert point.point == "overdue"
    subject, text = warning_text(found, point, PEOPLE, None, "inc-1", "https://c.example")
    assert "was due" in subject
    assert "stays overdue" in text
    assert "No further warning comes" in text


def test_limits_of_the_organisation_warn_and_hold_the_clocks_only_as_long_as_they_run() -> None:
    book = Book(facts={"severity": "sev1"}, anchors=(anchor("detected.incident", "2026-11-20 10:00"),))
    profile = declared(nis2__entity="none")
    notice = clock("internal-exec-notice", profile, book, "2026-11-20 10:25")
    now, later = at("2026-11-20 10:25"), at("2026-11-20 10:31")
    point = due_now(shipped(), notice, now)
    assert point is not None
    assert point.point == "80%"
    assert own_limits_run(shipped(), [notice], now)
    assert not own_limits_run(shipped(), [notice], later)
    assert next_look(shipped(), [notice], now) == at("2026-11-20 10:30") + timedelta(seconds=1)


def test_a_limit_of_the_organisation_that_nobody_said_applies_warns_nobody() -> None:
    book = Book(facts={}, anchors=(anchor("detected.incident", "2026-11-20 10:00"),))
    status = clock("internal-customer-status", declared(), book, "2026-11-20 10:59")
    assert "fact_unknown" in status.flags
    assert due_now(shipped(), status, at("2026-11-20 10:59")) is None

"""What holds for every clock, whatever was recorded (OBL-3, OBL-11, OBL-18, OBL-20)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.obligations import counting
from countermand.obligations.anchor import Anchor, Moment
from countermand.obligations.book import Book, Choice, Said
from countermand.obligations.clocks import ClockState, clocks
from countermand.obligations.counting import Reckoning
from countermand.obligations.dataset import shipped
from countermand.obligations.due import Span
from countermand.obligations.predicates import All, Always, Any_, Is, Never, Not, holds
from countermand.obligations.regimes import evidence_holds, open_regimes, regimes
from countermand.obligations.warning import points
from tests.rules.obligations.books import anchor, at, clock, declared, filing, only

MOMENTS = st.integers(0, 4 * 366 * 86_400).map(
    lambda second: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
)
SPANS = st.builds(
    lambda kind, n: Span.model_validate({"kind": kind, "n": n}),
    st.sampled_from(["hours", "days", "months"]),
    st.integers(1, 40),
)
COUNTINGS = st.sampled_from(["eu_1182_71", "strict", "calendar_days", "dora_art5"])
ZONES = st.sampled_from(["Europe/Paris", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Santiago"])


@settings(max_examples=150, deadline=None)
@given(SPANS, COUNTINGS, ZONES, MOMENTS, st.timedeltas(timedelta(), timedelta(days=3)))
def test_a_due_time_follows_its_anchor_precedes_its_later_reading_and_never_goes_back(
    span: Span, rule: str, zone: str, began: datetime, later: timedelta
) -> None:
    where = Reckoning(zone=zone)
    first = counting.span(span, rule, Moment(at=began), where)
    second = counting.span(span, rule, Moment(at=began + later), where)
    assert began <= first.due <= second.due
    if first.legal_latest is not None:
        assert first.due <= first.legal_latest
    assert first == counting.span(span, rule, Moment(at=began), where)


EVENTS = [row.anchor for row in shipped().obligations if row.anchor != "none"]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), MOMENTS), max_size=4), MOMENTS)
def test_no_clock_has_a_time_without_a_recorded_event_and_a_declared_scope(
    recorded: list[tuple[str, datetime]], now: datetime
) -> None:
    anchors = tuple(Anchor(event=event, moment=Moment(at=moment), by="Priya Nair", seq=1) for event, moment in recorded)
    for found in clocks(shipped(), declared(gdpr__controller=True), Book(anchors=anchors), now):
        if found.due is not None:
            assert found.anchor is not None
            assert found.row.internal or found.row.regime == "gdpr"
        if found.state is ClockState.overdue:
            limit = found.legal_latest or found.due
            assert limit is not None
            assert now > limit


def test_predicates_have_three_answers() -> None:
    yes, no, unknown = Always(always=True), Never(never=True), Is.model_validate({"path": "a.b", "is": True})

    def nobody(_: str) -> None:
        return None

    assert holds(All(all=(yes, unknown)), nobody) is None
    assert holds(All(all=(no, unknown)), nobody) is False
    assert holds(Any_(any=(yes, unknown)), nobody) is True
    assert holds(Any_(any=(no, unknown)), nobody) is None
    assert holds(Not.model_validate({"not": unknown}), nobody) is None


BREACH = ("aware.personal_data_breach", "2026-11-20 10:00")


def test_what_happened_without_a_time_is_a_gap_and_a_bare_day_is_no_time_where_hours_count() -> None:
    profile, facts = only(gdpr__controller=True), {"personal_data_breach": True}
    assert clock("gdpr-33-1", profile, Book(facts=facts), "2026-11-21 00:00").state is ClockState.anchor_missing
    day = Book(facts=facts, anchors=(anchor(BREACH[0], "2026-11-20"),))
    assert clock("gdpr-33-1", profile, day, "2026-11-21 00:00").state is ClockState.anchor_missing


def test_an_unknown_fact_counts_as_if_it_applied_and_says_so() -> None:
    found = clock("gdpr-33-1", only(gdpr__controller=True), Book(anchors=(anchor(*BREACH),)), "2026-11-21 00:00")
    assert found.state is ClockState.running
    assert (found.flags[0], found.missing) == ("fact_unknown", ("personal_data_breach",))


@pytest.mark.parametrize(
    ("now", "state", "flag"),
    [
        ("2026-11-23 10:00", ClockState.running, None),
        ("2026-11-23 10:30", ClockState.running, "past_strict"),
        ("2026-11-23 11:01", ClockState.overdue, None),
    ],
)
def test_a_clock_is_overdue_only_when_its_later_reading_is_over(now: str, state: ClockState, flag: str | None) -> None:
    book = Book(facts={"personal_data_breach": True}, anchors=(anchor(*BREACH),))
    found = clock("gdpr-33-1", only(gdpr__controller=True), book, now)
    assert (found.state, "past_strict" in found.flags) == (state, flag is not None)


def test_a_partial_report_keeps_the_clock_running_and_a_complete_one_ends_it_for_good() -> None:
    facts, profile = {"personal_data_breach": True}, only(gdpr__controller=True)
    part = (filing("gdpr-33-1", "2026-11-21 10:00", partial=True),)
    book = Book(facts=facts, anchors=(anchor(*BREACH),), filings=part)
    assert clock("gdpr-33-1", profile, book, "2026-11-22 00:00").state is ClockState.running
    whole = book.model_copy(update={"filings": (*part, filing("gdpr-33-1", "2026-11-30 10:00"))})
    done = clock("gdpr-33-1", profile, whole, "2027-11-22 00:00")
    assert done.state is ClockState.filed
    assert "late" in done.flags


def test_setting_aside_comes_before_everything_else() -> None:
    said = Said(seq=3, at=at("2026-11-21 10:00"), by="Priya Nair")
    aside = {"gdpr-33-1": Choice(subject="gdpr-33-1", reportable="no", reasoning="no risk to persons", said=said)}
    book = Book(anchors=(anchor(*BREACH),), filings=(filing("gdpr-33-1", "2026-11-21 10:00"),), set_aside=aside)
    found = clock("gdpr-33-1", only(gdpr__controller=True), book, "2026-11-22 00:00")
    assert found.state is ClockState.set_aside


@pytest.mark.parametrize("row", ["gdpr-33-1-omnibus", "co-sb24-205", "uk-fca-initial"])
def test_what_is_proposed_repealed_or_still_to_come_is_never_computed(row: str) -> None:
    profile = declared(gdpr__controller=True, colorado__admt_deployer=True, uk_fca__in_scope=True)
    anchors = (anchor(*BREACH), anchor("determined.uk_threshold", "2026-11-20 10:00"))
    found = clock(row, profile, Book(anchors=anchors), "2026-11-22 00:00")
    assert (found.state, found.due) == (ClockState.not_in_force, None)


def test_a_review_is_free_to_sign_only_when_every_regime_in_view_is_decided() -> None:
    profile, now = only(gdpr__controller=True), at("2026-11-22 00:00")
    book = Book(facts={"personal_data_breach": True}, anchors=(anchor(*BREACH),))
    assert open_regimes(regimes(clocks(shipped(), profile, book, now), book), profile) == ("gdpr",)
    said = Said(seq=3, at=now, by="Priya Nair")
    decided = book.model_copy(
        update={"decisions": (Choice(subject="gdpr", reportable="yes", reasoning="risk", said=said),)}
    )
    assert open_regimes(regimes(clocks(shipped(), profile, decided, now), decided), profile) == ()
    nobody = declared()
    empty = nobody.model_copy(update={"present": False})
    assert open_regimes(regimes(clocks(shipped(), empty, Book(), now), Book()), empty) == ("all",)


def test_evidence_is_held_until_anything_was_reported() -> None:
    profile = only(eu_ai_act__role="provider")
    book = Book(
        facts={"limbs": ("a_death",), "widespread_infringement": False},
        anchors=(anchor("aware.ai_serious_incident", "2026-11-20 10:00"),),
    )
    held = evidence_holds(clocks(shipped(), profile, book, at("2026-11-21 10:00")))
    assert [one.row.id for one in held] == ["eu-aia-73-4"]
    part = book.model_copy(update={"filings": (filing("eu-aia-73-4", "2026-11-21 09:00", partial=True),)})
    assert evidence_holds(clocks(shipped(), profile, part, at("2026-11-21 10:00"))) == ()


def test_warnings_stand_between_the_event_and_the_time_that_is_due() -> None:
    book = Book(
        facts={"significant_incident": True}, anchors=(anchor("aware.significant_incident", "2026-11-20 10:00"),)
    )
    found = clock("nis2-23-4-a", only(nis2__entity="essential"), book, "2026-11-20 11:00")
    assert [(one.point, one.at) for one in points(shipped(), found)] == [
        ("50%", at("2026-11-20 22:00")),
        ("80%", at("2026-11-21 05:12")),
        ("-4h", at("2026-11-21 06:00")),
        ("-1h", at("2026-11-21 09:00")),
        ("overdue", at("2026-11-21 11:00") + timedelta(seconds=1)),
    ]

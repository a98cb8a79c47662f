"""The vectors V1–V31 of the design: what each counting rule and each chain answers."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from countermand.obligations import counting
from countermand.obligations.anchor import Moment
from countermand.obligations.book import Book
from countermand.obligations.clocks import ClockState
from countermand.obligations.counting import NO_CALENDAR, Reckoning
from countermand.obligations.due import Span
from countermand.obligations.profile import Profile
from tests.rules.obligations.books import anchor, at, clock, declared, filing, midnight_after

PARIS = Reckoning(zone="Europe/Paris")
NEW_YORK = "America/New_York"


@pytest.mark.parametrize(
    ("vector", "kind", "n", "began", "due", "latest"),
    [
        ("V1", "hours", 72, at("2026-03-10 09:17"), at("2026-03-13 09:17"), at("2026-03-13 10:00")),
        ("V2", "hours", 72, at("2026-11-20 16:45"), at("2026-11-23 16:45"), at("2026-11-23 17:00")),
        ("V3", "hours", 72, at("2026-03-10 10:00"), at("2026-03-13 10:00"), at("2026-03-13 11:00")),
        ("V4", "hours", 24, at("2027-03-27 12:00", "Europe/Paris"), at("2027-03-28 11:00"), at("2027-03-28 12:00")),
        ("V5", "days", 15, at("2026-03-06 09:17"), at("2026-03-21 09:17"), midnight_after("2026-03-23")),
        ("V6", "days", 2, at("2026-03-06 09:17"), at("2026-03-08 09:17"), midnight_after("2026-03-10")),
        ("V7", "days", 2, at("2026-03-12 09:17"), at("2026-03-14 09:17"), midnight_after("2026-03-16")),
        ("V8", "months", 1, at("2027-01-31 09:00"), at("2027-02-28 09:00"), midnight_after("2027-03-01")),
        ("V9", "months", 1, at("2028-01-31 09:00"), at("2028-02-29 09:00"), midnight_after("2028-02-29")),
        ("V10", "months", 1, at("2026-11-30 09:00"), at("2026-12-30 09:00"), midnight_after("2026-12-30")),
        ("V11", "months", 1, at("2027-03-30 22:30"), at("2027-04-29 22:30"), midnight_after("2027-04-30")),
    ],
)
def test_a_period_of_a_european_act_has_its_strict_and_its_latest_reading(
    vector: str, kind: str, n: int, began: datetime, due: datetime, latest: datetime
) -> None:
    period = Span.model_validate({"kind": kind, "n": n})
    reading = counting.span(period, "eu_1182_71", Moment(at=began), PARIS)
    assert (reading.due, reading.legal_latest) == (due, latest), vector


def dora(*events: tuple[str, str]) -> Book:
    return Book(facts={"ict_incident": True}, anchors=tuple(anchor(event, when) for event, when in events))


AWARE = ("aware.ict_incident", "2026-09-01 08:00")
CLASSIFIED = "classified.major_ict_incident"
BANK = declared(dora__financial_entity=True, dora__entity_type="credit_institution")


@pytest.mark.parametrize(
    ("vector", "classified", "now", "due"),
    [
        ("V12", "2026-09-01 10:00", "2026-09-01 10:30", "2026-09-01 14:00"),
        ("V13", "2026-09-02 06:00", "2026-09-02 06:30", "2026-09-02 08:00"),
        ("V14", "2026-09-02 09:00", "2026-09-02 09:00", "2026-09-02 13:00"),
    ],
)
def test_dora_counts_from_classification_and_caps_at_a_day_from_awareness_unless_classified_later(
    vector: str, classified: str, now: str, due: str
) -> None:
    found = clock("dora-initial", BANK, dora(AWARE, (CLASSIFIED, classified)), now)
    assert (found.state, found.due, found.legal_latest) == (ClockState.running, at(due), None), vector


def test_v15_dora_that_nobody_classified_runs_provisionally_and_is_never_overdue() -> None:
    early = clock("dora-initial", BANK, dora(AWARE), "2026-09-01 20:00")
    assert (early.state, early.due) == (ClockState.running, at("2026-09-02 08:00"))
    assert "provisional" in early.flags
    for later in ("2026-09-02 08:00", "2026-09-02 09:00", "2026-12-01 00:00"):
        assert clock("dora-initial", BANK, dora(AWARE), later).state is ClockState.not_started


@pytest.mark.parametrize(
    ("vector", "entity", "latest"),
    [
        ("V16", "payment_institution", at("2026-09-07 12:00", "Europe/Berlin")),
        ("V17", "credit_institution", None),
    ],
)
def test_dora_gives_relief_over_a_weekend_only_to_those_who_have_it(
    vector: str, entity: str, latest: datetime | None
) -> None:
    profile = declared(dora__financial_entity=True, dora__entity_type=entity, zone="Europe/Berlin")
    book = dora(("aware.ict_incident", "2026-09-04 20:00"), (CLASSIFIED, "2026-09-05 06:00"))
    found = clock("dora-initial", profile, book, "2026-09-05 07:00")
    assert (found.due, found.legal_latest) == (at("2026-09-05 10:00"), latest), vector


def test_v16_the_relief_is_gone_where_the_authority_withdrew_it() -> None:
    profile = declared(dora__financial_entity=True, dora__entity_type="other", dora__relief_withdrawn_by_authority=True)
    book = dora(("aware.ict_incident", "2026-09-04 20:00"), (CLASSIFIED, "2026-09-05 06:00"))
    assert clock("dora-initial", profile, book, "2026-09-05 07:00").legal_latest is None


def test_v18_the_intermediate_report_of_dora_counts_from_the_initial_one() -> None:
    book = Book(facts={"major_ict_incident": True}, filings=(filing("dora-initial", "2026-09-01 13:30"),))
    assert clock("dora-intermediate", BANK, book, "2026-09-02 00:00").due == at("2026-09-04 13:30")


def test_v19_the_final_report_of_dora_counts_from_the_latest_update() -> None:
    reports = (filing("dora-intermediate", "2026-09-04 10:00"), filing("dora-intermediate", "2026-09-30 10:00"))
    book = Book(facts={"major_ict_incident": True}, filings=reports)
    found = clock("dora-final", BANK, book, "2026-10-01 00:00")
    assert (found.due, found.legal_latest) == (at("2026-10-30 10:00"), None)


NIS2 = declared(nis2__entity="essential")
SIGNIFICANT = {"significant_incident": True}


def test_v20_the_final_report_of_nis2_counts_a_month_from_the_notification() -> None:
    book = Book(facts=SIGNIFICANT, filings=(filing("nis2-23-4-b", "2026-01-31 09:00"),))
    found = clock("nis2-23-4-d", NIS2, book, "2026-02-01 00:00")
    assert (found.due, found.legal_latest) == (at("2026-02-28 09:00"), midnight_after("2026-03-02"))


def test_v21_the_final_report_of_nis2_never_counts_from_awareness() -> None:
    book = Book(facts=SIGNIFICANT, anchors=(anchor("aware.significant_incident", "2026-01-28 09:00"),))
    found = clock("nis2-23-4-d", NIS2, book, "2026-03-10 00:00")
    assert (found.state, found.due) == (ClockState.not_started, None)


def test_v22_the_final_report_of_the_cra_counts_from_the_measure_and_never_from_awareness() -> None:
    profile, facts = declared(cra__manufacturer=True), {"exploited_vulnerability": True}
    aware = anchor("aware.exploited_vulnerability", "2026-09-20 09:00")
    before = clock("cra-14-2-c", profile, Book(facts=facts, anchors=(aware,)), "2026-10-02 00:00")
    assert (before.state, before.due) == (ClockState.not_started, None)
    measure = anchor("corrective_measure.available", "2026-10-01 12:00")
    after = clock("cra-14-2-c", profile, Book(facts=facts, anchors=(aware, measure)), "2026-10-02 00:00")
    assert (after.due, after.legal_latest) == (at("2026-10-15 12:00"), midnight_after("2026-10-15"))


def material(when: str, holidays: frozenset[date] | None = None) -> tuple[Profile, Book]:
    calendars = {} if holidays is None else {"us_federal": holidays}
    book = Book(facts={"cyber_incident_material": True}, anchors=(anchor("determined.materiality", when, NEW_YORK),))
    return declared(sec__form_8k_filer=True, calendars=calendars), book


THANKSGIVING = frozenset({date(2026, 11, 26)})


@pytest.mark.parametrize(
    ("vector", "determined", "holidays", "due"),
    [
        ("V23", "2026-11-18", None, "2026-11-24"),
        ("V24 supplied", "2026-11-23", THANKSGIVING, "2026-11-30"),
        ("V24 not supplied", "2026-11-23", None, "2026-11-27"),
        ("V25 Friday", "2026-11-20", None, "2026-11-26"),
        ("V25 Saturday", "2026-11-21", None, "2026-11-26"),
    ],
)
def test_form_8k_counts_business_days_from_the_determination(
    vector: str, determined: str, holidays: frozenset[date] | None, due: str
) -> None:
    profile, book = material(determined, holidays)
    found = clock("sec-8k-1-05", profile, book, "2026-11-23 20:00")
    assert found.due == at(f"{due} 17:30", NEW_YORK), vector
    assert (NO_CALENDAR in found.notes) is (holidays is None)


def test_v24_an_overdue_clock_without_a_calendar_says_what_could_make_it_early() -> None:
    profile, book = material("2026-11-23")
    found = clock("sec-8k-1-05", profile, book, "2026-11-28 20:00")
    assert found.state is ClockState.overdue
    assert found.unless == ", unless a holiday falls in the window"


def test_v26_form_8k_never_counts_from_discovery() -> None:
    profile = declared(sec__form_8k_filer=True)
    book = Book(anchors=(anchor("discovered.incident", "2026-11-18 09:00"),))
    found = clock("sec-8k-1-05", profile, book, "2026-12-18 09:00")
    assert (found.state, found.due) == (ClockState.not_started, None)


def phi(when: str, **facts: int) -> Book:
    return Book(facts={"phi_breach": True, **facts}, anchors=(anchor("discovered.phi_breach", when),))


HIPAA = declared(hipaa__covered_entity=True, zone=NEW_YORK)


def test_v27_sixty_days_of_hipaa_end_on_a_saturday_and_do_not_roll() -> None:
    found = clock("hipaa-164-404", HIPAA, phi("2026-12-15"), "2026-12-20 00:00")
    assert found.due is not None
    assert found.due.date() == date(2027, 2, 13)
    assert found.legal_latest == midnight_after("2027-02-13", NEW_YORK)


@pytest.mark.parametrize(("discovered", "last"), [("2026-05-05", "2027-03-01"), ("2027-05-05", "2028-02-29")])
def test_v28_small_breaches_of_hipaa_are_due_sixty_days_after_the_year(discovered: str, last: str) -> None:
    found = clock("hipaa-164-408-c", HIPAA, phi(discovered, phi_individuals=12), "2027-06-01 00:00")
    assert (found.due, found.legal_latest) == (midnight_after(last, NEW_YORK), None)


@pytest.mark.parametrize(("holidays", "last"), [(None, "2027-05-18"), (frozenset({date(2027, 5, 3)}), "2027-05-19")])
def test_v29_thirty_working_days_move_with_a_supplied_holiday(holidays: frozenset[date] | None, last: str) -> None:
    calendars = {} if holidays is None else {"uk": holidays}
    profile = declared(
        uk_fca__in_scope=True, uk_fca__reporter_class="enhanced", zone="Europe/London", calendars=calendars
    )
    book = Book(
        facts={"uk_threshold_met": True},
        anchors=(anchor("resolved.incident", "2027-04-06 10:00"),),
        filings=(filing("uk-fca-initial", "2027-04-01 10:00"),),
    )
    assert clock("uk-fca-final", profile, book, "2027-04-07 00:00").due == midnight_after(last, "Europe/London")


def test_v30_reports_repeat_every_four_weeks_until_the_incident_is_resolved() -> None:
    profile = declared(eu_ai_act__cop_signatory=True)
    initial = filing("gpai-cop-9-3-cyber", "2026-11-20 10:00")
    book = Book(filings=(initial,))
    row = "gpai-cop-9-3-intermediate"
    assert clock(row, profile, book, "2026-11-21 00:00").due == at("2026-12-18 10:00")
    missed = clock(row, profile, book, "2026-12-19 00:00")
    assert (missed.due, missed.missed) == (at("2027-01-15 10:00"), (at("2026-12-18 10:00"),))
    sent = Book(filings=(initial, filing(row, "2026-12-10 10:00")))
    assert clock(row, profile, sent, "2026-12-11 00:00").due == at("2027-01-15 10:00")
    resolved = Book(filings=sent.filings, anchors=(anchor("resolved.incident", "2026-12-20 10:00"),))
    assert clock(row, profile, resolved, "2027-02-01 00:00").state is ClockState.filed


def test_v31_one_clock_runs_for_several_kinds_of_serious_harm_and_is_rebased_when_they_change() -> None:
    profile = declared(eu_ai_act__role="provider")
    rows = ("eu-aia-73-3", "eu-aia-73-4", "eu-aia-73-2")

    def states(*limbs: str) -> list[str]:
        book = Book(
            facts={"limbs": limbs, "widespread_infringement": False},
            anchors=(anchor("aware.ai_serious_incident", "2026-11-20 10:00"),),
        )
        return [clock(row, profile, book, "2026-11-20 12:00").state.value for row in rows]

    assert states("a_health", "b_critical_infrastructure", "a_death") == ["running", "not_applicable", "not_applicable"]
    assert states("a_health", "b_critical_infrastructure") == ["running", "not_applicable", "not_applicable"]
    assert states("a_health", "a_death") == ["not_applicable", "running", "not_applicable"]
    assert states("a_health") == ["not_applicable", "not_applicable", "running"]

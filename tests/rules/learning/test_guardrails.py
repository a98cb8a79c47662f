"""Guardrails before people are asked to sign a change of thresholds (LRN-10)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from countermand.governance.rights import Action, Right
from countermand.governance.shipped import shipped_rights
from countermand.learning import guardrails
from countermand.learning.guardrails import Finding
from countermand.learning.report import BacktestReport
from countermand.ledger.bodies import EpisodeLabelled, ThresholdProposed
from countermand.playbook.terms import Severity
from tests.rules.learning.proposals import NOW, PATH, a_proposal, a_report, proposed

DAY = timedelta(days=1)


def row(action: Action = Action.loosen_threshold) -> Right:
    return shipped_rights().row(action, Severity.sev1)


def judge(
    report: BacktestReport | None = None, said: ThresholdProposed | None = None, right: Right | None = None
) -> tuple[Finding, ...]:
    return guardrails.judge(
        said or proposed(), report or a_report(), Decimal("0.01"), DAY, right or row(Action.tighten_threshold), NOW
    )


def named(findings: tuple[Finding, ...], word: str) -> list[str]:
    return [one.name for one in findings if one.word == word]


def test_lrn_10_a_change_that_the_past_speaks_for_stops_at_nothing() -> None:
    findings = judge()
    assert guardrails.stops(findings, ()) == ()
    assert "expects 0.14" in findings[0].sentence, "14 quiet days of releases of one day at 1 in 100"


def test_lrn_10_an_incident_that_it_would_miss_stops_it_until_a_waiver_names_that_incident() -> None:
    findings = judge(a_report(missed=("spring", "summer")))
    assert named(findings, "stops") == ["spring", "summer"]
    assert "inc-spring" in findings[0].sentence
    assert [one.name for one in guardrails.stops(findings, {"spring"})] == ["summer"]
    assert guardrails.stops(findings, {"spring", "summer"}) == ()


@pytest.mark.parametrize(
    ("asks", "before", "stopped"),
    [(0, 0, False), (1, 0, False), (2, 0, True), (2, 2, False), (3, 2, True), (2, 3, False)],
)
def test_lrn_10_more_false_alarms_than_the_budget_stop_it_unless_the_version_in_force_has_as_many(
    asks: int, before: int, stopped: bool
) -> None:
    # 14 one-day releases at 1 in 100: one false alarm has a chance of 13 %, two of 0.9 %.
    findings = judge(a_report(asks=asks, asks_before=before))
    assert (guardrails.FALSE_ALARMS in named(findings, "stops")) is stopped


def test_lrn_10_without_a_quiet_period_it_says_that_nothing_is_known_about_false_alarms() -> None:
    assert "nothing is known about false alarms" in judge(a_report(quiet_days=0))[0].sentence


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"origins": {}}, "origin"), ({"review_on": None}, "review"), ({"review_on": NOW + 400 * DAY}, "review")],
)
def test_lrn_10_without_origin_or_review_date_no_waiver_helps(changes: dict[str, Any], name: str) -> None:
    findings = judge(said=proposed(a_proposal(**changes)))
    assert named(findings, "refuses") == [name]
    assert guardrails.stops(findings, {name}) != ()


def test_r20_a_number_that_nobody_measured_needs_product_and_safety_to_sign() -> None:
    said = proposed(a_proposal(origins={PATH: "judgement"}))
    assert named(judge(said=said, right=row(Action.tighten_threshold)), "refuses") == ["sign_off"]
    assert named(judge(said=said, right=row(Action.loosen_threshold)), "refuses") == []


def test_r20_a_laxer_number_needs_them_whatever_it_rests_on() -> None:
    laxer = proposed(blind_after=9)
    assert laxer.change == "loosened"
    assert named(judge(said=laxer, right=row(Action.tighten_threshold)), "refuses") == ["sign_off"]
    assert named(judge(said=laxer, right=row()), "refuses") == []


@pytest.mark.parametrize(
    ("incidents", "words"), [((), "No incident"), (("spring",), "1 incident: an anecdote."), (("a", "b"), "")]
)
def test_lrn_9_too_little_is_allowed_and_said(incidents: tuple[str, ...], words: str) -> None:
    findings = judge(a_report(incidents=incidents))
    said = [one.sentence for one in findings if one.name == "evidence"]
    assert guardrails.stops(findings, ()) == ()
    assert [sentence.startswith(words) for sentence in said] == ([True] if words else [])


def test_lrn_9_an_incident_that_the_number_was_made_for_is_said() -> None:
    sentences = [one.sentence for one in judge(a_report(fitted=("spring",)))]
    assert any("the others lead to 5, which misses it" in one for one in sentences)


def test_whoever_proposes_does_not_say_alone_what_the_past_was() -> None:
    def label(word: str, subject: str, version: int) -> EpisodeLabelled:
        said = {"episode_id": "watch-spring", "harm_start": None, "name": subject, "note": ""}
        return EpisodeLabelled.model_validate(said | {"word": word, "version": version, "subject": subject})

    mine, theirs = label("quiet", "local|amira", 1), label("incident", "local|maria", 2)
    found = guardrails.own_labels([mine], {"local|amira"})
    assert [one.name for one in guardrails.stops(found, ())] == ["label watch-spring"]
    assert guardrails.stops(found, {"label watch-spring"}) == ()
    assert guardrails.own_labels([mine, theirs], {"local|amira"}) == (), "somebody else looked at it since"

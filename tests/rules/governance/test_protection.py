"""GOV-49…59: limits against floods, flapping and rollback as an attack (T17, T18)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from countermand.governance.limits import Limits
from countermand.governance.protection import (
    AskSent,
    Attempt,
    Reverted,
    absent,
    cooldown_flag,
    daily_stop,
    dedupe_key,
    first_stage_stop,
    flags,
    flooding,
    ineffective_stop,
    lane,
    ping_pong_flag,
)
from countermand.playbook.terms import Severity
from tests import cases
from tests.rules.governance.asking import BEGIN

LIMITS = Limits()
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
NOW = BEGIN + timedelta(days=2)


def test_gov_49_signals_of_one_cause_share_a_key_and_no_other_do() -> None:
    keys = [dedupe_key(*parts) for parts in (("r", "prod", "truth"), ("r", "prod", "cost"), ("r", "test", "truth"))]
    assert dedupe_key("r", "prod", "truth") == keys[0]
    assert len({*keys, dedupe_key("r/prod", "", "truth"), dedupe_key("r", "prod/truth", "")}) == 5


def test_gov_52_ten_thousand_signals_are_one_incident_and_a_sev1_ask_still_goes_out() -> None:
    assert len({dedupe_key("r", "prod", "truth") for _ in range(10_000)}) == 1
    sent = [AskSent(subject=cases.MARIA, severity=Severity.sev3, at=NOW - SECOND) for _ in range(10_000)]
    assert lane(sent, cases.MARIA, Severity.sev3, NOW, LIMITS) == "batch"
    assert lane(sent, cases.MARIA, Severity.sev1, NOW, LIMITS) == "own"


def sent(count: int, ago: timedelta = MINUTE, **changes: object) -> list[AskSent]:
    one = AskSent(subject=cases.MARIA, severity=Severity.sev2, at=NOW - ago)
    return [one.model_copy(update=changes) for _ in range(count)]


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        (sent(5), "now"),
        (sent(6), "batch"),
        (sent(6, HOUR), "now"),
        (sent(6, HOUR - SECOND), "batch"),
        (sent(6, -SECOND), "now"),
        (sent(5) + sent(9, batched=True), "now"),
        (sent(5) + sent(9, severity=Severity.sev1), "now"),
        (sent(5) + sent(9, subject=cases.JONAS), "now"),
    ],
)
def test_gov_50_six_asks_an_hour_then_one_list(asks: list[AskSent], expected: str) -> None:
    assert lane(asks, cases.MARIA, Severity.sev2, NOW, LIMITS) == expected
    assert lane(asks, cases.MARIA, Severity.sev1, NOW, LIMITS) == "own"


def test_gov_51_a_source_that_sends_more_than_its_share_floods() -> None:
    assert not flooding([NOW] * 60 + [NOW - MINUTE] * 9 + [NOW + SECOND], NOW, LIMITS)
    assert flooding([NOW - 59 * SECOND] * 61, NOW, LIMITS)


def test_gov_58_three_missed_intervals_are_a_signal_and_never_having_spoken_is_too() -> None:
    assert not absent(NOW - 3 * MINUTE + SECOND, MINUTE, NOW, LIMITS)
    assert absent(NOW - 3 * MINUTE, MINUTE, NOW, LIMITS)
    assert absent(None, MINUTE, NOW, LIMITS)


def moved(path: str, ago: timedelta = HOUR, *, automatic: bool = True, **changes: object) -> Reverted:
    move = Reverted(
        family="bot", environment="prod", from_bundle=path[0], to_bundle=path[1], at=NOW - ago, automatic=automatic
    )
    return move.model_copy(update=changes)


def cooling(*moves: Reverted) -> bool:
    return bool(cooldown_flag(moves, "bot", "prod", NOW, LIMITS))


def test_gov_53_two_hours_after_a_revert_nothing_of_the_family_is_reverted_automatically() -> None:
    assert cooling(moved("BA", 2 * HOUR - SECOND))
    assert not cooling(moved("BA", 2 * HOUR))
    assert cooling(moved("BA", SECOND, automatic=False), moved("BA", 9 * HOUR)), "a revert by people counts too"
    assert not cooling(moved("BA", family="other"), moved("BA", environment="test"), moved("BA", -SECOND))
    assert not cooling()


def bouncing(*moves: Reverted, limits: Limits = LIMITS) -> bool:
    return bool(ping_pong_flag(moves, "bot", "prod", NOW, limits))


def test_gov_54_there_and_back_within_a_day_stops_automation() -> None:
    assert bouncing(moved("AB", 23 * HOUR), moved("BA"))
    assert bouncing(moved("BA"), moved("AB", 23 * HOUR)), "in whatever order the facts come"
    assert not bouncing(moved("AB", 24 * HOUR), moved("BA"))
    assert not bouncing(moved("AB"), moved("BC", MINUTE))
    assert not bouncing(moved("AB", 2 * HOUR), moved("AB"))
    assert not bouncing(moved("AB", environment="test"), moved("BA"))
    assert bouncing(moved("AB", 5 * HOUR), moved("BA", 4 * HOUR), moved("AC", 2 * HOUR)), (
        "going elsewhere heals nothing"
    )
    three = Limits(ping_pong_moves=3)
    assert not bouncing(moved("AB", 2 * HOUR), moved("BA"), limits=three)
    assert bouncing(moved("AB", 3 * HOUR), moved("BA", 2 * HOUR), moved("AB"), limits=three)


def test_gov_53_and_54_stand_on_the_card_together() -> None:
    found = flags([moved("AB", 3 * HOUR), moved("BA")], "bot", "prod", NOW, LIMITS)
    assert [words.split()[0] for words in found] == ["the", "2"]
    assert flags([], "bot", "prod", NOW, LIMITS) == ()


def test_gov_55_two_automatic_rollbacks_a_day_then_people() -> None:
    day = timedelta(days=1)
    assert not daily_stop([moved("BA"), moved("BA", day), moved("BA", automatic=False)], "prod", NOW, LIMITS)
    assert daily_stop([moved("BA"), moved("BA", day - SECOND, family="other")], "prod", NOW, LIMITS)
    assert not daily_stop([moved("BA"), moved("BA", environment="test")], "prod", NOW, LIMITS)
    assert daily_stop([], "prod", NOW, Limits(automatic_per_day=0)), "0 switches automation off"


@pytest.mark.parametrize(
    ("bp", "soak", "stops"),
    [
        (1_000, 5 * MINUTE, ""),
        (1_001, 5 * MINUTE, "moves 10.01 % of users, 10 % is the most"),
        (1_000, 5 * MINUTE - SECOND, "soaks 299s, 5m is the least"),
    ],
)
def test_gov_57_the_first_stage_of_an_automatic_revert_is_small_and_soaked(
    bp: int, soak: timedelta, stops: str
) -> None:
    found = first_stage_stop(bp, soak, LIMITS)
    assert (stops in found) if stops else not found


def tried(*improved: bool | None) -> list[Attempt]:
    return [Attempt(at=NOW - (9 - place) * MINUTE, improved=word) for place, word in enumerate(improved)]


@pytest.mark.parametrize(
    ("attempts", "stops"),
    [
        (tried(), False),
        (tried(False), False),
        (tried(False, False), True),
        (tried(False, None), True),
        (tried(None, None), True),
        (tried(False, True), False),
        (tried(False, False, True, False), False),
        (tried(True, False, None), True),
        (tried(False, False)[::-1], True),
        ([*tried(False), Attempt(at=NOW + SECOND, improved=False)], False),
    ],
)
def test_gov_59_two_plans_without_improvement_stop_automation_and_not_knowing_counts(
    attempts: list[Attempt], stops: bool
) -> None:
    assert bool(ineffective_stop(attempts, NOW, LIMITS)) == stops


def test_an_organisation_sets_its_own_limits_in_the_governance_file() -> None:
    own = cases.governance(limits={"cooldown": "30m", "asks_per_hour": 3}).limits
    assert (own.cooldown, own.asks_per_hour, own.automatic_per_day) == (30 * MINUTE, 3, 2)
    assert not cooldown_flag([moved("BA")], "bot", "prod", NOW, own)
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        cases.governance(limits={"independent_sources": 1})


def test_nothing_here_reads_a_clock() -> None:
    early = datetime(1990, 1, 1, tzinfo=BEGIN.tzinfo)
    assert not cooldown_flag([moved("BA")], "bot", "prod", early, LIMITS)
    assert not flooding([NOW] * 100, early, LIMITS)

"""Choices that parse and are still seldom meant are said, with their path; sensible ones are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from countermand.playbook.load import problems

DEMO = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")
LADDER = "      - {after: 10m, do: default, action: hold}\n"

WARNED = {
    "zero tolerance": (
        ("tolerate: {ratio: 1.5}", "tolerate: {ratio: 1}"),
        "tolerate",
        "accepts nothing worse",
    ),
    "a tolerance below 1": (
        ("tolerate: {ratio: 1.5}", "tolerate: {ratio: 0.5}"),
        "tolerate",
        "something better",
    ),
    "a tolerance that never fires": (
        ("expect: 0.03", "expect: 0.7"),
        "tolerate",
        "accepts 105 % bad outputs at the usual 70 %: this can never fire",
    ),
    "a ratio on good outputs": (
        ("bad: higher\n      expect: 0.03", "bad: lower\n      expect: 0.95"),
        "tolerate",
        "accepts 7.5 % instead of 5 % bad, that is 92.5 % instead of 95 % good",
    ),
    "a sustain of two blocks": (("sustain: 10s", "sustain: 4s"), "detection.sustain", "below 3 blocks"),
    "traffic that outlasts its stage": (
        ("time_limit: 45s", "time_limit: 90s"),
        "revert.traffic.time_limit",
        "'90s' is not shorter than stage_time_limit 90s",
    ),
    "a soak shorter than a block": (
        ("{give_back: 50%, soak: 4s}", "{give_back: 50%, soak: 2s}"),
        "revert.stages[1].soak",
        "shorter than one block and its lateness (3s)",
    ),
    "a plain threshold": (
        ("tolerate: {ratio: 1.5}", "rule: {bound: {above: 0.1, window: 10s, for: 4s}}"),
        "detection.triggers[0]",
        "carry no bound on false alarms",
    ),
    "to proceed when nobody decides": (
        ("do: default, action: hold", "do: default, action: proceed"),
        "approvals.sev2.ladder[3].action",
        "acts only under a standing authorisation",
    ),
    "fewer people than the gate asks for": (
        ("        - {role: release_owner, min: 1}\n      distinct_people: 2", "      distinct_people: 1"),
        "approvals.sev2.quorum.distinct_people",
        "at sev2 the gate asks for 2 people",
    ),
    "too few outputs to be shown healthy": (
        (
            "{signal: hallucinations, at_most: 0.07, min_scored: 500}",
            "{signal: hallucinations, at_most: 0.04, min_scored: 100}",
        ),
        "verification.signals[0]",
        "95.2 of 100 healthy services would not pass: at the usual 3 % bad, 100 outputs do not show at most 4 %",
    ),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_choice_that_is_seldom_meant_is_warned_of(name: str) -> None:
    (old, new), where, words = WARNED[name]
    assert old in DEMO
    found = [p for p in problems(DEMO.replace(old, new, 1).encode()) if p.where.endswith(where)]
    assert [p.level for p in found] == ["warning"], found
    assert words in found[0].message


def test_serious_harm_that_may_wait_more_than_an_hour_is_warned_of() -> None:
    text = DEMO.replace("severity: sev2", "severity: sev1").replace("  sev2:\n", "  sev1:\n")
    assert problems(text.encode()) == []
    slow = text.replace(LADDER, LADDER.replace("10m", "61m"))
    assert [p.where for p in problems(slow.encode())] == ["approvals.sev1.ladder[3].after"]


def test_minor_harm_may_wait_longer() -> None:
    assert problems(DEMO.replace(LADDER, LADDER.replace("10m", "61m")).encode()) == []


def test_a_threshold_that_needs_evidence_beside_it_keeps_the_promise() -> None:
    both = """all:
        - {signal: hallucinations, tolerate: {ratio: 1.5}}
        - {signal: refusals, rule: {bound: {above: 0.1, window: 10s, for: 4s}}}"""
    text = DEMO.replace("any:\n        - {signal: hallucinations, tolerate: {ratio: 1.5}}", both)
    assert both in text
    assert problems(text.encode()) == []
    assert len(problems(text.replace("all:\n", "any:\n", 1).encode())) == 1


def test_a_criterion_that_finds_nothing_within_the_watch_is_warned_of_when_its_traffic_is_stated() -> None:
    stated = "expect: 0.03\n      per_minute: {}"
    slow, fast = (DEMO.replace("expect: 0.03", stated.format(number), 1) for number in (30, 3000))
    found = problems(slow.encode())
    assert [(p.level, p.where) for p in found] == [("warning", "detection.triggers[0].any[0]")]
    assert "2 times the usual rate is not found within the watch at the traffic stated" in found[0].message
    assert problems(fast.encode()) == []


@pytest.mark.parametrize(
    ("criterion", "needs"),
    [
        ("tolerate: {ratio: 1.5}", "10s"),
        ("rule: {failure_limit: {above: 0.1, interval: 4s, limit: 2}}", "12s"),
        ("rule: {failed_checks: {above: 0.1, interval: 4s, threshold: 3}}", "12s"),
        ("rule: {bound: {above: 0.1, window: 2s, for: 10s}}", "10s"),
        ("rule: {times_baseline: {ratio: 2, window: 4s, interval: 6s, limit: 1}}", "12s"),
    ],
)
def test_a_criterion_that_needs_more_time_than_the_watch_has_is_an_error(criterion: str, needs: str) -> None:
    short = DEMO.replace("watch: 30m", "watch: 8s", 1).replace("tolerate: {ratio: 1.5}", criterion, 1)
    found = [p for p in problems(short.encode()) if p.where == "detection.triggers[0].any[0]"]
    assert [p.level for p in found] == ["error"]
    assert found[0].message == f"can never fire: it needs at least {needs} and the watch lasts 8s"

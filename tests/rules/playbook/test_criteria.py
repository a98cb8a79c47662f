"""Kinds of signals, combinations and limits as people write them: what parses, what is refused and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from countermand.playbook.load import parse, problems
from countermand.playbook.model import Playbook
from countermand.playbook.worse import worse

DEMO = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")
ANY = """any:
        - {signal: hallucinations, tolerate: {ratio: 1.5}}
        - {signal: moderation_failures, tolerate: {ratio: 2, absolute: 0.005}}
"""


def with_trigger(form: str) -> str:
    assert ANY in DEMO
    return DEMO.replace(ANY, form.strip() + "\n")


def with_signal(lines: str, tolerate: str) -> str:
    text = with_trigger(f"any:\n        - {{signal: extra, tolerate: {tolerate}}}")
    common = "family: operational_health\n      meaning: Something else that is measured\n      source: judge\n"
    return text.replace("  triggers:\n", f"    extra:\n      {lines}\n      {common}  triggers:\n", 1)


def errors(text: str) -> list[tuple[str, str]]:
    return [(p.where, p.message) for p in problems(text.encode()) if p.level == "error"]


@pytest.mark.parametrize(
    ("lines", "tolerate"),
    [
        ("kind: score\n      bad: lower\n      range: [0, 1]", "{absolute: 0.01}"),
        ("kind: score\n      bad: lower\n      range: [0, 1]", "{relative: 5%}"),
        ("kind: latency", "{slower_by: 10%}"),
        ("kind: gap\n      of: refusals\n      group_by: language\n      groups: [de, sw]", "{absolute: 0.02}"),
        ("kind: categories\n      categories: [orders, stores]", "{size: 0.1}"),
        ("kind: missing\n      of: refusals", "{absolute: 0.02}"),
        ("kind: judgement\n      bad: higher\n      expect: 0.1", "{ratio: 1.5}"),
    ],
)
def test_every_kind_of_signal_parses(lines: str, tolerate: str) -> None:
    text = with_signal(lines, tolerate)
    assert errors(text) == []
    playbook = parse(text.encode(), "p.yaml")
    assert Playbook.model_validate_json(playbook.model_dump_json()) == playbook


@pytest.mark.parametrize(
    ("lines", "tolerate", "where", "said"),
    [
        ("kind: score\n      bad: lower", "{absolute: 0.01}", "detection.signals.extra.range", "'range' is missing"),
        (
            "kind: latency\n      groups: [de]",
            "{slower_by: 10%}",
            "detection.signals.extra.groups",
            "does not belong to a signal of kind latency",
        ),
        ("kind: latency", "{ratio: 1.2, absolute: 0.1}", "detection.triggers[0].any[0].tolerate", "slower_by or ratio"),
        ("kind: missing\n      of: nobody", "{absolute: 0.1}", "detection.signals.extra.of", "'nobody' is unknown"),
    ],
)
def test_what_does_not_fit_a_kind_is_refused_where_it_stands(lines: str, tolerate: str, where: str, said: str) -> None:
    found = errors(with_signal(lines, tolerate))
    assert found[0][0] == where
    assert said in found[0][1]


NESTED = """
all:
        - {signal: refusals, tolerate: {ratio: 1.5}}
        - at_least:
            k: 1
            of:
              - {signal: hallucinations, tolerate: {ratio: 1.5}, critical: true}
              - {signal: moderation_failures, tolerate: {ratio: 2}}
"""
FIXED = "{n_of_m: {above: 1%, n: 2, m: 3}}"
WEIGHTS = """
weights:
        - {signal: hallucinations, tolerate: {ratio: 1.5}, weight: 0.7}
        - {signal: refusals, tolerate: {ratio: 1.5}, weight: 0.3}
"""


@pytest.mark.parametrize("form", [NESTED, WEIGHTS])
def test_groups_and_weights_parse(form: str) -> None:
    text = with_trigger(form)
    assert problems(text.encode()) == []
    playbook = parse(text.encode(), "p.yaml")
    assert Playbook.model_validate_json(playbook.model_dump_json()) == playbook


@pytest.mark.parametrize(
    ("form", "where", "said"),
    [
        (WEIGHTS.replace("0.3}", "0.2}"), "detection.triggers[0].weights", "they add up to 1"),
        (
            WEIGHTS.replace(
                "tolerate: {ratio: 1.5}, weight: 0.3", "rule: {n_of_m: {above: 1%, n: 2, m: 3}}, weight: 0.3"
            ),
            "detection.triggers[0].weights",
            "all or nothing and cannot carry a weight",
        ),
        (NESTED.replace("k: 1", "k: 3"), "detection.triggers[0].all[1].at_least.k", "k = 3 of 2 criteria"),
        (
            NESTED.replace("moderation_failures", "nothing"),
            "detection.triggers[0].all[1].at_least.of[1].signal",
            "unknown signal 'nothing'",
        ),
        (
            NESTED.replace("critical: true", "critically: true"),
            "detection.triggers[0].all[1].at_least.of[0].critically",
            "unknown key 'critically'; did you mean 'critical'?",
        ),
    ],
)
def test_faults_inside_groups_are_reported_where_they_stand(form: str, where: str, said: str) -> None:
    found = errors(with_trigger(form))
    assert where in [place for place, _ in found], found
    assert said in dict(found)[where]


RULES = {
    "failed_checks: {above: 5%, interval: 10s, threshold: 3}": "hallucinations above 5 % in 3 checks",
    "n_of_m: {above: 5%, n: 2, m: 3}": "hallucinations above 5 % in 2 of the last 3 blocks",
    "burn_rate: {budget: 5%, pairs: [{long: 60s, short: 10s, factor: 6}]}": "6 times over both 1 minute and 10 seconds",
    "times_baseline: {ratio: 2, window: 10s, interval: 10s, limit: 1}": "more than 2 times the hallucinations of",
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_that_teams_bring_parse_and_are_told_in_plain_words(rule: str) -> None:
    text = with_trigger(f"any:\n        - {{signal: hallucinations, rule: {{{rule}}}}}")
    assert RULES[rule] in " ".join(" ".join(worse(parse(text.encode(), "p.yaml"))).split())


def test_a_certificate_must_rule_out_more_than_is_tolerated() -> None:
    health = "  health: {not_worse_than: 1.5, required: [hallucinations], min_time: 30s}\n\napprovals:"
    text = DEMO.replace("\napprovals:", health, 1)
    assert errors(text) == [
        (
            "detection.health.not_worse_than",
            "'1.5' must exceed the ratio 1.5 that trigger 'bad-answers' tolerates for 'hallucinations'",
        )
    ]
    assert errors(text.replace("not_worse_than: 1.5", "not_worse_than: 2")) == []

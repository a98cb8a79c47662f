"""From what people write to what runs (DET §4.6, DET-30)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from countermand.canonical import canonical
from countermand.detection.guesses import seed_guess
from countermand.detection.rules import Rule, ThresholdRule, compile_rules


def trigger(name, *criteria, form="any", **fields):
    return {"id": name, form: list(criteria), **fields}


def limit(**rule):
    return {"signal": "hallucinations", "rule": rule}


TOLERANT = {"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}


def test_the_false_alarm_budget_is_split_by_share_after_the_reserve(bench):
    first, second, fixed = compile_rules(
        bench.detection(
            [
                trigger("a", TOLERANT, share="0.3"),
                trigger("b", TOLERANT, share="0.7"),
                trigger("c", limit(failure_limit={"above": "0.01", "interval": "5m", "limit": 3})),
            ]
        )
    )
    assert (first.alpha, second.alpha, fixed.alpha) == (Decimal("0.0027"), Decimal("0.0063"), None)


@pytest.mark.parametrize(
    ("bad", "tolerate", "ratio", "absolute"),
    [
        ("higher", {"ratio": "1.2"}, "1.2", "0"),
        ("higher", {"absolute": "1%"}, "1", "0.01"),
        ("higher", {"ratio": "1.5", "absolute": "0.002"}, "1.5", "0.002"),
        ("lower", {"absolute": "0.02"}, "1", "0.02"),
        ("lower", {"ratio": "1.2"}, "1.2", "0"),
    ],
)
def test_tolerances_map_to_a_line_on_the_bad_side(bench, bad, tolerate, ratio, absolute):
    rule = bench.rule(
        [trigger("a", {"signal": "accuracy", "tolerate": tolerate})],
        signals={"accuracy": {"bad": bad, "expect": "0.7"}},
    )
    criterion = rule.criteria[0]
    assert (criterion.ratio, criterion.absolute) == (Decimal(ratio), Decimal(absolute))
    assert criterion.expect == Decimal("0.7" if bad == "higher" else "0.3")


def test_the_usual_share_of_good_answers_seeds_the_guess_of_bad_ones(bench):
    rule = bench.rule(
        [trigger("a", {"signal": "accuracy", "tolerate": {"absolute": "0.02"}})],
        signals={"accuracy": {"bad": "lower", "expect": "0.95"}},
    )
    assert seed_guess(rule.criteria[0].expect) == (10_000_000, 200_000_000)


@pytest.mark.parametrize(
    ("form", "k"),
    [
        ({"any": [TOLERANT] * 3}, 1),
        ({"all": [TOLERANT] * 3}, 3),
        ({"at_least": {"k": 2, "of": [TOLERANT] * 3}}, 2),
    ],
)
def test_any_all_and_at_least_are_one_form(bench, form, k):
    assert bench.rule([{"id": "a", **form}]).main.node.k == k


def test_limits_are_counted_in_blocks(bench):
    bound, failures = bench.rule(
        [
            trigger(
                "a",
                limit(bound={"above": "2%", "window": "10m", "for": "3m"}),
                limit(failure_limit={"below": "0.5", "interval": "5m", "limit": 0, "count": "consecutive"}),
            )
        ]
    ).criteria
    assert isinstance(bound, ThresholdRule)
    assert isinstance(failures, ThresholdRule)
    assert (bound.kind, bound.outside, bound.limit, bound.window, bound.times) == (
        "bound", "above", Decimal("0.02"), 10, 3,
    )  # fmt: skip
    assert (failures.kind, failures.outside, failures.window, failures.times) == (
        "consecutive",
        "below",
        5,
        0,
    )


def test_a_rule_is_canonical_and_survives_json(bench):
    rule = bench.rule([trigger("a", TOLERANT, limit(bound={"above": "2%", "window": "5m", "for": "0s"}))])
    assert canonical(rule.model_dump(mode="json"))
    again = Rule.model_validate_json(rule.model_dump_json())
    assert again == rule
    assert again.digest == rule.digest


def test_the_digest_does_not_depend_on_how_a_number_is_written(bench):
    written = [[trigger("a", {"signal": "hallucinations", "tolerate": {"absolute": a}})] for a in ("0.010", "1%", 0.01)]
    assert len({bench.rule(triggers).digest for triggers in written}) == 1


def test_a_changed_copy_has_a_digest_of_its_own(bench):
    rule = bench.rule()
    assert rule.model_copy(update={"blind_after": 3}).digest != rule.digest
    row = bench.counted(0, (1, 100), (1, 100))
    assert row.digest != row.model_copy(update={"seq": 1}).digest
    assert row.digest == row.model_copy().digest

"""Remarks about wording help and stop nobody (LRN-3)."""

from __future__ import annotations

import pytest

from countermand.review.lint import lint

PEOPLE = {"Maria Keller": "safety lead"}


@pytest.mark.parametrize(
    ("text", "rule", "said"),
    [
        ("The operator should have looked twice.", "counterfactual", "should have"),
        ("They couldn't have known.", "counterfactual", "couldn't have"),
        ("The team failed to notice.", "counterfactual", "failed to"),
        ("It was human error.", "human_error", "human error"),
        ("A careless change went out.", "judging", "careless"),
        ("It was Maria who pressed it.", "name", "Maria"),
        ("The root cause is the judge.", "single_cause", "root cause"),
        ("The only reason was the cache.", "single_cause", "The only reason"),
    ],
)
def test_lrn_3_a_phrase_that_blames_gets_its_place_and_a_better_wording(text: str, rule: str, said: str) -> None:
    (found,) = lint("What people saw:\n" + text, PEOPLE)
    assert (found.rule, found.said, found.line) == (rule, said, 2)
    assert text[found.begins : found.ends] == said
    assert found.better


@pytest.mark.parametrize(
    "text",
    [
        "The judge scored it as good, so the release went on.",
        "Several factors came together: the causes were a late signal and a loose limit.",
        "The safety lead saw the alarm at 03:14 and asked for time.",
        "Mariana is a lake.",
    ],
)
def test_what_tells_what_happened_gets_no_remark(text: str) -> None:
    assert lint(text, PEOPLE) == ()

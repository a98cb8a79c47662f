"""Predicted and actual false alarms, 30 days later (LRN-13)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.learning.comparison import compare

WEEK = 7 * 86_400


@pytest.mark.parametrize(
    ("predicted", "weeks", "actual", "actual_weeks", "word"),
    [
        (0, 10, 0, 4, "inside"),
        (2, 10, 1, 4, "inside"),
        (2, 10, 9, 4, "outside"),
        (60, 10, 2, 4, "outside"),
        (0, 0, 3, 4, "unknown"),
        (3, 10, 0, 0, "unknown"),
    ],
)
def test_lrn_13_what_chance_does_not_explain_asks_a_person_to_look(
    predicted: int, weeks: int, actual: int, actual_weeks: int, word: str
) -> None:
    found = compare(predicted, weeks * WEEK, actual, actual_weeks * WEEK)
    assert found.word == word
    assert found.outside is (word != "inside"), "no data is no agreement"
    assert ("A person has to look" in found.sentence) is found.outside


def test_lrn_13_it_says_in_which_direction() -> None:
    assert "more than chance" in compare(2, 10 * WEEK, 9, 4 * WEEK).sentence
    assert "fewer than chance" in compare(60, 10 * WEEK, 2, 4 * WEEK).sentence


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 20), st.integers(1, 20))
def test_lrn_13_changing_sides_changes_nothing(predicted: int, actual: int, weeks: int, others: int) -> None:
    one, other = (
        compare(predicted, weeks * WEEK, actual, others * WEEK),
        compare(actual, others * WEEK, predicted, weeks * WEEK),
    )
    assert one.word == other.word

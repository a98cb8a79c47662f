"""Onset and sizes after the fact (DET-33, DET-34)."""

from __future__ import annotations

from statistics import median

import pytest

from countermand.detection.explanation import explain
from countermand.detection.models import Arm
from countermand.detection.watch import advance, start

CHANGE = 100


def watched(bench, rule, seed, factor):
    traffic, state, rows = bench.traffic(seed), start(rule), []
    for seq in range(400):
        rate = 0.005 * (factor if seq >= CHANGE else 1)
        rows.append(bench.counted(seq, (traffic.bad(1000, rate), 1000), (traffic.bad(1000, 0.005), 1000)))
        state = advance(rule, state, rows[-1])
        if state.latched_at is not None:
            break
    return state, rows


@pytest.mark.parametrize(("factor", "spread"), [(2, 12), (3, 4)])
def test_the_onset_is_close_to_the_change(bench, factor, spread):
    rule = bench.rule()
    errors = []
    for seed in range(20):
        state, rows = watched(bench, rule, seed, factor)
        errors.append(explain(rule, state, rows).onset.seq - CHANGE)
    assert abs(median(errors)) <= 1
    assert sum(abs(error) <= spread for error in errors) >= 17


def test_sizes_since_the_onset_are_for_orientation(bench):
    rule = bench.rule()
    rows = [bench.counted(i, (4, 1000), (5, 1000)) for i in range(10)]
    rows += [bench.counted(i, (30, 1000), (5, 1000)) for i in range(10, 14)]
    state = start(rule)
    for row in rows:
        state = advance(rule, state, row)
    told = explain(rule, state, rows)
    assert (told.onset.seq, told.onset.start) == (10, rows[10].start)
    candidate = told.criteria[0].since_onset[Arm.candidate]
    assert (candidate.bad, candidate.scored, candidate.per_10000) == (120, 4000, "300.0")
    assert candidate.interval == ("251.5", "357.5")
    assert told.sentence.startswith(
        "hallucinations since about 00:10 UTC, as it looks now: candidate 300.0 per 10,000 (120 of 4,000; "
        "251.5 to 357.5 for orientation); baseline 50.0 per 10,000 (20 of 4,000;"
    )


def test_without_harm_there_is_no_onset(bench):
    rule, state = bench.rule(), start(bench.rule())
    rows = [bench.counted(i, (2, 1000), (9, 1000)) for i in range(10)]
    for row in rows:
        state = advance(rule, state, row)
    told = explain(rule, state, rows)
    assert (told.onset, told.criteria[0].since_onset) == (None, {})


def test_rows_that_did_not_lead_to_the_state_are_refused(bench):
    rule = bench.rule()
    row = bench.counted(0, (2, 1000), (9, 1000))
    with pytest.raises(ValueError, match="did not lead to a state of this rule at row None"):
        explain(rule, start(rule), [row])

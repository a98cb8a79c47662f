"""Late samples, and what missing outputs could hide (DET-17, DET-18, §15 row 9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.detection.models import Arm
from countermand.detection.watch import advance, start, step

FINE = ((4, 1000), (5, 1000))


def late(bench, seq, candidate, baseline):
    row = bench.counted(seq, candidate, baseline)
    return row.model_copy(update={"late_of": seq})


def judged(bench, rule, rows):
    state, verdicts = start(rule), []
    for row in rows:
        state, verdict = step(rule, state, row)
        verdicts.append(verdict)
    return state, verdicts


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 500), st.integers(0, 500))
def test_late_samples_never_let_one_row_add_more_than_the_cap(bench, bad, usual, late_bad, late_usual):
    rule = bench.rule()
    first = judged(bench, rule, [bench.counted(0, *FINE)])[0]
    state, verdict = step(rule, first, bench.counted(1, (bad, 1000), (usual, 1000)))
    after = advance(rule, state, late(bench, 1, (late_bad, 500), (late_usual, 500)), verdict)
    used = verdict.criteria[0].used_micronats
    for old, new, original in zip(state.criteria[0].evidence, after.criteria[0].evidence, used, strict=True):
        assert new - old + max(original, 0) <= rule.cap
    assert (after.rows, after.seq, after.late) == (2, 1, 1)


def test_late_harm_counts(bench):
    rule = bench.rule()
    state, verdicts = judged(bench, rule, [bench.counted(i, *FINE) for i in range(3)])
    after = advance(rule, state, late(bench, 1, (50, 500), (2, 500)), verdicts[1])
    assert after.micronats > state.micronats + 500_000


def test_the_verdict_on_late_samples_speaks_of_the_watch_so_far(bench):
    rule = bench.rule()
    state, verdicts = judged(bench, rule, [bench.counted(i, *FINE) for i in range(3)])
    _, verdict = step(rule, state, late(bench, 0, *FINE), verdicts[0])
    assert (verdict.seq, verdict.criteria[0].unknown, verdict.criteria[0].used_micronats) == (0, None, ())
    assert verdict.criteria[0].sentence == verdicts[2].criteria[0].sentence


def test_late_samples_of_one_arm_alone_add_nothing(bench):
    rule = bench.rule()
    state, verdicts = judged(bench, rule, [bench.counted(i, *FINE) for i in range(2)])
    row = bench.row(0, bench.block(Arm.candidate, 500, 500), late_of=0)
    assert advance(rule, state, row, verdicts[0]).criteria == state.criteria


def test_each_row_has_one_late_row_in_order_and_not_too_late(bench):
    rule = bench.rule()
    state, verdicts = judged(bench, rule, [bench.counted(i, *FINE) for i in range(70)])
    for seq in (5, 70):
        with pytest.raises(ValueError, match="cannot be judged; accepted is one late row per row"):
            advance(rule, state, late(bench, seq, *FINE), verdicts[min(seq, 69)])
    state = advance(rule, state, late(bench, 30, *FINE), verdicts[30])
    for seq in (29, 30):
        with pytest.raises(ValueError, match="after 30, up to 69"):
            advance(rule, state, late(bench, seq, *FINE), verdicts[seq])


def test_late_samples_need_the_verdict_of_their_row(bench):
    rule = bench.rule()
    state, verdicts = judged(bench, rule, [bench.counted(i, *FINE) for i in range(2)])
    for wrong in (None, verdicts[0]):
        with pytest.raises(ValueError, match="need the verdict of that row by the same rule"):
            advance(rule, state, late(bench, 1, *FINE), wrong)


def test_the_watch_goes_on_after_a_late_row(bench):
    rule = bench.rule()
    state, verdicts = judged(bench, rule, [bench.counted(i, *FINE) for i in range(2)])
    state = advance(rule, state, late(bench, 0, *FINE), verdicts[0])
    assert advance(rule, state, bench.counted(2, *FINE)).rows == 3


def test_the_odds_if_missing_outputs_were_bad_are_shown_and_never_used(bench):
    rule = bench.rule()
    rows = [
        bench.row(i, bench.block(Arm.candidate, 4, 850, served=1000), bench.block(Arm.baseline, 5, 1000))
        for i in range(8)
    ]
    state, verdict = bench.last(rule, rows)
    complete, _ = bench.last(rule, [bench.counted(i, (4, 850), (5, 1000)) for i in range(8)])
    assert state.criteria[0].evidence == complete.criteria[0].evidence
    assert state.latched_at is None
    assert int(verdict.criteria[0].pessimistic_odds) > 1000


def test_without_missing_outputs_there_is_no_pessimistic_figure(bench):
    _, verdict = bench.last(bench.rule(), [bench.counted(0, *FINE)])
    assert verdict.criteria[0].pessimistic_odds is None

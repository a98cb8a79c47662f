"""How fast each kind of signal finds harm, and that it stays silent without (DET §12, §15 row 11). Fixed seeds."""

from __future__ import annotations

from statistics import median

import pytest

from countermand.detection.models import Arm

ROWS = 60


def rows_of_scores(bench, traffic, mean, rows=ROWS, n=200):
    for seq in range(rows):
        candidate = bench.moments(traffic.scores(n, mean, 0.15))
        baseline = bench.moments(traffic.scores(n, 0.80, 0.15))
        yield bench.row(seq, bench.filled(Arm.candidate, **candidate), bench.filled(Arm.baseline, **baseline))


def utility(bench, **changes):
    spec = {"kind": "score", "bad": "lower", "range": ["0", "1"]}
    return bench.signal_rule(spec, {"absolute": "0.01"}, **changes)


@pytest.mark.parametrize(("mean", "at_most"), [(0.75, 9), (0.70, 7)])
def test_a_lower_mean_score_is_found(bench, mean, at_most):
    traffic = bench.traffic(5)
    found = [bench.fires(utility(bench), rows_of_scores(bench, traffic, mean)) for _ in range(20)]
    assert median(blocks or ROWS + 1 for blocks in found) <= at_most


@pytest.mark.parametrize("mean", [0.80, 0.79])
def test_a_mean_score_within_the_tolerance_is_never_called_worse(bench, mean):
    traffic = bench.traffic(6)
    found = [bench.fires(utility(bench), rows_of_scores(bench, traffic, mean)) for _ in range(20)]
    assert found == [None] * 20


def rows_of_latency(bench, traffic, factor, rows=25, n=1000):
    for seq in range(rows):
        arms = (Arm.candidate, factor), (Arm.baseline, 1.0)
        yield bench.row(seq, *(bench.filled(arm, scored=n, hist=traffic.latencies(n, times)) for arm, times in arms))


@pytest.mark.parametrize(("factor", "at_most"), [(1.25, 8 + 5), (1.5, 6 + 5)])
def test_slower_answers_are_found(bench, factor, at_most):
    """The first five blocks warm up."""
    traffic = bench.traffic(7)
    rule = bench.signal_rule({"kind": "latency"}, {"slower_by": "10%"})
    found = [bench.fires(rule, rows_of_latency(bench, traffic, factor)) for _ in range(5)]
    assert median(blocks or 99 for blocks in found) <= at_most


@pytest.mark.parametrize("factor", [1.0, 1.08])
def test_answers_that_are_hardly_slower_are_not_called_worse(bench, factor):
    traffic = bench.traffic(8)
    rule = bench.signal_rule({"kind": "latency"}, {"slower_by": "10%"})
    assert [bench.fires(rule, rows_of_latency(bench, traffic, factor, rows=40)) for _ in range(3)] == [None] * 3


GROUPED = {"kind": "gap", "of": "hallucinations", "group_by": "language", "groups": ["de"], "family": "fairness"}


def rows_of_groups(bench, traffic, group, rest, rows=120):
    for seq in range(rows):
        blocks = []
        for arm, in_group, others in ((Arm.candidate, group, rest), (Arm.baseline, 0.03, 0.03)):
            bad = traffic.bad(100, in_group), traffic.bad(900, others)
            blocks.append(bench.filled(arm, "hallucinations", bad=sum(bad), scored=1000))
            blocks.append(bench.filled(arm, "hallucinations", "language=de", bad=bad[0], scored=100))
        yield bench.row(seq, *blocks)


def gap_rule(bench):
    return bench.signal_rule(GROUPED, {"absolute": "0.02"}, signals={"hallucinations": {"expect": "0.03"}})


@pytest.mark.parametrize(("more", "at_most"), [(0.05, 36), (0.10, 11)])
def test_a_group_that_is_served_worse_than_the_rest_is_found(bench, more, at_most):
    traffic = bench.traffic(9)
    found = [bench.fires(gap_rule(bench), rows_of_groups(bench, traffic, 0.03 + more, 0.03)) for _ in range(20)]
    assert median(blocks or 121 for blocks in found) <= at_most


def test_harm_that_hits_everybody_alike_is_no_gap(bench):
    traffic = bench.traffic(10)
    found = [bench.fires(gap_rule(bench), rows_of_groups(bench, traffic, 0.06, 0.06)) for _ in range(10)]
    assert found == [None] * 10


def rows_of_scored_groups(bench, traffic, group, rest, rows=60):
    for seq in range(rows):
        for_arm = {Arm.candidate: (group, rest), Arm.baseline: (0.8, 0.8)}
        blocks = []
        for arm, means in for_arm.items():
            in_group, others = (traffic.scores(n, mean, 0.15) for n, mean in zip((50, 150), means, strict=True))
            blocks.append(bench.filled(arm, "utility", **bench.moments(in_group + others)))
            blocks.append(bench.filled(arm, "utility", "language=de", **bench.moments(in_group)))
        yield bench.row(seq, *blocks)


def test_a_group_whose_scores_fall_behind_is_found_and_a_fall_for_everybody_is_no_gap(bench):
    """A gap of 0.1 of the range grew where 0.02 is tolerated (0.08 of a range from 1 to 5)."""
    traffic = bench.traffic(14)
    rule = bench.signal_rule({**GROUPED, "of": "utility"}, {"absolute": "0.08"})
    found = [bench.fires(rule, rows_of_scored_groups(bench, traffic, 0.7, 0.8)) for _ in range(8)]
    assert median(blocks or 61 for blocks in found) <= 15
    alike = [bench.fires(rule, rows_of_scored_groups(bench, traffic, 0.7, 0.7)) for _ in range(4)]
    assert alike == [None] * 4


TOPICS = [f"topic_{i}" for i in range(19)]


def rows_of_topics(bench, traffic, shift, n=500, rows=60):
    even = [0.05] * 20
    changed = [0.05 * (1 + shift if i < 10 else 1 - shift) for i in range(20)]
    for seq in range(rows):
        blocks = []
        for arm, shares in ((Arm.candidate, changed), (Arm.baseline, even)):
            counts = traffic.mix(n, shares)
            named = dict(zip(TOPICS, counts, strict=False)) | {"something_else": counts[-1]}
            blocks.append(bench.filled(arm, scored=n, counts=named))
        yield bench.row(seq, *blocks)


def topics(bench, size):
    return bench.signal_rule({"kind": "categories", "categories": TOPICS}, {"size": size})


def test_another_mix_of_topics_is_found_when_it_is_large_enough_to_matter(bench):
    """A shift of ±43 % is a stability index of about 0.2."""
    traffic = bench.traffic(11)
    found = [bench.fires(topics(bench, "0.1"), rows_of_topics(bench, traffic, 0.43)) for _ in range(8)]
    assert median(blocks or 61 for blocks in found) <= 10
    state, verdict = bench.last(topics(bench, "0.5"), list(rows_of_topics(bench, traffic, 0.43)))
    assert state.criteria[0].micronats > 50_000_000
    assert (state.criteria[0].shut, state.latched_at, verdict.criteria[0].gate) == (True, None, "shut")


def test_chance_alone_does_not_look_like_another_mix(bench):
    traffic = bench.traffic(12)
    rows = [rows_of_topics(bench, traffic, 0.0, n=50, rows=100) for _ in range(8)]
    assert [bench.fires(topics(bench, "0.1"), each) for each in rows] == [None] * 8


def rows_of_silence(bench, traffic, share, rows=60, n=1000):
    for seq in range(rows):
        blocks = []
        for arm, missing in ((Arm.candidate, share), (Arm.baseline, 0.10)):
            scored = n - traffic.bad(n, missing)
            blocks.append(bench.filled(arm, "hallucinations", served=n, scored=scored, bad=0))
        yield bench.row(seq, *blocks)


@pytest.mark.parametrize(("share", "at_most"), [(0.15, 7), (0.12, 22)])
def test_a_candidate_whose_outputs_are_not_scored_is_found(bench, share, at_most):
    traffic = bench.traffic(13)
    rule = bench.signal_rule({"kind": "missing", "of": "hallucinations"}, {"absolute": "0"})
    found = [bench.fires(rule, rows_of_silence(bench, traffic, share)) for _ in range(20)]
    assert median(blocks or 61 for blocks in found) <= at_most


def test_outputs_that_stopped_being_scored_altogether_are_found_though_their_block_is_unknown(bench):
    rows = []
    for seq in range(20):
        dark = bench.unknown(Arm.candidate, "empty").model_copy(update={"served": 1000})
        rows.append(bench.row(seq, dark, bench.block(Arm.baseline, 5, 990, served=1000)))
    rule = bench.signal_rule({"kind": "missing", "of": "hallucinations", "expect": "0.01"}, {"ratio": "1.2"})
    assert bench.fires(rule, rows) == 5

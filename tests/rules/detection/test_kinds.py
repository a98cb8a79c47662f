"""What each kind of signal remembers, says and refuses (DET-2, DET-4, DET-8, §4.6)."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from pydantic import ValidationError

from countermand.detection.kinds import latency
from countermand.detection.models import Arm, Verdict, VerdictWord
from countermand.detection.state import State
from countermand.detection.watch import start, step

SCORE = {"kind": "score", "bad": "lower", "range": ["1", "5"]}
MIX = {"kind": "categories", "categories": [f"c{i}" for i in range(19)]}
GAP = {"kind": "gap", "of": "hallucinations", "group_by": "language", "groups": ["de", "sw"], "family": "fairness"}
KINDS = {
    "score": (SCORE, {"absolute": "0.1"}),
    "latency": ({"kind": "latency"}, {"slower_by": "10%"}),
    "gap": (GAP, {"absolute": "0.02"}),
    "score_gap": ({**GAP, "of": "utility"}, {"absolute": "0.1"}),
    "categories": (MIX, {"size": "0.1"}),
    "missing": ({"kind": "missing", "of": "hallucinations"}, {"absolute": "0.02"}),
    "judgement": ({"kind": "judgement", "bad": "higher", "expect": "0.1"}, {"ratio": "1.5"}),
}


def rows_of(bench, kind, rows, worse=1.0):
    """Rows with data for one kind of signal; the candidate is worse by a factor."""
    traffic = bench.traffic(71)
    for seq in range(rows):
        blocks = []
        for arm in Arm:
            factor = worse if arm is Arm.candidate else 1.0
            match kind:
                case "score":
                    blocks.append(bench.filled(arm, **bench.moments(traffic.scores(200, 0.8 / factor, 0.1))))
                case "score_gap":
                    groups = {"de": traffic.scores(100, 0.8 / factor, 0.1), "sw": traffic.scores(100, 0.8, 0.1)}
                    for group, scores in groups.items():
                        blocks.append(bench.filled(arm, "utility", f"language={group}", **bench.moments(scores)))
                    every = [score for scores in groups.values() for score in scores] + traffic.scores(300, 0.8, 0.1)
                    blocks.append(bench.filled(arm, "utility", **bench.moments(every)))
                case "latency":
                    blocks.append(bench.filled(arm, scored=500, hist=traffic.latencies(500, factor)))
                case "categories":
                    shares = [0.05 * (factor if i else 1 + 19 * (1 - factor)) for i in range(20)]
                    counts = traffic.mix(500, [abs(share) / sum(map(abs, shares)) for share in shares])
                    blocks.append(bench.filled(arm, scored=500, counts={f"c{i}": n for i, n in enumerate(counts)}))
                case "judgement":
                    blocks.append(bench.filled(arm, scored=500, bad=traffic.bad(500, 0.1 * factor)))
                case _:
                    parts = {"de": traffic.bad(100, 0.05 * factor), "sw": traffic.bad(100, 0.05)}
                    for group, bad in parts.items():
                        blocks.append(bench.filled(arm, "hallucinations", f"language={group}", bad=bad, scored=100))
                    bad = sum(parts.values()) + traffic.bad(800, 0.05)
                    served = 1000 + traffic.bad(1000, 0.05 * factor)
                    blocks.append(bench.filled(arm, "hallucinations", bad=bad, scored=1000, served=served))
        yield bench.row(seq, *blocks)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_small_and_survives_json_after_every_row(bench, kind):
    rule = bench.signal_rule(*KINDS[kind])
    state = start(rule)
    for row in rows_of(bench, kind, 40):
        state, verdict = step(rule, state, row)
        assert State.model_validate_json(state.model_dump_json()) == state
        assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict
    assert len(state.criteria[0].model_dump_json()) <= 1536
    assert state.latched_at is None


@pytest.mark.parametrize("kind", KINDS)
def test_harm_of_every_kind_fires_and_is_told_in_words(bench, kind):
    rule = bench.signal_rule(*KINDS[kind])
    worse = {"score": 1.3, "categories": 0.5, "latency": 1.6}.get(kind, 3.0)
    state, verdict = bench.last(rule, list(rows_of(bench, kind, 60, worse)))
    assert state.latched_at is not None
    said = {
        "score": r"on average of [\d,]+ answers on the candidate against",
        "latency": r"of [\d,]+ answers on the candidate took more than [\d,]+ ms, against",
        "gap": r"hallucinations for de 1\d\.\d % of [\d,]+ answers on the candidate, for all others",
        "score_gap": r"utility for de \d\.\d+ on average of [\d,]+ answers on the candidate, for all others \d\.\d+;",
        "categories": r"differs from the baseline's by a stability index of \d",
        "missing": r"answers were not scored on the candidate",
        "judgement": r"answers on the candidate \(",
    }
    assert re.search(said[kind], verdict.sentence), verdict.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_without_the_sums_of_a_kind_are_unknown(bench, kind):
    rule = bench.signal_rule(*KINDS[kind])
    _, verdict = bench.last(rule, [bench.row(0, bench.filled(Arm.candidate, scored=10), bench.unknown(Arm.baseline))])
    assert verdict.word is VerdictWord.unknown
    assert verdict.criteria[0].unknown is not None


def test_the_first_row_of_scores_trains_and_is_not_judged(bench):
    words = [v.word for _, v in bench.watch(bench.signal_rule(*KINDS["score"]), list(rows_of(bench, "score", 2)))]
    assert words == [VerdictWord.unknown, VerdictWord.ok]


def test_rows_from_before_the_release_train_the_guesses(bench):
    rule, rows = bench.signal_rule(*KINDS["score"]), list(rows_of(bench, "score", 40))
    state = start(rule, rows)
    assert state.criteria[0].memory.noise[0][2] == 30
    assert state.criteria[0].evidence == ()
    _, verdict = step(rule, state, rows[0])
    assert verdict.word is VerdictWord.ok


@pytest.mark.parametrize(
    ("spec", "tolerate", "ratio", "absolute"),
    [
        (SCORE, {"absolute": "0.4"}, "1", "0.1"),
        (SCORE, {"relative": "8%"}, "1", "0.1"),
        ({**SCORE, "bad": "higher"}, {"absolute": "0.4"}, "1", "0.1"),
        ({**SCORE, "bad": "higher"}, {"relative": "8%"}, "1.08", "0.02"),
        ({"kind": "rate", "bad": "lower", "expect": "0.7"}, {"relative": "5%"}, "0.95", "0.05"),
        (GAP, {"absolute": "0.02"}, "1", "0.02"),
        ({**GAP, "of": "utility"}, {"absolute": "0.4"}, "1", "0.1"),
        ({"kind": "missing", "of": "utility"}, {"absolute": "0.4"}, "1", "0.4"),
        ({"kind": "latency"}, {"ratio": "1.5"}, "1.5", "0"),
    ],
)
def test_tolerances_map_to_a_line_on_the_bad_side(bench, spec, tolerate, ratio, absolute):
    criterion = bench.signal_rule(spec, tolerate).criteria[0]
    assert (criterion.ratio, criterion.absolute) == (Decimal(ratio), Decimal(absolute))


@pytest.mark.parametrize(
    ("spec", "tolerate", "said"),
    [
        (SCORE, {"ratio": "1.2"}, "ratio does not fit a signal of kind score"),
        ({**SCORE, "range": ["-1", "1"]}, {"relative": "5%"}, "relative needs scores that are never negative"),
        (SCORE, {"absolute": "4"}, "the whole range or more: this can never fire"),
        ({"kind": "latency"}, {"absolute": "0.1"}, "it takes slower_by or ratio"),
        ({"kind": "rate", "bad": "higher", "expect": "0.1"}, {"relative": "5%"}, "it takes absolute and ratio"),
        ({"kind": "rate", "bad": "higher", "expect": "0.1"}, {"absolute": "0.6"}, "'0.6' is too large"),
        ({**GAP, "of": "nothing"}, {"absolute": "0.1"}, "'nothing' is unknown; a rate or a score is needed"),
        ({**GAP, "of": "utility"}, {"absolute": "4"}, "the whole range or more: this can never fire"),
        ({"kind": "score", "bad": "lower"}, {"absolute": "0.1"}, "'range' is missing"),
        ({**SCORE, "quantiles": ["0.5"]}, {"absolute": "0.1"}, "'quantiles' does not belong to a signal of kind score"),
        ({**SCORE, "range": ["5", "1"]}, {"absolute": "0.1"}, "is empty; write"),
        ({"kind": "latency", "edges": ["10", "5"]}, {"slower_by": "10%"}, "are not ascending"),
    ],
)
def test_what_does_not_fit_a_kind_is_refused(bench, spec, tolerate, said):
    with pytest.raises(ValidationError, match=said):
        bench.signal_rule(spec, tolerate)


def test_the_threshold_of_the_candidate_is_the_first_edge_that_is_slower_enough(bench):
    criterion = bench.signal_rule({"kind": "latency", "edges": ["100", "105", "120", "200"]}, {"slower_by": "10%"})
    assert [latency.moved(criterion.criteria[0], index) for index in range(5)] == [2, 2, 3, 4, 4]
    geometric = bench.signal_rule({"kind": "latency"}, {"slower_by": "10%"}).criteria[0]
    assert latency.moved(geometric, 100) == 102
    assert latency.edge(geometric, 102) >= 1.1 * latency.edge(geometric, 100)

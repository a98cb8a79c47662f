"""Criteria are tried before they are trusted: harm is found in time, bursts and clean rows stay silent (LRN-28, R4)."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import pairwise

import pytest

from activities import watching
from countermand.detection import evaluator, harm
from countermand.detection.chance import binomial, split
from countermand.detection.models import Arm, VerdictWord
from countermand.detection.planted import Harm, plant
from countermand.detection.synthetic import synthetic
from countermand.detection.trial import SLACK, trials
from countermand.detection.tried import Setting
from tests.rules.detection.conftest import MIDNIGHT

SPIKE = timedelta(minutes=2)
AT = timedelta(minutes=30)
TOLERANT = {"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}
#: Keys of the fragment's rate that other kinds do not take.
BARE = {"bad": None, "expect": None, "show": None}


def draws(name, seed=1):
    return iter(random.Random(f"{seed}/{name}").random, None)  # noqa: S311


def rows_of(detection, n=1000, rows=240, seed=1):
    traffic = {name: (n, n) for name in detection.signals}
    return list(synthetic(detection, traffic, rows, MIDNIGHT, draws("rows", seed))), traffic


def tried(detection, *, n=1000, rows=240, known=None, seed=1, **setting):
    """The trial of the first trigger, on synthetic rows unless others are given."""
    made, traffic = rows_of(detection, n, rows, seed)
    known = made if known is None else known
    usual = harm.expected(detection) or harm.observed(detection, known)
    setting = Setting(**{"at": AT, "spike": SPIKE, **setting})
    return next(trials(detection, known, usual, traffic, setting, lambda name: draws(name, seed)))


class TestChance:
    @pytest.mark.parametrize(("n", "p"), [(1000, 0.005), (40, 0.5), (100_000, 0.02), (10, 0.99)])
    def test_counts_have_the_mean_and_spread_of_a_binomial(self, n, p):
        found = [binomial(n, p, (k + 0.5) / 2000) for k in range(2000)]
        mean = sum(found) / len(found)
        assert mean == pytest.approx(n * p, rel=0.01)
        assert sum((x - mean) ** 2 for x in found) / len(found) == pytest.approx(n * p * (1 - p), rel=0.05, abs=0.05)

    def test_a_larger_number_never_makes_a_smaller_count(self):
        assert all(x <= y for x, y in pairwise(binomial(200, 0.3, k / 500) for k in range(500)))

    def test_the_ends_are_exact(self):
        assert (binomial(7, 0, 0.9), binomial(7, 1, 0.1), binomial(0, 0.5, 0.5), binomial(7, -1, 0.5)) == (0, 7, 0, 0)

    def test_dealing_out_loses_nothing(self):
        assert sum(split(1000, [0.2, 0.3, 0.5], draws("deal"))) == 1000


KINDS = {
    "rate": ({"kind": "rate"}, {"ratio": "1.2"}),
    "judgement": ({"kind": "judgement"}, {"ratio": "1.2"}),
    "good outputs": ({"kind": "rate", "bad": "lower", "expect": "0.9"}, {"absolute": "0.02"}),
    "score": (
        {**BARE, "kind": "score", "bad": "lower", "range": ["0", "1"], "expect": "0.8"},
        {"absolute": "0.01"},
    ),
    "cost": (
        {**BARE, "kind": "score", "bad": "higher", "range": ["0", "10"], "expect": "1"},
        {"relative": "0.1"},
    ),
    "latency": ({**BARE, "kind": "latency"}, {"slower_by": "0.1"}),
    "declared edges": (
        {**BARE, "kind": "latency", "edges": ["100", "200", "400", "500", "700", "1000", "2000", "5000"]},
        {"slower_by": "0.1"},
    ),
    "gap": (
        {**BARE, "kind": "gap", "of": "hallucinations", "group_by": "language", "groups": ["de", "sw"]},
        {"absolute": "0.02"},
    ),
    "categories": ({**BARE, "kind": "categories", "categories": ["billing", "returns"]}, {"size": "0.1"}),
    "missing": ({**BARE, "kind": "missing", "of": "hallucinations", "expect": "0.05"}, {"absolute": "0.02"}),
}


def detection_of(bench, kind, **changes):
    spec, tolerate = KINDS[kind]
    hallucinations = {"expect": "0.05"} if spec.get("of") else {}
    return bench.detection(
        [{"id": "t", "any": [{"signal": "s", "tolerate": tolerate}]}],
        signals={"s": spec, "hallucinations": hallucinations},
        **changes,
    )


class TestEveryKind:
    @pytest.mark.parametrize("kind", KINDS)
    def test_harm_beyond_the_tolerance_is_found_and_nothing_else_is(self, bench, kind):
        found = tried(detection_of(bench, kind))
        assert [one.state for one in found.criteria] == ["found"], found
        assert (found.clean, found.spike) == (None, None)
        assert found.as_promised

    @pytest.mark.parametrize("kind", KINDS)
    def test_planting_changes_the_candidate_of_that_signal_alone_and_always_alike(self, bench, kind):
        detection = detection_of(bench, kind)
        row = rows_of(detection, rows=1)[0][0]
        one = Harm(signal="s", part=0.3, factor=2)
        worse = plant(detection.signals, one, row, 1, draws("x"))
        assert worse != row
        assert worse == plant(detection.signals, one, row, 1, draws("x"))
        reads = detection.signals["s"].of or "s"
        untouched = [b for b in row.blocks if b.arm is Arm.baseline or b.signal != reads]
        assert all(worse.find(b.signal, b.arm, b.segment) == b for b in untouched)
        assert plant(detection.signals, one, row, 0, draws("x")) == row

    @pytest.mark.parametrize("part", [0.001, 0.5, 0.999, 1.0])
    @pytest.mark.parametrize("kind", KINDS)
    def test_planted_blocks_add_up_however_much_is_planted(self, bench, kind, part):
        detection = detection_of(bench, kind)
        for n in (1, 3, 50):
            row = rows_of(detection, n=n, rows=1)[0][0]
            plant(detection.signals, Harm(signal="s", part=part, factor=1 + part), row, part, draws("x"))

    def test_a_gap_harms_its_groups_and_nobody_else(self, bench):
        detection = detection_of(bench, "gap")
        row = rows_of(detection, rows=1)[0][0]
        worse = plant(detection.signals, Harm(signal="s", part=0.5), row, 1, draws("x"))

        def rest(of):
            parts = [of.find("hallucinations", Arm.candidate, f"language={group}") for group in ("de", "sw")]
            return of.find("hallucinations", Arm.candidate).bad - sum(part.bad for part in parts)

        assert rest(worse) == rest(row)

    def test_an_unknown_block_stays_unknown(self, bench):
        detection = bench.detection()
        row = bench.dark(0)
        assert plant(detection.signals, Harm(signal="hallucinations", part=1), row, 1, draws("x")) == row


class TestPromises:
    def test_the_forecast_holds_at_deploy_and_later(self, bench):
        for at in (timedelta(0), AT):
            (one,) = tried(bench.detection(), at=at, times=3).criteria
            assert one.within is not None
            assert one.p95 is not None
            assert one.within >= SLACK * one.p95
            assert one.after is not None
            assert one.after <= one.within
            assert one.planted == "50.0 per 10,000 to 150 per 10,000"

    def test_harm_of_many_seeds_is_found_within_the_slack(self, bench):
        late = [seed for seed in range(20) if tried(bench.detection(), times=3, seed=seed).criteria[0].state != "found"]
        assert late == []

    def test_what_a_criterion_accepts_does_not_count_as_tried(self, bench):
        found = tried(bench.detection(), times=1.15)
        assert [one.state for one in found.criteria] == ["tolerated"]
        assert found.together is None
        assert not found.as_promised

    def test_too_little_traffic_is_silent_and_says_what_would_help(self, bench):
        found = tried(bench.detection(), n=2)
        assert [one.state for one in found.criteria] == ["silent"]
        assert not found.as_promised
        (slow,) = tried(bench.detection(watch="4h"), n=2).criteria
        assert slow.why == "the forecast does not see it within the watch: score more outputs"

    def test_harm_that_the_rows_already_hold_is_not_called_clean(self, bench):
        detection = bench.detection()
        harmed = Harm(signal="hallucinations", part=0.02)
        known = [plant(detection.signals, harmed, row, 1, draws("k")) for row in rows_of(detection)[0]]
        found = tried(detection, known=known)
        assert found.clean is not None
        assert not found.as_promised
        assert "into rows without planted harm" in found.sentence

    def test_a_burst_as_long_as_sustain_is_no_burst(self, bench):
        with pytest.raises(ValueError, match="lasting harm to this playbook, which asks for 5 minutes"):
            tried(bench.detection(), spike=timedelta(minutes=5))

    def test_harm_after_the_last_row_is_refused(self, bench):
        with pytest.raises(ValueError, match="the rows last 20 minutes; harm begins after 30 minutes"):
            tried(bench.detection(), rows=20)

    def test_a_plain_threshold_that_a_burst_fires_is_said(self, bench):
        bound = {"bound": {"above": "0.02", "window": "1m", "for": "2m"}}
        found = tried(bench.detection([{"id": "old", "any": [{"signal": "hallucinations", "rule": bound}]}]))
        assert found.criteria[0].state == "found"
        assert found.spike is not None
        assert not found.as_promised
        assert "also fires on a burst of 2 minutes" in found.sentence

    def test_without_a_baseline_a_criterion_is_untried(self, bench):
        detection = bench.detection(signals={"hallucinations": {"baseline": "none"}})
        found = tried(detection)
        assert [one.state for one in found.criteria] == ["untried"]
        assert not found.as_promised


class TestCombinations:
    def two_of_three(self, bench):
        names = ("a", "b", "c")
        members = [{"signal": name, "tolerate": {"ratio": "1.2"}} for name in names]
        return bench.detection([{"id": "t", "at_least": {"k": 2, "of": members}}], signals={name: {} for name in names})

    def test_each_of_k_of_n_shows_its_part_and_only_together_they_fire(self, bench):
        found = tried(self.two_of_three(bench))
        assert [one.state for one in found.criteria] == ["found"] * 3
        assert [one.alone for one in found.criteria] == [False] * 3
        assert found.together is not None
        assert found.as_promised

    def test_any_of_two_fires_by_one_alone(self, bench):
        members = [{"signal": name, "tolerate": {"ratio": "1.2"}} for name in ("a", "b")]
        found = tried(bench.detection([{"id": "t", "any": members}], signals={"a": {}, "b": {}}))
        assert [one.alone for one in found.criteria] == [True, True]
        assert "alone enough: a and b" in found.sentence


class TestRecordedRows:
    def test_what_the_baseline_shows_is_usual(self, bench):
        detection = bench.detection()
        known = [bench.counted(i, (10, 1000), (10, 1000)) for i in range(5)]
        assert harm.observed(detection, known) == {"hallucinations": 0.01}
        assert harm.traffic_seen(detection, known) == {"hallucinations": (1000, 1000)}
        assert list(harm.differences(detection, known)) == [
            "hallucinations: the baseline shows 100 per 10,000, the playbook expects 50.0 per 10,000"
        ]

    def test_nothing_is_said_to_differ_where_nothing_does(self, bench):
        known = [bench.counted(i, (5, 1000), (5, 1000)) for i in range(5)]
        assert list(harm.differences(bench.detection(), known)) == []


class TestThePast:
    def test_the_live_watch_and_every_replay_step_the_same_object(self):
        assert watching.Evaluator is evaluator.Evaluator

    def test_only_changes_are_told_with_the_end_of_their_block(self, bench):
        rows = [bench.counted(i, (5 if i < 10 else 40, 1000), (5, 1000)) for i in range(30)]
        told = list(evaluator.changes(bench.detection(), rows))
        assert told[0].verdict.word is VerdictWord.ok
        assert told[-1].verdict.word is VerdictWord.trigger
        assert evaluator.fired(told[-1].verdict) == ["truth"]
        assert told[-1].at == rows[told[-1].verdict.seq].start + timedelta(minutes=1)
        assert len({evaluator.signature(change.verdict) for change in told}) >= 2

    def test_a_stretch_may_begin_in_the_middle_and_late_rows_from_before_it_are_left_out(self, bench):
        rows = [bench.counted(i, (5, 1000), (5, 1000)) for i in range(40, 60)]
        late = [
            bench.row(seq, bench.block(Arm.candidate, 1, 10), bench.block(Arm.baseline, 1, 10), late_of=seq)
            for seq in (39, 41)
        ]
        told = list(evaluator.changes(bench.detection(), [*rows[:5], *late, *rows[5:]]))
        assert [change.verdict.word for change in told] == [VerdictWord.ok]

    def test_rows_of_another_block_length_are_refused(self, bench):
        with pytest.raises(ValueError, match="the rule judges blocks of '1m'"):
            list(evaluator.changes(bench.detection(), [bench.row(0, block="30s")]))

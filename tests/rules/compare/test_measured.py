"""What is said about two versions from their sealed blocks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from countermand.compare.intervals import of_shares
from countermand.compare.measured import Delta, Measured, Side
from countermand.detection.blocks import Arm, Block, BlockState, Row
from countermand.playbook.signals import SignalSpec

START = datetime(2026, 11, 20, 3, tzinfo=UTC)
CANDIDATE, BASELINE = Arm.candidate, Arm.baseline


def spec(kind: str = "rate", **changes: Any) -> SignalSpec:
    needs: dict[str, dict[str, Any]] = {
        "rate": {"bad": "higher", "expect": "0.03"},
        "score": {"bad": "lower", "range": (1, 5)},
        "latency": {},
        "categories": {"categories": ("billing", "cards")},
        "missing": {"of": "quality"},
        "gap": {"of": "quality", "group_by": "language", "groups": ("de",)},
    }
    common = {"kind": kind, "family": "model_quality", "meaning": "What is looked at.", "source": "judge"}
    return SignalSpec.model_validate(common | needs[kind] | changes)


def row(seq: int, *blocks: Block) -> Row:
    return Row(seq=seq, start=START + seq * timedelta(minutes=1), block=timedelta(minutes=1), blocks=blocks)


def block(arm: Arm, scored: int, bad: int = 0, **more: Any) -> Block:
    fields = {"signal": "quality", "served": scored, "state": BlockState.ok} | more
    return Block(arm=arm, scored=scored, bad=bad, **fields)


def side_by_side(
    signal: SignalSpec, rows: Iterable[Row], name: str = "quality", **others: SignalSpec
) -> Sequence[Delta]:
    signals = {name: signal}
    measured = Measured(Side(signals, BASELINE), Side(signals, CANDIDATE), concurrent=True)
    measured.together(rows)
    return measured.deltas()


def test_a_rate_is_compared_with_both_samples_the_difference_and_its_interval() -> None:
    rows = [row(i, block(BASELINE, 50, 1), block(CANDIDATE, 50, 4)) for i in range(10)]
    (found,) = side_by_side(spec(), rows)
    assert (found.a.n, found.b.n, found.a.value, found.b.value) == (500, 500, 2.0, 8.0)
    assert found.b.said == "8.00 % bad (40 of 500 outputs)"
    low, high = of_shares(10, 500, 40, 500)
    assert (found.low, found.high) == pytest.approx((100 * (low or 0), 100 * (high or 0)), abs=1e-5)
    assert (found.difference, found.word) == (6.0, "worse")
    assert "From a to b +6 points, between +3.3" in found.sentence
    assert found.blockwise == pytest.approx(6.0)


def test_a_difference_that_the_interval_does_not_prove_is_not_called_one() -> None:
    (found,) = side_by_side(spec(), [row(0, block(BASELINE, 100, 3), block(CANDIDATE, 100, 5))])
    assert found.word == "no_difference_shown"
    assert "no difference is shown" in found.sentence


def test_what_nobody_measured_is_said_and_never_zero() -> None:
    silent = block(CANDIDATE, 0, state=BlockState.unknown, reason="no_traffic", served=0)
    (found,) = side_by_side(spec(), [row(0, block(BASELINE, 100, 3), silent)])
    assert (found.word, found.difference, found.low, found.b.value) == ("not_measured", None, None, None)
    assert found.sentence == "Not measured: no known block side by side."


def test_blocks_in_which_only_one_of_them_served_are_left_out_of_a_concurrent_comparison() -> None:
    rows = [row(0, block(BASELINE, 100, 2), block(CANDIDATE, 100, 2)), row(1, block(BASELINE, 100, 90))]
    (found,) = side_by_side(spec(), rows)
    assert (found.a.n, found.a.value) == (100, 2.0)


def test_too_few_labels_make_a_block_unknown() -> None:
    (found,) = side_by_side(spec(), [row(0, block(BASELINE, 79, served=100), block(CANDIDATE, 100))])
    assert found.word == "not_measured"
    (found,) = side_by_side(spec(), [row(0, block(BASELINE, 80, served=100), block(CANDIDATE, 100))])
    assert found.word == "no_difference_shown"


def test_a_split_that_moved_with_the_load_is_noticed() -> None:
    """Both are equally bad in each block; the candidate only served more in the bad hour (Simpson's paradox)."""
    calm = [row(i, block(BASELINE, 900, 9), block(CANDIDATE, 100, 1)) for i in range(20)]
    rough = [row(20 + i, block(BASELINE, 100, 10), block(CANDIDATE, 900, 90)) for i in range(20)]
    (found,) = side_by_side(spec(), [*calm, *rough])
    assert found.word == "worse"
    assert found.blockwise == pytest.approx(0.0)
    assert "the split of traffic changed meanwhile" in found.sentence


def test_a_score_is_compared_in_its_own_units_and_lower_is_worse_where_it_is() -> None:
    def scores(arm: Arm, steps: int) -> Block:
        around = (steps - 500, steps + 500)
        return block(arm, 100, sum=50 * sum(around), sumsq=50 * sum(s * s for s in around))

    (found,) = side_by_side(spec("score"), [row(0, scores(BASELINE, 7_500), scores(CANDIDATE, 5_000))])
    assert (found.a.value, found.b.value, found.difference, found.word) == (4.0, 3.0, -1.0, "worse")
    assert found.a.said == "mean 4 (100 outputs)"
    assert found.high is not None
    assert -1.1 < (found.low or 0) < -1 < found.high < -0.9


def test_few_scores_have_a_difference_and_no_interval() -> None:
    few = {"sum": 29 * 5_000, "sumsq": 29 * 5_000**2}
    (found,) = side_by_side(spec("score"), [row(0, block(BASELINE, 29, **few), block(CANDIDATE, 29, **few))])
    assert (found.low, found.high, found.method) == (None, None, "")
    assert "too few outputs for an interval" in found.sentence


def test_a_latency_is_compared_at_its_slowest_quantile_between_edges_of_buckets() -> None:
    signal = spec("latency", quantiles=("0.5",), edges=(100, 200, 400, 800))
    a, b = (block(arm, 1_000, hist=hist) for arm, hist in ((BASELINE, {0: 900, 1: 100}), (CANDIDATE, {2: 900, 3: 100})))
    (found,) = side_by_side(signal, [row(0, a, b)])
    assert (found.a.value, found.b.value, found.unit) == (100.0, 400.0, "ms")
    assert (found.low, found.high, found.word) == (100.0, 400.0, "worse")


def test_a_latency_above_the_last_edge_has_no_number_and_no_upper_bound() -> None:
    signal = spec("latency", quantiles=("0.5",), edges=(100, 200))
    a, b = (block(arm, 1_000, hist=hist) for arm, hist in ((BASELINE, {0: 1_000}), (CANDIDATE, {2: 1_000})))
    (found,) = side_by_side(signal, [row(0, a, b)])
    assert (found.b.value, found.difference, found.high) == (None, None, None)
    assert "above the last bucket" in found.sentence


def test_categories_are_compared_one_by_one_and_neither_way_is_worse() -> None:
    a = block(BASELINE, 1_000, counts={"billing": 500, "cards": 500})
    b = block(CANDIDATE, 1_000, counts={"billing": 700, "cards": 300})
    found = side_by_side(spec("categories"), [row(0, a, b)])
    assert [(one.category, one.difference, one.word) for one in found] == [
        ("billing", 20.0, "different"),
        ("cards", -20.0, "different"),
    ]


def test_outputs_that_were_never_scored_are_compared_from_the_blocks_of_their_signal() -> None:
    rows = [row(0, block(BASELINE, 990, served=1_000), block(CANDIDATE, 900, served=1_000))]
    (found,) = side_by_side(spec("missing"), rows, "lost")
    assert found.b.said == "10.0 % never scored (100 of 1,000 outputs)"
    assert found.word == "worse"


def test_a_signal_that_no_two_releases_share_is_named_with_the_reason() -> None:
    a = {"quality": spec(), "old": spec(), "gap": spec("gap"), "scale": spec("score", range=(0, 1))}
    b = {"quality": spec(), "new": spec(), "gap": spec("gap"), "scale": spec("score")}
    measured = Measured(Side(a, BASELINE), Side(b, CANDIDATE), concurrent=False)
    measured.apart([row(0, block(BASELINE, 100, 1))], "a")
    measured.apart([row(0, block(CANDIDATE, 100, 1))], "b")
    found = {one.signal: one.sentence for one in measured.deltas()}
    assert "no difference is shown" in found.pop("quality")
    assert found == {
        "new": "Not measured: only the playbook of b measures it.",
        "old": "Not measured: only the playbook of a measures it.",
        "gap": "Not measured: it is of kind gap, which is judged within one release only.",
        "scale": "Not measured: the two playbooks define its range differently.",
    }


def test_releases_apart_are_never_given_a_number_from_inside_blocks() -> None:
    signals = {"quality": spec()}
    measured = Measured(Side(signals, CANDIDATE), Side(signals, CANDIDATE), concurrent=False)
    for which in ("a", "b"):
        measured.apart([row(0, block(CANDIDATE, 100, 1))], which)
    (found,) = measured.deltas()
    assert (found.a.n, found.b.n, found.blockwise) == (100, 100, None)


def test_a_share_shown_per_ten_thousand_has_its_difference_in_that_unit() -> None:
    rows = [row(0, block(BASELINE, 10_000, 5), block(CANDIDATE, 10_000, 40))]
    (found,) = side_by_side(spec(show="per_10000", expect=Decimal("0.001")), rows)
    assert (found.difference, found.unit) == (35.0, "per 10,000")
    assert "+35 per 10,000" in found.sentence

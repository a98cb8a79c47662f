"""Series for charts: nothing unknown looks like zero, and thinning loses neither counts nor peaks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from console import charts
from console.charts import Event, series
from console.measures import counted, measure, spoken, value
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.playbook.model import Detection, Playbook, SignalSpec
from tests import cases

START = datetime(2026, 3, 1, tzinfo=UTC)


def detection(**signal: Any) -> Detection:
    document = cases.playbook_document()
    document["detection"]["signals"]["hallucinations"] |= signal
    return Playbook.model_validate(document).detection


def row(seq: int, candidate: tuple[int, int, int] | None, baseline: tuple[int, int, int] | None) -> Row:
    """Counts are (bad, scored, served); None is an unknown block."""
    block = detection().block

    def one(arm: Arm, counts: tuple[int, int, int] | None) -> Block:
        bad, scored, served = counts or (0, 0, 0)
        state, reason = (BlockState.ok, None) if counts else (BlockState.unknown, "no_traffic")
        return Block(
            signal="hallucinations", arm=arm, state=state, reason=reason, served=served, scored=scored, bad=bad
        )

    blocks = (one(Arm.candidate, candidate), one(Arm.baseline, baseline))
    return Row(seq=seq, start=START + seq * block, block=block, blocks=blocks)


def test_an_unknown_block_is_a_gap_with_a_band_and_a_reason_never_zero() -> None:
    rows = [row(0, (1, 50, 50), (1, 50, 50)), row(1, (0, 50, 50), None), row(2, (0, 50, 50), None)]
    drawn = series(detection(), rows, [], [])["signals"]["hallucinations"]
    assert drawn["candidate"] == [2.0, 0.0, 0.0]
    assert drawn["baseline"] == [2.0, None, None]
    assert drawn["baseline_mean"] == [2.0, None, None]
    start = START.timestamp()
    assert drawn["unknown"] == [{"from": start + 1, "to": start + 3, "why": "baseline: no traffic"}]


def test_a_block_with_too_few_labels_is_unknown() -> None:
    drawn = series(detection(), [row(0, (0, 10, 50), (1, 50, 50))], [], [])["signals"]["hallucinations"]
    assert drawn["candidate"] == [None]
    assert drawn["unknown"][0]["why"] == "candidate: too few labelled"


@pytest.mark.parametrize(("show", "drawn"), [("percent", 2.0), ("per_10000", 200.0)])
def test_rates_come_in_the_unit_of_the_playbook(show: str, drawn: float) -> None:
    found = series(detection(show=show), [row(0, (1, 50, 50), (1, 50, 50))], [], [])
    assert found["signals"]["hallucinations"]["candidate"] == [drawn]


def test_long_watches_are_thinned_by_adding_up() -> None:
    rows = [row(seq, (seq % 2, 50, 50), (0, 50, 50)) for seq in range(2_000)]
    drawn = series(detection(), rows, [], [])["signals"]["hallucinations"]
    assert len(drawn["t"]) <= charts.MAX_POINTS
    assert drawn["t"][0] == START.timestamp()
    assert 0.9 <= drawn["candidate_mean"][-1] <= 1.1


def test_the_strongest_evidence_of_a_thinned_group_is_kept() -> None:
    def judged(micronats: int) -> dict[str, Any]:
        found = {"micronats": micronats, "limit_micronats": 5_000_000}
        return {"start": START.isoformat(), "triggers": {"truth": found}}

    evaluations = [(seq, judged(9_000_000 if seq == 777 else 0)) for seq in range(3_000)]
    line = series(detection(), [], evaluations, [])["evidence"]["truth"]
    assert len(line["t"]) <= charts.MAX_POINTS
    assert max(line["odds_log10"]) == pytest.approx(3.909, abs=0.001)
    assert line["limit_log10"] == pytest.approx(2.171, abs=0.001)


def test_a_trigger_of_fixed_limits_has_no_line_and_its_caption_says_why() -> None:
    judged = {"word": "ok", "micronats": None, "limit_micronats": None}
    evaluations = [(0, {"start": START.isoformat(), "triggers": {"limits": judged}})]
    assert series(detection(), [], evaluations, [])["evidence"] == {}
    assert "fixed limits" in charts.evidence_caption("limits", judged)


def test_marks_are_instants_with_words() -> None:
    found = series(detection(), [], [], [Event(START, "incident")])
    assert found["marks"] == [{"t": START.timestamp(), "text": "incident"}]


def test_a_caption_names_unit_window_and_sample_and_says_unknown() -> None:
    spec = detection().signals["hallucinations"]
    said = charts.signal_caption("hallucinations", spec, [row(0, (3, 60, 60), None), row(1, (2, 40, 40), None)])
    assert said == (
        "candidate 5.00 % (5 of 100 outputs); baseline unknown (nothing labelled); over 2 seconds until 00:00:02 UTC."
    )


def test_the_table_holds_the_same_counts_and_reasons_newest_first() -> None:
    lines = charts.table(detection(), [row(0, (1, 50, 50), (1, 50, 50)), row(1, (2, 50, 50), None)])
    assert [cells for _, cells in lines] == [
        {"hallucinations candidate": "2 of 50", "hallucinations baseline": "unknown: no traffic"},
        {"hallucinations candidate": "1 of 50", "hallucinations baseline": "1 of 50"},
    ]


def test_shares_say_how_many_outputs_they_rest_on() -> None:
    assert charts.shares(detection(), [row(0, (0, 25, 25), (0, 75, 75))]) == (
        "25.0 % of 100 outputs came from the candidate over 1 second"
    )
    assert charts.shares(detection(), []) == "unknown: no output was reported"


def of_kind(kind: str, **keys: Any) -> SignalSpec:
    return SignalSpec.model_validate(
        {"kind": kind, "family": "model_quality", "meaning": "a signal of a test", "source": "judge"} | keys
    )


def block_of(signal: str, **sums: Any) -> Row:
    fields = {"state": BlockState.ok, "served": 100, "scored": 100, "bad": 0} | sums
    blocks = tuple(Block(signal=signal, arm=arm, **fields) for arm in Arm)
    return Row(seq=0, start=START, block=detection().block, blocks=blocks)


def test_a_score_is_drawn_as_its_mean_in_its_own_range() -> None:
    spec = of_kind("score", bad="lower", range=[1, 5])
    found = counted("quality", spec, block_of("quality", sum=500_000, sumsq=2_500_000_000), Arm.candidate)
    assert found is not None
    assert value(spec, found) == 3.0
    assert spoken(spec, found) == "mean 3 (100 outputs)"


def test_a_latency_is_drawn_as_its_slowest_quantile() -> None:
    spec = of_kind("latency", edges=[100, 200, 400])
    found = counted("latency", spec, block_of("latency", hist={0: 90, 1: 8, 2: 2}), Arm.candidate)
    assert found is not None
    assert value(spec, found) == 400
    assert spoken(spec, found) == "p99 400 ms (100 outputs)"


def test_outputs_that_were_never_scored_are_counted_from_the_signal_they_belong_to() -> None:
    spec = of_kind("missing", of="quality")
    row = block_of("quality", scored=60, state=BlockState.unknown, reason="coverage")
    found = counted("unscored", spec, row, Arm.candidate)
    assert found is not None
    assert value(spec, found) == 40.0


def test_what_is_compared_by_parts_has_no_line_and_says_so() -> None:
    spec = of_kind("categories", categories=["billing", "travel"])
    assert measure(spec) is None
    assert "Compared by parts" in charts.signal_caption("topics", spec, [block_of("topics", counts={"billing": 100})])

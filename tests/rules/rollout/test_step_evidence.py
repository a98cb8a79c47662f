"""Positive evidence only: what a step has shown, row by row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.plan.target import Split
from countermand.rollout.evidence import StepEvidence, StepSeen
from countermand.rollout.plan import RolloutStep
from tests.rollouts import playbook

BEGAN = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
BLOCK = timedelta(milliseconds=200)
STEP = RolloutStep(
    number=1, desired=Split.candidate(500), at_least=timedelta(seconds=2), time_limit=timedelta(seconds=8)
)


def row(seq: int, bad: int, scored: int = 2_000) -> Row:
    def block(arm: Arm, bad: int) -> Block:
        if not scored:
            return Block(
                signal="hallucinations",
                arm=arm,
                state=BlockState.unknown,
                reason="no_traffic",
                served=0,
                scored=0,
                bad=0,
            )
        return Block(signal="hallucinations", arm=arm, state=BlockState.ok, served=scored, scored=scored, bad=bad)

    blocks = (block(Arm.candidate, bad), block(Arm.baseline, 30))
    return Row(seq=seq, start=BEGAN + seq * BLOCK, block=BLOCK, blocks=blocks)


def judged(bad: int, *, since: int = 0, rows: int = 60, scored: int = 2_000) -> tuple[StepSeen, int]:
    """What is seen in the end, and how many rows it took."""
    evidence = StepEvidence(playbook().detection, STEP, BEGAN + since * BLOCK)
    for seq in range(rows):
        evidence.take(row(seq, bad, scored))
        if evidence.seen.word != "not_yet":
            return evidence.seen, seq + 1
    return evidence.seen, rows


def test_health_is_shown_after_the_least_time_with_bound_and_sample_in_the_sentence() -> None:
    seen, rows = judged(30)
    assert seen.word == "certified"
    assert rows >= STEP.at_least // BLOCK
    assert "3 times as bad" in seen.sentence
    assert "candidate 300 bad of 20,000" in seen.sentence
    assert seen.signals == ("hallucinations",)


def test_rows_from_before_the_step_certify_nothing() -> None:
    seen, rows = judged(30, since=20)
    assert seen.word == "certified"
    assert rows >= 20 + STEP.at_least // BLOCK
    assert "of 20,000" in seen.sentence


def test_no_data_is_no_health_when_the_time_is_over() -> None:
    seen, _ = judged(0, scored=0)
    assert seen.word == "not_certified"
    assert seen.signals == ()


def test_a_candidate_at_the_bound_is_not_certified() -> None:
    seen, _ = judged(90)
    assert seen.word in ("trigger", "not_certified")


def test_a_trigger_ends_it() -> None:
    seen, _ = judged(400)
    assert seen.word == "trigger"
    assert "hallucinations" in seen.sentence

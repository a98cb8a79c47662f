"""R113: after the way back a relapse is shown or not; too few answers are unknown, and long watches do not cry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.plan.relapse import judge_relapse, relapse_sentence
from countermand.plan.target import CheckWord
from countermand.playbook.model import HealthEvidence

AT = datetime(2026, 3, 1, tzinfo=UTC)
EVIDENCE = HealthEvidence(signal="truth", at_most=Decimal("0.05"), min_scored=400)
SURE = Decimal("0.95")


def rows(*bad: int, scored: int = 400, arm: Arm = Arm.baseline) -> list[Row]:
    return [
        Row(
            seq=seq,
            start=AT + timedelta(seconds=seq),
            block=timedelta(seconds=1),
            blocks=(
                Block(signal="truth", arm=arm, state=BlockState.ok, served=scored, scored=scored, bad=one),
            ),
        )
        for seq, one in enumerate(bad)
    ]  # fmt: skip


def test_no_answers_are_unknown_and_not_a_relapse() -> None:
    assert judge_relapse(EVIDENCE, [], SURE).word is CheckWord.unknown
    assert judge_relapse(EVIDENCE, rows(200, scored=399), SURE).word is CheckWord.unknown


def test_a_bad_window_after_good_ones_is_a_relapse() -> None:
    found = judge_relapse(EVIDENCE, rows(8, 8, 8, 60), SURE)
    assert found.word is CheckWord.failed
    assert found.sentence.startswith("60 bad of 400 labelled answers")


def test_good_windows_and_windows_near_the_limit_are_none() -> None:
    assert judge_relapse(EVIDENCE, rows(8, 20, 24, 8), SURE).word is CheckWord.passed


def test_answers_of_the_candidate_say_nothing_about_the_baseline() -> None:
    assert judge_relapse(EVIDENCE, rows(200, 200, arm=Arm.candidate), SURE).word is CheckWord.unknown


def test_a_rate_at_the_limit_is_called_a_relapse_in_at_most_five_of_a_hundred_long_watches() -> None:
    """400 watches of 100 windows each, exactly at the limit; the bound is 5 %, so 30 of 400 would be 2.3 sd above."""
    random = np.random.default_rng(7)
    cried = 0
    for _ in range(400):
        bad = [int(one) for one in random.binomial(400, 0.05, 100)]
        cried += judge_relapse(EVIDENCE, rows(*bad), SURE).word is CheckWord.failed
    assert cried <= 30


def test_people_are_never_moved_to_another_version_in_silence() -> None:
    assert "chat v5 is eligible too; nobody is moved" in relapse_sentence("60 bad of 400.", "chat v5")
    assert "No other version is named" in relapse_sentence("60 bad of 400.", "")

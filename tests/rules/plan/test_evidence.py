"""TGT-8…12, GOV-31: what traffic and signals must show; unknown never becomes pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.plan.evidence import judge_check, judge_health, judge_traffic, users_needed
from countermand.plan.target import CheckWord, Observation, Preflight, Split
from countermand.playbook.integrity import DigestServed, ErrorRate
from countermand.playbook.model import HealthEvidence

AT = datetime(2026, 3, 1, tzinfo=UTC)


def seen(candidate: int, baseline: int, revision: str = "7", requests: int = 1000, errors: int = 0) -> Observation:
    return Observation(
        revision=revision, candidate_users=candidate, baseline_users=baseline, requests=requests, errors=errors, at=AT
    )


@pytest.mark.parametrize(
    ("desired_bp", "candidate", "baseline", "word"),
    [
        (0, 0, 688, CheckWord.passed),
        (0, 0, 687, CheckWord.unknown),
        (0, 1, 10_000, CheckWord.failed),
        (0, 1, 5, CheckWord.failed),
        (0, 0, 0, CheckWord.unknown),
        (4_500, 90, 110, CheckWord.passed),
        (4_500, 45, 55, CheckWord.unknown),
        (4_500, 150, 50, CheckWord.failed),
        (2_500, 0, 400, CheckWord.failed),
    ],
)
def test_tgt_11_traffic_is_judged_by_the_exact_interval(
    desired_bp: int, candidate: int, baseline: int, word: CheckWord
) -> None:
    assert judge_traffic(Split.candidate(desired_bp), seen(candidate, baseline), "7", 100).word is word


def test_tgt_11_the_number_of_users_needed_follows_the_residual_share() -> None:
    assert [users_needed(Split.candidate(0), bp) for bp in (500, 200, 100)] == [135, 342, 688]


def test_counters_of_another_revision_say_nothing() -> None:
    answer = judge_traffic(Split.candidate(0), seen(0, 5_000, revision="6"), "7", 100)
    assert answer.word is CheckWord.unknown
    assert "revision 6" in answer.sentence


def test_tgt_8_a_system_that_cannot_say_whom_traffic_reaches_is_unknown_in_its_own_words() -> None:
    silent = seen(0, 5_000).model_copy(update={"unknown": "a file counts nobody."})
    answer = judge_traffic(Split.candidate(0), silent, "7", 100)
    assert (answer.word, answer.sentence) == (CheckWord.unknown, "a file counts nobody.")


def test_tgt_11_requests_are_not_called_users() -> None:
    counted = seen(0, 5_000).model_copy(update={"counts": "requests"})
    assert judge_traffic(Split.candidate(0), counted, "7", 100).sentence.startswith("none of 5000 requests")
    assert "688 requests needed" in judge_traffic(Split.candidate(0), counted.model_copy(
        update={"baseline_users": 3}), "7", 100).sentence  # fmt: skip


def rows(bad: int, scored: int, count: int, state: BlockState = BlockState.ok) -> list[Row]:
    reason = None if state is BlockState.ok else "no_traffic"
    block = Block(signal="truth", arm=Arm.baseline, state=state, reason=reason, served=scored, scored=scored, bad=bad)
    return [
        Row(seq=seq, start=AT + timedelta(seconds=seq), block=timedelta(seconds=1), blocks=(block,))
        for seq in range(count)
    ]


EVIDENCE = HealthEvidence(signal="truth", at_most=Decimal("0.05"), min_scored=400)


@pytest.mark.parametrize(
    ("bad", "scored", "count", "word"),
    [
        (2, 100, 4, CheckWord.passed),
        (2, 100, 3, CheckWord.unknown),
        (0, 0, 50, CheckWord.unknown),
        (6, 100, 4, CheckWord.failed),
    ],
)
def test_gov_31_health_needs_enough_answers_and_a_low_upper_bound(
    bad: int, scored: int, count: int, word: CheckWord
) -> None:
    answer = judge_health(EVIDENCE, rows(bad, scored, count), Decimal("0.95"))
    assert answer.word is word
    assert answer.sentence


def test_unknown_blocks_give_no_healthy_credit() -> None:
    unknown = rows(0, 500, 5, BlockState.unknown)
    assert judge_health(EVIDENCE, unknown, Decimal("0.95")).word is CheckWord.unknown


def test_only_the_first_rows_that_suffice_decide_so_waiting_longer_cannot_be_used_to_fish_for_a_pass() -> None:
    bad_then_good = rows(20, 200, 2) + [row.model_copy(update={"seq": row.seq + 2}) for row in rows(0, 10_000, 5)]
    assert judge_health(EVIDENCE, bad_then_good, Decimal("0.95")).word is CheckWord.failed


def test_checks_of_the_destination_say_what_they_found() -> None:
    ready = Preflight(ready=True, problems=(), destination_digest="sha256:aa", write_permitted=True)
    silent = ready.model_copy(update={"destination_digest": None})
    digest = DigestServed(id="digest_served", kind="digest_served", meaning="the approved bundle")
    rate = ErrorRate(id="errors", kind="error_rate", meaning="few errors", max_error_rate=Decimal("0.01"))
    assert judge_check(digest, ready, seen(0, 1), "sha256:aa").word is CheckWord.passed
    assert judge_check(digest, ready, seen(0, 1), "sha256:bb").word is CheckWord.failed
    assert judge_check(digest, silent, seen(0, 1), "sha256:aa").word is CheckWord.unknown
    assert judge_check(rate, ready, seen(0, 1, requests=0), "").word is CheckWord.unknown
    assert judge_check(rate, ready, seen(0, 1, errors=11), "").word is CheckWord.failed
    sticky = seen(0, 1, errors=11).model_copy(update={"unknown": "users stay together."})
    assert judge_check(rate, ready, sticky, "").word is CheckWord.failed
    assert judge_check(rate, ready, sticky.model_copy(update={"requests": 0}), "").sentence == "users stay together."


def test_what_a_service_says_that_it_serves_is_shown_as_untrusted_text() -> None:
    strange = seen(0, 1_000).model_copy(update={"neither": "\u202e" + "x" * 10_000})
    result = judge_traffic(Split.candidate(0), strange, "7", 200)
    assert result.word is CheckWord.failed
    assert "<U+202E>" in result.sentence
    assert len(result.sentence) < 300

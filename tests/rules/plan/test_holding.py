"""TGT-8, TGT-12: a member stays where the way back left it, in every look; one that left it is never well again."""

from __future__ import annotations

from datetime import UTC, datetime

from countermand.plan.holding import Holding
from countermand.plan.model import Moving
from countermand.plan.target import CheckWord, Member, Observation, Split, TargetState

AT = datetime(2026, 3, 1, tzinfo=UTC)
MEMBER = Moving(
    member=Member(target="edge", name="chat", candidate_digest="sha256:c", baseline_digest="sha256:b"),
    kind="split", part=None, before=Split.candidate(5_000), before_revision="1", before_fence=0,
)  # fmt: skip


def state(candidate_bp: int, revision: str = "7") -> TargetState:
    return TargetState(
        split=Split.candidate(candidate_bp), revision=revision, idempotency_key=None, fence=0, read_at=AT,
        raw_sha256="sha256:raw",
    )  # fmt: skip


def seen(candidate: int, baseline: int, revision: str = "7") -> Observation:
    return Observation(
        revision=revision, candidate_users=candidate, baseline_users=baseline, requests=10, errors=0, at=AT
    )


def words(held: Holding) -> list[CheckWord]:
    return [result.word for result in held.results]


def test_a_member_that_nobody_has_looked_at_is_unknown() -> None:
    assert words(Holding(MEMBER, 100)) == [CheckWord.unknown, CheckWord.unknown]


def test_tgt_8_configured_and_observed_are_two_answers() -> None:
    held = Holding(MEMBER, 100)
    held.look(state(0), seen(0, 10), observable=True)
    assert words(held) == [CheckWord.passed, CheckWord.unknown]
    held.look(state(0), seen(0, 5_000), observable=True)
    assert words(held) == [CheckWord.passed, CheckWord.passed]
    assert [result.name for result in held.results] == ["configured edge/chat", "observed edge/chat"]


def test_tgt_12_a_read_back_that_left_once_is_flapping_even_after_it_came_back() -> None:
    held = Holding(MEMBER, 100)
    held.look(state(0), seen(0, 5_000), observable=True)
    held.look(state(4_500, "8"), seen(0, 0, "8"), observable=True)
    held.look(state(0, "9"), seen(0, 5_000, "9"), observable=True)
    assert words(held)[0] is CheckWord.failed
    assert held.results[0].sentence.startswith("flapping: look 2 found it changed")
    assert "candidate 45 % of users (revision 8)" in held.results[0].sentence


def test_a_user_who_was_served_by_the_candidate_once_is_not_forgotten() -> None:
    held = Holding(MEMBER, 100)
    held.look(state(0), seen(1, 5_000), observable=True)
    held.look(state(0), seen(0, 9_000), observable=True)
    assert words(held) == [CheckWord.passed, CheckWord.failed]


def test_a_system_that_does_not_answer_now_is_unknown_however_it_was_before() -> None:
    held = Holding(MEMBER, 100)
    held.look(state(0), seen(0, 5_000), observable=True)
    held.silent("connection refused")
    assert words(held) == [CheckWord.unknown, CheckWord.unknown]


def test_a_system_that_refuses_to_be_read_fails() -> None:
    held = Holding(MEMBER, 100)
    held.refused("no target 'edge' is configured")
    assert words(held)[0] is CheckWord.failed


def test_tgt_9_a_system_that_cannot_see_traffic_is_only_read_back() -> None:
    held = Holding(MEMBER, 100)
    held.look(state(0), seen(0, 0), observable=False)
    assert words(held) == [CheckWord.passed]

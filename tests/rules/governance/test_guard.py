"""What a target shows after a rollback, and what may be said about who changed it (TGT-17, GOV-47)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from countermand.governance.guard import seen, who
from countermand.plan.target import Member, Split, TargetState

MEMBER = Member(target="fake", name="test-bot", candidate_digest="sha256:bad", baseline_digest="sha256:good")


def state(candidate_bp: int) -> TargetState:
    return TargetState(
        split=Split.candidate(candidate_bp), revision="7", idempotency_key=None, fence=1,
        read_at=datetime(2026, 3, 2, tzinfo=UTC), raw_sha256="sha256:0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "served", "newer", "word"),
    [
        (0, None, False, "as_left"),
        (0, "sha256:bad", True, "as_left"),
        (1, "sha256:bad", True, "back"),
        (1, "sha256:other", False, "other"),
        (1, None, False, "back"),
        (1, None, True, "cannot_tell"),
    ],
)
def test_a_share_above_what_was_left_is_the_bad_version_unless_the_target_shows_another(
    share: int, served: str | None, newer: bool, word: str
) -> None:
    assert seen(MEMBER, 0, state(share), served, newer=newer) == word


def test_what_the_way_back_left_is_no_breach() -> None:
    assert seen(MEMBER, 500, state(500), "sha256:bad", newer=False) == "as_left"


@pytest.mark.parametrize(
    ("key", "left", "incident", "said"),
    [
        (None, "ours", None, "unknown"),
        ("ours", "ours", None, "unknown"),
        ("argo/1", "ours", None, "a writer with the key 'argo/1'"),
        ("other", "ours", "inc-2", "Countermand in incident inc-2"),
        ("\u202enow", "ours", None, "a writer with the key '<U+202E>now'"),
    ],
)
def test_who_moved_it_is_only_said_where_the_target_tells(
    key: str | None, left: str, incident: str | None, said: str
) -> None:
    assert who(key, left, incident) == said


def test_a_key_that_somebody_wrote_to_keep_the_breach_out_of_the_record_is_cut() -> None:
    assert len(who("k" * 100_000, "ours", None)) < 200

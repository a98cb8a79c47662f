"""A target's own change log against the Ledger, both ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from countermand.canonical import canonical
from countermand.evidence.reconciliation import Change, Compared, Effect, as_json, compare, not_compared

AT = datetime(2026, 11, 20, 3, 14, tzinfo=UTC)


def effect(number: int) -> Effect:
    return Effect(
        seq=number, at=AT, member="demo/answers", key=f"key/{number}", candidate_bp=0, revision=str(number + 1)
    )


def change(number: int, key: str | None) -> Change:
    return Change(at=AT, candidate_bp=0, revision=str(number + 1), key=key)


def test_the_same_changes_on_both_sides_agree() -> None:
    found = compare("demo/answers", [effect(1), effect(2)], [change(1, "key/1"), change(2, "key/2")])
    assert found.clean
    assert found.agree == 2


def test_a_change_by_hand_is_one_that_we_miss() -> None:
    found = compare("demo/answers", [effect(1)], [change(1, "key/1"), change(2, "by hand")])
    assert not found.clean
    assert [one.key for one in found.we_miss] == ["by hand"]
    assert found.they_miss == ()


def test_a_change_by_hand_that_reaches_the_revision_of_one_of_ours_is_not_taken_for_it() -> None:
    found = compare("demo/answers", [effect(1)], [change(1, "by hand")])
    assert [one.key for one in found.we_miss] == ["by hand"]


def test_an_effect_of_ours_that_the_target_does_not_know_is_one_that_they_miss() -> None:
    found = compare("demo/answers", [effect(1), effect(2)], [change(1, "key/1")])
    assert [one.seq for one in found.they_miss] == [2]


def test_without_keys_revisions_decide() -> None:
    found = compare("demo/answers", [effect(1)], [change(1, None), change(7, None)])
    assert found.agree == 1
    assert [one.revision for one in found.we_miss] == ["8"]


def test_what_a_target_takes_back_under_our_lease_is_no_change_by_somebody_else() -> None:
    assert compare("demo/answers", [], [change(1, "lease/abc/1")], frozenset({"abc"})).clean


def test_a_log_that_was_not_compared_never_counts_as_agreement() -> None:
    found: Compared = not_compared("flag/answers", 3, "it keeps no log")
    assert not found.clean
    canonical(as_json([found], AT, AT + timedelta(days=1)))

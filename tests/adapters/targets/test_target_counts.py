"""Counters that know no revisions: what is counted, and when counting begins anew."""

from __future__ import annotations

from adapters.target_counts import Counts, SinceFirstLook

NOTHING = Counts(0, 0, 0, 0)


def test_counting_begins_with_the_first_look_at_a_revision() -> None:
    counting = SinceFirstLook()
    assert counting.growth("chat", "a", Counts(70, 30, 100, 5)) == NOTHING
    assert counting.growth("chat", "a", Counts(70, 90, 160, 6)) == Counts(0, 60, 60, 1)


def test_tgt_10_a_revision_that_somebody_else_made_is_counted_for_itself() -> None:
    counting = SinceFirstLook()
    counting.growth("chat", "a", Counts(0, 0, 0, 0))
    assert counting.growth("chat", "b", Counts(70, 30, 100, 0)) == NOTHING
    assert counting.growth("chat", "a", Counts(70, 40, 110, 0)) == NOTHING


def test_weights_that_come_back_to_what_they_were_are_counted_anew_after_a_write() -> None:
    counting = SinceFirstLook()
    counting.growth("chat", "a", Counts(0, 0, 0, 0))
    counting.forget("chat")
    assert counting.growth("chat", "a", Counts(70, 30, 100, 0)) == NOTHING


def test_c13_counters_that_fell_begin_anew_and_members_do_not_mix() -> None:
    counting = SinceFirstLook()
    counting.growth("chat", "a", Counts(70, 30, 100, 0))
    counting.growth("mail", "a", Counts(1, 1, 2, 0))
    assert counting.growth("chat", "a", Counts(0, 200, 200, 0)) == NOTHING
    assert counting.growth("chat", "a", Counts(0, 250, 250, 0)) == Counts(0, 50, 50, 0)
    assert counting.growth("mail", "a", Counts(1, 2, 3, 0)) == Counts(0, 1, 1, 0)

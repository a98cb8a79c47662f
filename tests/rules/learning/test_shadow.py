"""What a proposed version would have said beside a live watch (LRN-11)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.canonical import instant
from countermand.detection.blocks import BlockState
from countermand.detection.evaluator import changes
from countermand.learning.change import shadow_words
from countermand.learning.shadow import ShadowChange, shadow
from countermand.ledger.bodies import ThresholdShadow
from tests.rules.learning import pasts
from tests.rules.learning.pasts import BEGIN, SECOND
from tests.rules.learning.proposals import NOW, a_proposal, a_view, proposed

DETECTION = pasts.playbook("1.5", watch="2m").detection
HARM = pasts.rows("harm", 120, BEGIN, 40, part=0.2)


def test_lrn_11_the_shadow_says_what_a_watch_by_that_version_would_have_said() -> None:
    found = shadow("r-1", DETECTION, HARM, since=BEGIN, cut_at=None, live_at=None)
    live = list(changes(DETECTION, HARM))
    assert [(one.at, one.word) for one in found.changes] == [(instant(one.at), one.verdict.word.value) for one in live]
    assert found.changes[-1].word == "trigger"
    assert (found.rows, found.whole) == (120, True)


def test_lrn_11_it_tells_only_what_came_after_it_began_but_judges_from_the_start() -> None:
    fired = list(changes(DETECTION, HARM))[-1].at
    found = shadow("r-1", DETECTION, HARM, since=fired - SECOND, cut_at=None, live_at=fired)
    assert [(one.at, one.word, one.live_at) for one in found.changes] == [(instant(fired), "trigger", instant(fired))]


def test_lrn_11_blocks_from_before_it_began_are_no_shadow() -> None:
    found = shadow("r-1", DETECTION, HARM, since=BEGIN + 119 * SECOND, cut_at=None, live_at=None)
    assert (found.rows, found.whole) == (1, False), "a release that was watched long ago was not heard now"


def test_lrn_8_nothing_that_was_served_after_the_first_effect_is_judged() -> None:
    found = shadow("r-1", DETECTION, HARM, since=BEGIN, cut_at=BEGIN + 40 * SECOND, live_at=None)
    assert (found.rows, found.whole) == (40, False)
    assert "trigger" not in {one.word for one in found.changes}


def test_lrn_11_a_release_in_which_nothing_was_known_is_not_heard_whole() -> None:
    lost = {"state": BlockState.unknown, "reason": "source_failed", "served": 0, "scored": 0, "bad": 0}
    for blind, known, whole in ((120, 0, False), (60, 60, False), (10, 110, True)):
        rows = [
            row.model_copy(update={"blocks": tuple(one.model_copy(update=lost) for one in row.blocks)})
            if row.seq >= 120 - blind
            else row
            for row in pasts.rows("calm", 120)
        ]
        found = shadow("r-1", DETECTION, rows, since=BEGIN, cut_at=None, live_at=None)
        assert (found.rows, found.known, found.whole) == (120, known, whole)


def test_rows_with_blocks_of_another_length_are_refused() -> None:
    longer = pasts.playbook(block="2s", watch="2m", sustain="10s").detection
    with pytest.raises(ValueError, match="block"):
        shadow("r-1", longer, HARM, since=BEGIN, cut_at=None, live_at=None)


def test_lrn_11_a_sentence_says_how_often_it_would_have_fired_and_where_the_live_watch_did_too() -> None:
    one = ShadowChange(release_id="r-1", at="t", word="trigger", triggers=("a",), live_at="t", sentence="s")
    look = ThresholdShadow(
        proposal_id="thr-0123abcd",
        number=1,
        since=NOW,
        until=NOW + timedelta(days=7),
        releases=("r-1",),
        rows=120,
        whole=True,
        changes=(one.model_dump(), one.model_copy(update={"live_at": None}).model_dump()),
        left_out=(),
        sentence="s",
    )
    said = shadow_words(a_view(shadows=[look]))
    assert "In 7.0 days of shadow over one release and 120 blocks it would have fired 2 times" in said
    assert "1 of them" in said
    assert shadow_words(a_view()) == "Nothing was looked at yet."
    none = proposed(a_proposal(shadow=timedelta(0), shadow_because="It only makes it stricter."))
    assert "not tried in shadow" in shadow_words(a_view(proposed=none))

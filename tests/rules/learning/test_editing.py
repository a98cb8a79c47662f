"""Another value in the text of a playbook: comments and everything else keep their bytes."""

from __future__ import annotations

import pytest

from countermand.learning.editing import path_of, pointer_of, renumbered, with_value
from countermand.playbook.load import parse
from tests.console.world import playbook_bytes

RATIO = "detection.triggers[0].at_least.of[0].tolerate.ratio"


def test_only_the_value_changes_and_comments_stay() -> None:
    before = playbook_bytes()
    after = with_value(before, RATIO, "1.5")
    changed = [(one, other) for one, other in zip(before.split(b"\n"), after.split(b"\n"), strict=True) if one != other]
    assert len(changed) == 1
    assert changed[0][1] == changed[0][0].replace(b"ratio: 1.2", b"ratio: 1.5")
    assert parse(renumbered(after, 7)).version == 7


def test_a_value_in_quotes_stays_in_quotes() -> None:
    assert with_value(b'a:\n  b: "5m" # why\n', "a.b", "6m") == b'a:\n  b: "6m" # why\n'


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("detection.nothing", "1", "nothing stands at"),
        ("detection.signals", "1", "nothing stands at"),
        ("detection..block", "1", "no place"),
        ("detection.block", "1\nx: 2", "no plain value"),
        ("detection.block", "{a: 1}", "no plain value"),
        ("summary", "short", "several lines"),
    ],
)
def test_what_cannot_be_replaced_is_refused(place: str, value: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        with_value(playbook_bytes(), place, value)


def test_a_place_is_named_as_in_messages_and_as_in_differences() -> None:
    assert path_of(RATIO) == ("detection", "triggers", 0, "at_least", "of", 0, "tolerate", "ratio")
    assert pointer_of(RATIO) == "/detection/triggers/0/at_least/of/0/tolerate/ratio"

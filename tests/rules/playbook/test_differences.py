"""What a change of a playbook does to the watch: a laxer number is never overlooked (LRN-10)."""

from __future__ import annotations

from typing import Any

import pytest

from countermand.playbook.differences import compare
from countermand.playbook.model import Playbook
from tests import cases


def with_tolerance(name: str, value: Any) -> Playbook:
    """The playbook with this tolerance in its first criterion."""
    document = cases.playbook().model_dump(mode="json", by_alias=True)
    trigger = document["detection"]["triggers"][0]
    members = trigger["any"] or trigger["all"]
    members[0]["tolerate"] = {name: value}
    return Playbook.model_validate(document)


@pytest.mark.parametrize(
    ("name", "before", "after", "word"),
    [
        ("ratio", "1.2", "1.1", "tightened"),
        ("ratio", "1.1", "1.2", "loosened"),
        ("absolute", "0.02", "0.01", "tightened"),
        ("absolute", "0.01", "0.02", "loosened"),
    ],
)
def test_a_tolerance_that_accepts_more_is_loosened(name: str, before: str, after: str, word: str) -> None:
    found = compare(with_tolerance(name, before), with_tolerance(name, after))
    assert found.change == word
    assert [one.direction for one in found.changes] == [word]


def test_the_first_version_is_new() -> None:
    assert compare(None, cases.playbook()).change == "new"


def test_a_higher_version_alone_changes_no_threshold() -> None:
    playbook = cases.playbook()
    found = compare(playbook, playbook.model_copy(update={"version": playbook.version + 1}))
    assert (found.change, [one.path for one in found.changes]) == ("other", ["/version"])


def test_loosening_wins_over_tightening_and_over_everything_else() -> None:
    before = with_tolerance("ratio", "1.2")
    stricter = before.detection.model_copy(update={"blind_after": before.detection.blind_after - 1})
    both = with_tolerance("ratio", "1.3").model_copy(update={"name": "another-name"})
    both = both.model_copy(
        update={"detection": both.detection.model_copy(update={"blind_after": stricter.blind_after})}
    )
    found = compare(before, both)
    assert found.change == "loosened"
    assert {one.direction for one in found.changes} == {"tightened", "loosened", "other"}


def test_a_trigger_that_is_taken_away_counts_as_loosened() -> None:
    before = cases.playbook()
    fewer = before.detection.model_copy(update={"triggers": before.detection.triggers[:-1]})
    assert compare(before, before.model_copy(update={"detection": fewer})).change == "loosened"


def test_a_kind_of_tolerance_that_is_swapped_for_another_counts_as_loosened() -> None:
    assert compare(with_tolerance("ratio", "1.2"), with_tolerance("absolute", "0.01")).change == "loosened"


def test_asking_for_more_labels_counts_as_loosened_because_a_watch_that_is_never_sure_never_fires() -> None:
    document = cases.playbook().model_dump(mode="json", by_alias=True)
    name = next(iter(document["detection"]["signals"]))
    document["detection"]["signals"][name]["min_coverage"] = "1"
    assert compare(cases.playbook(), Playbook.model_validate(document)).change == "loosened"

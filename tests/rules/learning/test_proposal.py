"""What can be proposed as a change of thresholds, and what cannot (LRN-10, LRN-11)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from countermand.learning.proposal import NotProposable, examine, usual_shadow
from tests.rules.learning.proposals import PATH, a_proposal, adopted, proposed, version

DAY = timedelta(days=1)


def refused(match: str, new: Any = None, known: Any = None, **changes: Any) -> NotProposable:
    with pytest.raises(NotProposable, match=match) as caught:
        examine(a_proposal(**changes), version(1), new or version(2, 3), known or (adopted(),))
    return caught.value


def test_r93_a_stricter_and_a_laxer_number_are_told_apart() -> None:
    assert proposed(blind_after=3).change == "tightened"
    assert proposed(blind_after=9).change == "loosened"


def test_r93_anything_but_the_detection_is_refused_with_its_place() -> None:
    other = version(2, 3, service="another-bot")
    error = refused("service", other)
    assert "detection" in error.next


def test_r93_it_starts_from_the_version_in_force_and_counts_up() -> None:
    refused("another version than the one in force, version 2", known=(adopted(), adopted(2, "sha256:other")))
    refused("not above version 1", version(1, 3))
    with pytest.raises(NotProposable, match="no version of this playbook is in force"):
        examine(a_proposal(), version(1), version(2, 3), ())


def test_r93_it_changes_something_and_states_origins_of_nothing_else() -> None:
    refused("changes nothing", version(2))
    refused("origin is stated for '/detection/watch'", origins={PATH: "measured", "/detection/watch": "law"})


def test_lrn_11_the_usual_shadow_lasts_seven_days_or_one_whole_release() -> None:
    detection = version(1).detection
    assert usual_shadow(detection) == 7 * DAY
    assert usual_shadow(detection.model_copy(update={"watch": 9 * DAY})) == 9 * DAY


def test_lrn_11_a_shorter_shadow_needs_a_reason_and_none_at_all_only_makes_stricter() -> None:
    why = "Two releases a day run here; three days hear six of them."
    refused("shorter than '7d'", shadow=3 * DAY)
    assert examine(a_proposal(shadow=3 * DAY, shadow_because=why), version(1), version(2, 3), (adopted(),))
    none = {"shadow": timedelta(0), "shadow_because": why}
    assert examine(a_proposal(**none), version(1), version(2, 3), (adopted(),)).change == "tightened"
    refused("stricter can do without a shadow", version(2, 9), **none)


def test_lrn_12_only_what_was_in_force_before_comes_back_without_a_shadow() -> None:
    before = adopted(1, "sha256:before")
    in_force = (before, adopted(2, previous_digest="sha256:before"))
    why = "It was in force before."
    back = a_proposal(shadow=timedelta(0), shadow_because=why, back_to="sha256:before")
    now, again = version(2, 5), version(3, 9)
    assert examine(back, now, again, in_force, version(1, 9)).change == "loosened"
    for known, was in ((in_force, version(1, 8)), (in_force, None), (in_force[1:], version(1, 9))):
        with pytest.raises(NotProposable, match="no earlier version"):
            examine(back, now, again, known, was)


@pytest.mark.parametrize("text", ["too short", "two\nlines are two sentences", "x" * 401])
def test_r93_the_hypothesis_is_one_sentence(text: str) -> None:
    with pytest.raises(ValidationError):
        a_proposal(hypothesis=text)

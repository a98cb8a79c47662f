"""What a change outside the detection does to governance: less of it is never overlooked (LRN-10, GOV §1)."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from countermand.playbook.differences import compare
from countermand.playbook.model import Playbook
from countermand.playbook.places import place
from countermand.playbook.weakening import direction
from tests import cases


def changed(*changes: tuple[str, Any]) -> Playbook:
    """The playbook of the tests with other values at these places."""
    document = cases.playbook().model_dump(mode="json", by_alias=True)
    for path, value in changes:
        *parts, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        here: Any = document
        for part in parts:
            here = here[part]
        here[last] = copy.deepcopy(value)
    return Playbook.model_validate(document)


LIMIT = {"groups": ["de"], "min_scored": 100, "at_most": "5%"}
SET = {"name": "dialects", "covers": "dialects", "includes": ["regional wording"], "limit": LIMIT}
LADDER = "approvals/sev2/ladder"
#: what differs from the other version, in the laxer version, in the stricter one
BOTH_WAYS: list[tuple[str, Any, Any]] = [
    ("approvals/sev2/quorum/distinct_people", 2, 3),
    ("approvals/sev2/quorum/roles", [{"role": "safety_lead", "min": 1}],
     [{"role": "safety_lead", "min": 1}, {"role": "release_owner", "min": 1}]),
    ("approvals/sev2/signature", "standard", "step_up"),
    ("approvals/sev2/ask_again_every", "2h", "1h"),
    (f"{LADDER}/0/to", ["safety_lead"], ["safety_lead", "release_owner"]),
    (f"{LADDER}/3/action", "proceed", "hold"),
    (f"{LADDER}/3/action", "abort", "hold"),
    ("evidence_freeze/if_incomplete", "ask", "wait"),
    ("data_integrity/between", ["digest_served"], ["digest_served", "destination_healthy"]),
    ("revert/stages/0/give_back", "40%", "10%"),
    ("revert/stages/0/soak", "1s", "10s"),
    ("revert/traffic/residual", "3%", "2%"),
    ("revert/traffic/observed", "best_effort", "required"),
    ("revert/guard", "1d", "7d"),
    ("verification/signals/0/at_most", "0.06", "0.05"),
    ("verification/signals/0/min_scored", 300, 400),
    ("verification/confidence", "0.9", "0.95"),
    ("verification/time_limit", "5s", "4s"),
    ("emergency/page", ["incident_commander"], ["incident_commander", "executive"]),
    ("legal/duties", ["one"], ["one", "two"]),
    ("review/due", "9d", "5d"),
    ("update_every", {"sev1": "50m"}, {"sev1": "20m"}),
    ("fairness", {"test_sets": []}, {"test_sets": [SET]}),
    ("fairness", {"test_sets": [SET]}, {"test_sets": [SET | {"gate": "re_release"}]}),
    ("fairness", {"test_sets": [SET | {"limit": None}]}, {"test_sets": [SET]}),
    ("fairness", {"test_sets": [SET | {"limit": LIMIT | {"at_most": "9%"}}]}, {"test_sets": [SET]}),
    ("fairness", {"test_sets": [SET]}, {"test_sets": [SET | {"limit": LIMIT | {"groups": ["de", "tr"]}}]}),
    ("fairness", {"window": "5h"}, {"window": "4h"}),
    ("harms", [], [{"id": "unequal", "harm": "Some are served worse", "trigger": "truth"}]),
]  # fmt: skip


@pytest.mark.parametrize(("path", "laxer", "stricter"), BOTH_WAYS)
def test_what_governs_less_is_loosened_and_the_way_back_is_tightened(path: str, laxer: Any, stricter: Any) -> None:
    assert compare(changed((path, stricter)), changed((path, laxer))).change == "loosened"
    assert compare(changed((path, laxer)), changed((path, stricter))).change == "tightened"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("approvals/sev2/quorum/roles/0/role", "operator"),
        (f"{LADDER}/3/after", "20m"),
        (f"{LADDER}/3/after", "40m"),
        ("evidence_freeze/time_limit", "5s"),
        ("evidence_freeze/time_limit", "20s"),
        ("incident_time_limit", "23h"),
        ("verification/signals/0/signal", "hallucinations-2"),
    ],
)
def test_a_change_of_which_no_side_is_plainly_stricter_counts_as_loosened(path: str, value: Any) -> None:
    assert direction(f"/{path}", "before", value) == "loosened"


def test_a_change_that_governs_nothing_is_other() -> None:
    for path, value in (("summary", "Other words."), ("owner", "product_owner"), ("emergency/say", "Look.")):
        assert compare(cases.playbook(), changed((path, value))).change == "other"


def test_a_watch_after_the_way_back_that_is_left_out_is_loosened() -> None:
    watched = changed(("verification/watch_for", "1h"), ("verification/on_regression", "ask"))
    assert compare(watched, cases.playbook()).change == "loosened"
    assert compare(cases.playbook(), watched).change == "tightened"


def test_a_sandbox_that_starts_without_a_person_is_loosened() -> None:
    assert direction("/rollout/sandbox/without_asking", False, True) == "loosened"
    assert direction("/rollout", None, {"sandbox": {}}) == "loosened"
    assert direction("/rollout", {"sandbox": {}}, None) == "tightened"


def test_a_place_is_called_by_the_names_that_stand_in_the_playbook() -> None:
    book = cases.playbook()
    assert place(book, "/detection/triggers/0/any/0/tolerate/ratio") == (
        "detection, trigger truth, any hallucinations, tolerate, ratio"
    )
    assert place(book, "/detection/triggers/7/severity") == "detection, trigger 8, severity"
    assert place(book, "/nothing/here") == "nothing, here"


def test_saying_for_the_first_time_how_unfairness_is_looked_into_counts_as_less() -> None:
    own = changed(("fairness", {"window": "2h"}))
    assert compare(cases.playbook(), own).change == "loosened"


def test_a_window_that_would_tell_executives_every_second_is_no_playbook() -> None:
    with pytest.raises(ValueError, match="tells executives more than 200 times"):
        changed(("fairness", {"window": "1s"}))

"""What people write to ask for a standing authorisation: every problem is named, and the document is exact."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from countermand.governance.decision import DecisionKind, Refused
from countermand.governance.standing import check_revocation
from countermand.governance.standing_draft import DraftInvalid, authorisation_of, parse_draft
from tests import cases
from tests.rules.governance.asking import BEGIN, DIGEST, OMAR, a_decision, an_actor, an_ask, directory, more_people
from tests.rules.governance.test_standing import RIGHT

TARGET = "sha256:" + "7" * 64


def raw(**changes: Any) -> bytes:
    document = {
        "schema": "countermand.standing/v1",
        "playbook_digest": DIGEST,
        "environment": "test",
        "severities": ["sev2"],
        "triggers": ["truth"],
        "targets": [TARGET],
        "max_exposure": "50%",
        "valid_for": "30d",
    }
    return json.dumps({key: value for key, value in (document | changes).items() if value is not None}).encode()


def test_the_document_has_the_stages_of_the_playbook_and_begins_when_it_is_asked_for() -> None:
    said = authorisation_of(parse_draft(raw()), cases.playbook(), "sa-1", BEGIN)
    assert [stage.give_back_bp for stage in said.stages] == [1_000, 5_000, 10_000]
    assert (said.issued_at, said.expires_at) == (BEGIN, BEGIN + timedelta(days=30))
    assert (said.max_exposure_bp, said.runs_per_day, said.signers) == (5_000, 1, ())


def test_yaml_is_read_as_well_as_json() -> None:
    text = f"""
schema: countermand.standing/v1
playbook_digest: {DIGEST}
environment: test
severities: [sev2]
triggers: [truth]
targets: ["{TARGET}"]
max_exposure: 50%
valid_for: 30d
"""
    assert parse_draft(text.encode()) == parse_draft(raw())


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"max_exposure": "0%"}, {"max_exposure"}),
        ({"targets": ["latest"], "severities": []}, {"targets[0]", "severities"}),
        ({"valid_for": "soon", "runs_per_day": 11}, {"valid_for", "runs_per_day"}),
        ({"triggers": None, "colour": "red"}, {"triggers", "colour"}),
        ({"runs_per_day": True}, {"runs_per_day"}),
    ],
)
def test_everything_that_is_wrong_is_named_with_its_place(changes: dict[str, Any], places: set[str]) -> None:
    with pytest.raises(DraftInvalid) as caught:
        parse_draft(raw(**changes))
    assert {problem.where for problem in caught.value.problems} == places


def test_text_that_is_no_document_is_refused_with_its_line() -> None:
    for text in (b"", b"- a\n- b", b"schema: [", b"a: 1\na: 2", b"\xff"):
        with pytest.raises(DraftInvalid, match="line"):
            parse_draft(text)


def test_triggers_and_time_must_fit_the_playbook() -> None:
    draft = parse_draft(raw(triggers=["truth", "none"], severities=["sev1"], valid_for="91d"))
    with pytest.raises(DraftInvalid) as caught:
        authorisation_of(draft, cases.playbook(), "sa-1", BEGIN)
    assert [problem.where for problem in caught.value.problems] == ["triggers[0]", "triggers[1]", "valid_for"]
    assert "'truth' is sev2" in str(caught.value)
    assert "'none' is no trigger of this playbook; write 'truth'" in str(caught.value)


def test_one_safety_lead_or_executive_revokes_and_nobody_else() -> None:
    people = directory(more_people())

    def order(who: Any, **changes: Any) -> Any:
        return a_decision(an_ask(), DecisionKind.withdraw, who, **changes)

    for who in (cases.MARIA, cases.AMIRA):
        check_revocation(order(who), RIGHT, people)
    for wrong, words in (
        (order(OMAR), "not_your_role"),
        (order(an_actor(cases.MARIA, principal="automation")), "actor_not_a_person"),
        (order(cases.MARIA, reason="stop it"), "reason_too_short"),
    ):
        with pytest.raises(Refused, match=words):
            check_revocation(wrong, RIGHT, people)

"""What a playbook says about steps and severities that people start and it does not list."""

from __future__ import annotations

import pytest

from countermand.playbook.model import ALWAYS, Audience, Playbook, Severity, Step
from tests import cases


def a_playbook(*severities: str) -> Playbook:
    document = cases.playbook_document()
    policy = document["approvals"]["sev2"]
    document["approvals"] = {
        severity: policy | {"ask_again_every": f"{10 + int(severity[-1])}m"} for severity in (*severities, "sev2")
    }
    return Playbook.model_validate(document)


@pytest.mark.parametrize(
    ("covered", "asked", "used"),
    [
        (("sev1", "sev3"), "sev3", "sev3"),
        (("sev1",), "sev4", "sev2"),
        (("sev3",), "sev1", "sev2"),
        ((), "sev1", "sev2"),
    ],
)
def test_a_severity_that_is_not_covered_is_asked_like_the_next_stricter_one(
    covered: tuple[str, ...], asked: str, used: str
) -> None:
    playbook = a_playbook(*covered)
    assert playbook.policy(Severity(asked)) is playbook.approvals[Severity(used)]


def test_gov_37_emergencies_and_broken_glass_are_told_whatever_the_playbook_lists() -> None:
    playbook = a_playbook()
    assert all(rule.step not in ALWAYS for rule in playbook.communications)
    assert set(playbook.audiences(Step.emergency_declared)) == {Audience.operator, Audience.approver, Audience.exec}
    assert set(playbook.audiences(Step.glass_broken)) == {Audience.operator, Audience.approver, Audience.exec}
    assert set(playbook.audiences(Step.rollback_proposed)) == {Audience.operator, Audience.approver}
    document = cases.playbook_document()
    document["communications"].append({"step": "glass_broken", "audiences": ["support"]})
    more = Playbook.model_validate(document).audiences(Step.glass_broken)
    assert more[0] is Audience.support
    assert len(more) == 4

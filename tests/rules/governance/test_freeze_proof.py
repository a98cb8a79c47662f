"""I10: nothing is changed before the evidence is frozen, unless somebody who may do so signed for what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from countermand.governance.decision import Actor, Decision, DecisionKind, Refused
from countermand.governance.directory import Directory, unattainable
from countermand.governance.freeze_proof import lacking_freeze
from countermand.ledger.bodies import Body, DecisionMade, FreezeCompleted, FreezeIncomplete, FreezeWaived
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from countermand.playbook.model import Playbook
from tests import cases
from tests.rules.governance.asking import BEGIN, KEYS, a_decision, an_actor, an_ask, directory

PART = FreezeIncomplete(inventory_sha256="sha256:0", items=())


def open_to(*roles: str) -> Directory:
    rights = cases.governance().model_dump(mode="json")["rights"]
    return directory(cases.governance(rights=rights | {"proceed_incomplete": roles}))


def records(*bodies: Body) -> list[Record]:
    entries = [body.entry(f"k-{number}", "worker", incident_id="inc-1") for number, body in enumerate(bodies)]
    return [
        parse_line(build_line(entry, seq=number, prev=GENESIS_PREV, at=BEGIN)) for number, entry in enumerate(entries)
    ]


def signed(who: str | Actor = cases.JONAS, **changes: object) -> Decision:
    actor = an_actor(who) if isinstance(who, str) else who
    return a_decision(an_ask(), DecisionKind.proceed_incomplete, actor, ask_id=None, approval_digest=None, **changes)


def waived(decision: Decision) -> FreezeWaived:
    return FreezeWaived(
        decision_id=decision.decision_id,
        subject=decision.actor.subject,
        name=decision.actor.printed_name,
        missing="signals.jsonl (no answer)",
        reason=decision.reason,
    )


def lacking(*bodies: Body, people: Directory | None = None) -> str:
    return lacking_freeze(records(*bodies), KEYS.gateway_keys(), people or open_to("incident_commander"))


def test_i10_without_a_freeze_or_with_a_part_of_it_nothing_may_be_changed() -> None:
    assert "not frozen" in lacking()
    assert "not frozen" in lacking(PART)


def test_i10_a_complete_freeze_is_enough() -> None:
    assert lacking(FreezeCompleted(inventory_sha256="sha256:0", items=())) == ""


def test_i10_a_signed_decision_to_go_on_without_the_rest_is_enough() -> None:
    decision = signed()
    assert lacking(PART, DecisionMade(decision=decision), waived(decision)) == ""


def test_i10_a_waiver_that_nobody_signed_and_a_signature_that_was_never_used_prove_nothing() -> None:
    decision = signed()
    assert lacking(PART, waived(decision))
    assert lacking(PART, DecisionMade(decision=decision))
    forged = decision.model_copy(update={"reason": "another reason than the one that was signed"})
    assert lacking(PART, DecisionMade(decision=forged), waived(forged))


@pytest.mark.parametrize(
    "changes", [{"kind": DecisionKind.ask_again}, {"incident_id": "inc-2"}], ids=["another act", "another incident"]
)
def test_i10_what_was_signed_for_something_else_proves_nothing(changes: dict[str, Any]) -> None:
    decision = KEYS.sign(signed().model_copy(update=changes))
    assert lacking(PART, DecisionMade(decision=decision), waived(decision))


def test_i10_only_roles_that_the_governance_file_names_may_go_on_without_evidence() -> None:
    decision = signed(cases.MARIA)
    made = (PART, DecisionMade(decision=decision), waived(decision))
    assert lacking(*made)
    assert lacking(*made, people=open_to("safety_lead")) == ""


def test_where_the_governance_file_names_no_role_nobody_may_and_people_are_told_where_to_change_that() -> None:
    with pytest.raises(Refused, match=r"rights\.proceed_incomplete"):
        directory().permit(DecisionKind.proceed_incomplete, ("incident_commander",))


def test_a_playbook_that_asks_needs_somebody_who_may_answer() -> None:
    document = cases.playbook_document() | {"evidence_freeze": {"time_limit": "10s", "if_incomplete": "ask"}}
    asking = Playbook.model_validate(document)
    assert "if_incomplete" in " ".join(unattainable(asking, directory()))
    assert unattainable(asking, open_to("incident_commander")) == []
    assert unattainable(cases.playbook(), directory()) == []


def test_i10_automation_and_people_who_may_never_take_part_cannot_go_on_without_the_rest() -> None:
    machine = an_actor(cases.JONAS, principal="automation")
    decision = signed(machine)
    assert lacking(PART, DecisionMade(decision=decision), waived(decision))
    rights = cases.governance().model_dump(mode="json")["rights"]
    rules = cases.governance(rights=rights | {"proceed_incomplete": ("incident_commander",)})
    shut_out = directory(rules.model_copy(update={"excluded": (cases.JONAS,)}))
    person = signed()
    assert lacking(PART, DecisionMade(decision=person), waived(person), people=shut_out)

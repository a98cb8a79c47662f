"""Evidence that cannot be frozen: people see what is missing, and nothing is changed in silence (GOV-42, I10)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError

from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import FreezeWaived
from countermand.ledger.record import Kind
from countermand.messages.review import review_facts
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.workflows.conftest import World

HISTORIES = sorted((Path(__file__).parents[1] / "replay" / "histories").glob("*/incident.json"))
REASON = "the store is broken and users are harmed meanwhile"


def incomplete(world: World, branch: str | None) -> None:
    """The bytes of the playbook cannot be read within this playbook's short freeze."""
    document = cases.playbook_document() | {"evidence_freeze": {"time_limit": "2s"}}
    if branch is not None:
        document["evidence_freeze"]["if_incomplete"] = branch
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)
    rights = cases.governance().model_dump(mode="json")["rights"]
    world.people = fakes.FakePeople(cases.governance(rights=rights | {"proceed_incomplete": ["incident_commander"]}))
    world.catalogue.dark = True


async def test_where_the_playbook_asks_a_signed_decision_goes_on_and_stands_in_the_review(world: World) -> None:
    incomplete(world, "ask")
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("held")
        assert "playbook.yaml (no answer within" in view.sentence
        assert view.phase is not None
        assert set(view.phase.commands) == {"ask_again", "abort", "proceed_incomplete"}
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await world.decide(DecisionKind.proceed_incomplete, cases.MARIA, reason=REASON)
        assert "incident_commander" in str(refused.value.__cause__)
        await world.decide(DecisionKind.proceed_incomplete, cases.JONAS, reason=REASON)
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
        await world.reviewed()
    waived = [FreezeWaived.model_validate(body) for body in world.ledger.bodies(Kind.freeze_waived)]
    assert [(one.name, one.reason) for one in waived] == [("Jonas Weber", REASON)]
    kinds = [record.kind for record in await world.ledger.records(incident_id=world.incident_id)]
    assert kinds.index(Kind.freeze_waived) < kinds.index(Kind.stage_intent)
    assert Kind.freeze_completed not in kinds
    facts = review_facts(await world.view())
    assert any("went on with incomplete evidence" in line["text"] for line in facts["timeline"])
    assert any("playbook.yaml" in one for one in facts["unknowns"])


async def test_where_the_playbook_waits_nobody_can_go_on_and_another_try_can_succeed(world: World) -> None:
    incomplete(world, None)
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("held")
        assert view.phase is not None
        assert set(view.phase.commands) == {"ask_again", "abort"}
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await world.decide(DecisionKind.proceed_incomplete, cases.JONAS, reason=REASON)
        assert "not possible now" in str(refused.value.__cause__)
        world.catalogue.dark = False
        await world.decide(DecisionKind.ask_again, cases.JONAS)
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    kinds = world.ledger.kinds()
    assert (kinds[Kind.freeze_incomplete.value], kinds[Kind.freeze_completed.value]) == (1, 1)


async def test_r119_a_freeze_that_takes_long_can_be_aborted(world: World) -> None:
    document = cases.playbook_document() | {"evidence_freeze": {"time_limit": "4m"}}
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)
    world.catalogue.dark = True
    async with world.worker():
        handle = await world.open_incident()
        view = await world.reaches("freezing")
        assert view.phase is not None
        assert view.phase.commands == ("abort",)
        world.catalogue.dark = False  # the copy comes to its end beside the abort
        await world.decide(DecisionKind.abort, cases.JONAS, reason="this was a drill, nobody is harmed")
        closing = await handle.result()
    assert closing.outcome == "aborted"
    assert world.target.effects == []


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.parent.name)
def test_i10_no_recorded_incident_starts_a_revert_before_its_evidence_is_frozen(path: Path) -> None:
    """The freeze came to its end before every revert. In these stories glass is broken late, and gaps are waived."""
    events: list[dict[str, Any]] = json.loads(path.read_text())["history"]["events"]
    freezes, frozen, reverts = set(), None, []
    for event in events:
        scheduled = event.get("activityTaskScheduledEventAttributes")
        completed = event.get("activityTaskCompletedEventAttributes")
        started = event.get("startChildWorkflowExecutionInitiatedEventAttributes")
        if scheduled and scheduled["activityType"]["name"] == "freeze":
            freezes.add(event["eventId"])
        if completed and completed["scheduledEventId"] in freezes and frozen is None:
            frozen = int(event["eventId"])
        if started and started["workflowType"]["name"] == "StagedRevert":
            reverts.append(int(event["eventId"]))
    assert frozen is not None
    assert all(frozen < revert for revert in reverts)

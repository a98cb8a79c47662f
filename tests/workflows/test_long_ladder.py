"""A request that waits for a whole day: every rung at its instant, once, and the declared default at the end.

The clock of the request alone is moved forward; a day takes well under a second on the real server.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes, standing
from tests.payloads import codec
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_gates import asked_in_slack, authorise
from workflows.approval import Approval

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
#: The server wakes a workflow in time; a crowded machine may take a while to act on it.
SOON = 20 * SECOND
#: (what happens, how long after the request)
RUNGS = (
    ("remind", 1 * HOUR),
    ("escalate", 4 * HOUR),
    ("remind", 8 * HOUR),
    ("escalate", 12 * HOUR),
    ("remind", 23 * HOUR),
    ("default", 24 * HOUR),
)
_TO = {"remind": ["safety_lead", "release_owner"], "escalate": ["executive"]}


def long_playbook(default: str) -> Playbook:
    """The test playbook with a day to decide on what is not urgent."""
    document = cases.playbook_document()
    document["detection"]["triggers"][0]["severity"] = "sev3"
    ladder: list[dict[str, object]] = [{"after": "0s", "do": "ask", "to": ["safety_lead", "release_owner"]}]
    for do, after in RUNGS:
        rung: dict[str, object] = {"after": f"{after // HOUR}h", "do": do}
        ladder.append(rung | ({"action": default} if do == "default" else {"to": _TO[do]}))
    document["approvals"]["sev3"] = document["approvals"]["sev2"] | {"ladder": ladder}
    return Playbook.model_validate(document | {"incident_time_limit": "72h"})


@pytest.fixture
def patient(environment: WorkflowEnvironment, request: pytest.FixtureRequest) -> World:
    """A world whose requests wait for a day; the parameter is their declared default.

    What is not urgent waits until the next working day is over at most (GOV-27); here that is three days away.
    """
    world = World(environment, long_playbook(request.param))
    working_day = (fakes.now() + timedelta(days=3)).weekday()
    world.people.governance = cases.governance(
        limits=standing.LIMITS, working_time={"time_zone": "UTC", "days": [working_day]}
    )
    return world


async def asked(world: World) -> tuple[WorkflowHandle[Any, Any], datetime]:
    """The open request, and when it was opened."""
    ask = (await world.reaches("asking")).ask
    assert ask is not None
    return world.env.client.get_workflow_handle(ask.opened.workflow_id), ask.opened.opened_at


async def climbed(approval: WorkflowHandle[Any, Any]) -> list[tuple[str, datetime]]:
    """Every rung that the workflow acted on, with the instant on its own clock, as the server's history has it."""
    history = await approval.fetch_history()
    found = []
    for event in history.events:
        summary = event.user_metadata.summary
        words = json.loads((await codec().decode([summary]))[0].data) if summary.data else ""
        if event.HasField("activity_task_scheduled_event_attributes") and words.startswith("Ladder: "):
            found.append((words.removeprefix("Ladder: "), event.event_time.ToDatetime(UTC)))
    return found


def expected(default: str, until_: timedelta = 24 * HOUR) -> list[tuple[str, timedelta]]:
    return [(default if do == "default" else do, after) for do, after in RUNGS if after <= until_]


async def assert_climbed(world: World, approval: WorkflowHandle[Any, Any], opened_at: datetime, default: str) -> None:
    """Each rung was acted on once, not before its instant and soon after, and stands in the Ledger once."""
    found = await climbed(approval)
    assert [do for do, _ in found] == [do for do, _ in expected(default)]
    for (do, at), (_, after) in zip(found, expected(default), strict=True):
        assert timedelta(0) <= at - (opened_at + after) < SOON, f"{do} {at - opened_at} after the request"
    rungs = [(body["rung"], body["do"]) for body in world.ledger.bodies(Kind.ask_rung)]
    assert rungs == list(enumerate([do for do, _ in expected(default)], start=1))
    told = [body["audience"] for body in world.ledger.bodies(Kind.comms_sent) if body["step"] == "approval_reminded"]
    assert sorted(told) == ["approver"] * 5 + ["operator"] * 5, "one message per audience, reminder and escalation"
    state = await approval.query(Approval.state)
    assert state.closed_at is not None
    assert timedelta(0) <= state.closed_at - (opened_at + 24 * HOUR) < SOON


@pytest.mark.parametrize("patient", ["hold"], indirect=True)
async def test_a_day_without_a_decision_ends_in_the_declared_hold_and_people_are_asked_again(
    patient: World, environment: WorkflowEnvironment
) -> None:
    async with patient.worker():
        await patient.open_incident()
        approval, opened_at = await asked(patient)
        await environment.fast_forward(approval)
        held = await patient.reaches("held")
        await assert_climbed(patient, approval, opened_at, "hold")
        assert held.ask is not None
        assert held.ask.status == "expired"
        assert held.closed is None, "the incident stays open"
        await patient.decide(DecisionKind.ask_again, cases.JONAS)
        again = await patient.reaches("asking")
        assert again.ask is not None
        assert again.ask.opened.supersedes == held.ask.opened.ask_id
    assert patient.target.effects == []


@pytest.mark.parametrize("patient", ["abort"], indirect=True)
async def test_a_day_without_a_decision_ends_in_the_declared_abort_without_effect_and_with_a_review(
    patient: World, environment: WorkflowEnvironment
) -> None:
    async with patient.worker():
        incident = await patient.open_incident()
        approval, opened_at = await asked(patient)
        await environment.fast_forward(approval)
        closing = await incident.result()
        await assert_climbed(patient, approval, opened_at, "abort")
        await patient.reviewed()
    assert closing.outcome == "expired"
    assert "Declared default: abort" in closing.sentence
    assert patient.target.effects == []


@pytest.mark.parametrize("patient", ["hold", "abort"], indirect=True)
async def test_another_worker_climbs_on_where_the_first_one_stopped(
    patient: World, environment: WorkflowEnvironment
) -> None:
    async with patient.worker():
        await patient.open_incident()
        approval, opened_at = await asked(patient)
        await environment.fast_forward(approval, 10 * HOUR)

        async def three() -> bool:
            return len(await climbed(approval)) == 3

        await until(three, "three rungs within ten hours")
    default = patient.playbook.approvals[Severity.sev3].default
    async with patient.worker():
        await environment.fast_forward(approval)
        await assert_climbed(patient, approval, opened_at, default)


@pytest.mark.parametrize("patient", ["hold"], indirect=True)
async def test_two_approvals_in_the_last_hour_of_the_day_count_and_the_default_is_never_taken(
    patient: World, environment: WorkflowEnvironment
) -> None:
    async with patient.worker():
        incident = await patient.open_incident()
        approval, opened_at = await asked(patient)
        await environment.fast_forward(approval, 23 * HOUR + 30 * 60 * SECOND)
        for who in (cases.MARIA, cases.JONAS):
            await patient.decide(DecisionKind.approve, who)
        assert (await incident.result()).outcome == "reverted"
        found = await climbed(approval)
    assert [(do, round((at - opened_at) / HOUR)) for do, at in found] == [
        (do, after // HOUR) for do, after in expected("hold", 23 * HOUR)
    ]


@pytest.mark.parametrize("patient", ["proceed"], indirect=True)
async def test_a_day_without_a_decision_proceeds_under_a_standing_authorisation_and_across_a_restart(
    patient: World, environment: WorkflowEnvironment
) -> None:
    await authorise(patient, severities=(Severity.sev3,))
    async with patient.worker():
        incident = await patient.open_incident()
        approval, opened_at = await asked(patient)
        await asked_in_slack(patient, ids.ask_id(patient.incident_id, 1))
        await environment.fast_forward(approval, 10 * HOUR)
    assert patient.target.effects == []
    async with patient.worker():
        await environment.fast_forward(approval)
        assert (await incident.result()).outcome == "reverted"
        await assert_climbed(patient, approval, opened_at, "proceed")
        state = await approval.query(Approval.state)
    assert (state.status.value, state.basis, state.votes) == ("approved", "standing_authorisation", ())
    assert patient.ledger.kinds()[Kind.ask_defaulted.value] == 1
    assert [share for _, share in patient.target.effects] == [4_500, 2_500, 0]


@pytest.mark.parametrize("patient", ["proceed"], indirect=True)
async def test_a_day_without_a_decision_and_without_an_authorisation_holds_and_says_why(
    patient: World, environment: WorkflowEnvironment
) -> None:
    async with patient.worker():
        await patient.open_incident()
        approval, opened_at = await asked(patient)
        await environment.fast_forward(approval)
        held = await patient.reaches("held")
        await assert_climbed(patient, approval, opened_at, "proceed")
    assert "it does not proceed: there is no standing authorisation" in held.sentence
    assert patient.ledger.kinds()[Kind.ask_defaulted.value] == 1
    assert patient.target.effects == []

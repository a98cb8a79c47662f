"""What a verdict leads to, on the real server: a start without asking, stricter requests, and `proceed` (GOV-23…29)."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.briefing import BriefingActivities, BriefRequest
from activities.planning import PlanningActivities, PlanRequest
from countermand.governance.decision import DecisionKind
from countermand.governance.gating import Trust
from countermand.ledger.bodies import CommsSent
from countermand.ledger.record import Kind
from countermand.messages.ask_card import ask_card
from countermand.messages.incident import IncidentView
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes, standing
from tests.waiting import until
from tests.workflows.conftest import World
from tests.workflows.test_staged_revert import soaking
from workflows.staged_revert import RevertInput, StagedRevert

MINUTE = 60


def use(world: World, playbook: Playbook) -> None:
    world.playbook = world.catalogue.the_playbook = playbook


def serious_world(world: World, playbook: Playbook) -> World:
    """The world under this playbook, with limits that short stages keep."""
    use(world, playbook)
    world.people.governance = standing.governance()
    return world


def slowly(playbook: Playbook) -> Playbook:
    document = playbook.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for stage in document["revert"]["stages"]:
        stage["soak"] = "60s"
    return Playbook.model_validate(document)


@pytest.fixture
def serious(world: World) -> World:
    """Serious harm that two sources see; no authorisation yet."""
    return serious_world(world, standing.serious_playbook())


async def authorise(world: World, **changes: Any) -> None:
    now = fakes.now()
    authorisation = standing.an_authorisation(world.release, world.playbook, now, **changes)
    await standing.issue(world.ledger, world.keys, authorisation, await world.people.snapshot(), now)
    await standing.rehearse(world.ledger, world.release.playbook_digest)


def why(view: IncidentView) -> str:
    assert view.ask is not None
    return "\n".join(next(fact.lines for fact in ask_card(view, view.ask).facts if fact.title == "Why"))


async def nobody_decides(world: World, environment: WorkflowEnvironment, minutes: int) -> None:
    view = await world.reaches("asking")
    assert view.ask is not None
    approval = environment.client.get_workflow_handle(view.ask.opened.workflow_id)
    await environment.fast_forward(approval, minutes * MINUTE)


async def test_gov_27_clear_harm_under_a_standing_authorisation_goes_back_without_asking(serious: World) -> None:
    await authorise(serious)
    async with serious.worker():
        handle = await serious.open_incident()
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in serious.target.effects] == [4_500, 2_500, 0]
    kinds = [record.kind for record in await serious.ledger.records(incident_id=serious.incident_id)]
    assert Kind.ask_opened not in kinds
    assert kinds.index(Kind.freeze_completed) < kinds.index(Kind.gate_decided) < kinds.index(Kind.stage_intent)
    told = {audience for step, audience in serious.channel.steps() if step == "automatic_started"}
    assert told == {"approver", "operator", "exec", "support"}


async def test_gov_29_people_are_told_as_it_starts_and_can_abort_it(serious: World) -> None:
    use(serious, slowly(serious.playbook))
    await authorise(serious)
    async with serious.worker():
        handle = await serious.open_incident()
        await serious.reaches("reverting")
        await soaking(serious, 1)

        async def told() -> bool:
            return ("automatic_started", "approver") in serious.channel.steps()

        await until(told, "the approvers are told while the first stage soaks")
        await serious.decide(DecisionKind.abort, cases.JONAS, reason="the judge was wrong, stopping here")
        assert (await handle.result()).outcome == "aborted"
    assert serious.target.split.candidate_bp == 4_500


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (None, "not automatic: standing authorisation 'sa-harm': it was revoked at"),
        ({"playbook_digest": "sha256:other"}, "the playbook changed since it was signed"),
    ],
)
async def test_gov_28_what_no_authorisation_covers_is_asked_and_the_card_says_why(
    serious: World, changes: dict[str, Any] | None, reason: str
) -> None:
    await authorise(serious, **(changes or {}))
    if changes is None:
        await standing.revoke(serious.ledger, "sa-harm")
    async with serious.worker():
        handle = await serious.open_incident()
        assert reason in why(await serious.reaches("asking"))
        await serious.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    assert ("automatic_started", "approver") not in serious.channel.steps()


async def test_gov_27_a_doubtful_trigger_is_asked_under_the_stricter_limit_with_its_clauses(serious: World) -> None:
    await authorise(serious)
    serious.trust.known = {name: Trust(authenticated=True, shares=("host a",)) for name in ("judge", "feedback")}
    async with serious.worker():
        await serious.open_incident()
        view = await serious.reaches("asking")
    assert view.ask is not None
    opened = view.ask.opened
    assert (opened.expires_at - opened.opened_at).total_seconds() == 15 * MINUTE
    assert opened.ladder[-1] == "after 15 minutes: if nobody has decided: hold"
    assert "not clear: 1 of 2 needed independent sources agree" in why(view)


async def test_gov_24_nobody_decides_and_the_plan_proceeds_under_the_authorisation(
    serious: World, environment: WorkflowEnvironment
) -> None:
    """The gate asks because the authorisation came later; at the time limit it covers the plan."""
    use(serious, standing.proceeding(serious.playbook))
    async with serious.worker():
        handle = await serious.open_incident()
        view = await serious.reaches("asking")
        assert view.ask is not None
        await authorise(serious)
        await asked_in_slack(serious, view.ask.opened.ask_id)
        await nobody_decides(serious, environment, 31)
        assert (await handle.result()).outcome == "reverted"
    view = await serious.view()
    assert view.ask is not None
    assert view.ask.status == "approved"
    assert "standing authorisation 'sa-harm' covers this plan" in (view.ask.closed.because if view.ask.closed else "")
    assert ("automatic_started", "exec") in serious.channel.steps()
    assert [share for _, share in serious.target.effects] == [4_500, 2_500, 0]


async def test_gov_24_proceed_without_an_authorisation_holds_and_says_why(
    serious: World, environment: WorkflowEnvironment
) -> None:
    use(serious, standing.proceeding(serious.playbook))
    async with serious.worker():
        await serious.open_incident()
        await nobody_decides(serious, environment, 31)
        held = await serious.reaches("held")
    assert "it does not proceed: there is no standing authorisation" in held.sentence
    assert held.ask is not None
    assert held.ask.status == "expired"
    assert serious.target.effects == []


async def test_gov_24_an_extension_moves_the_moment_at_which_it_proceeds(
    serious: World, environment: WorkflowEnvironment
) -> None:
    use(serious, standing.proceeding(serious.playbook))
    async with serious.worker():
        await serious.open_incident()
        view = await serious.reaches("asking")
        assert view.ask is not None
        await authorise(serious)
        await asked_in_slack(serious, view.ask.opened.ask_id)
        await serious.decide(DecisionKind.extend, cases.MARIA, reason="the safety team is looking at it")
        await nobody_decides(serious, environment, 31)
        await serious.decide(DecisionKind.reject, cases.MARIA, reason="looked at ten samples, the judge is wrong")
        await serious.reaches("rejected")
    assert serious.target.effects == []
    assert serious.ledger.kinds()[Kind.ask_defaulted.value] == 0


async def test_i2_a_revert_started_by_hand_without_an_ask_has_no_effect(serious: World) -> None:
    brief = await BriefingActivities(
        serious.catalogue, serious.people, serious.keys, fakes.adoptions(serious.catalogue)
    ).brief(BriefRequest(release_id=serious.release.release_id))
    await cases.register(serious.ledger, serious.release)
    made = await PlanningActivities(serious.target, serious.ledger, serious.keys, fakes.now).make_plan(
        PlanRequest(incident_id=serious.incident_id, severity=Severity.sev1, brief=brief, number=1)
    )
    assert made.plan is not None
    forged = RevertInput(plan=made.plan, ask=None, approval=None, number=1, brief=brief, ends_by=fakes.now())
    async with serious.worker():
        result = await serious.env.client.execute_workflow(
            StagedRevert.run, forged, id=f"forged/{uuid.uuid4()}", task_queue=serious.queue
        )
    assert (result.outcome, serious.target.effects) == ("stale", [])
    assert "no standing authorisation is named" in result.sentence


async def asked_in_slack(world: World, ask_id: str) -> None:
    """The channel of these tests is one; the card in Slack is the other."""
    body = CommsSent(
        step="approval_asked", audience="approver", key=f"slack/{ask_id}/channel", subject="asked",
        text_sha256="sha256:0", channel="slack", facts_sha256="sha256:0",
    )  # fmt: skip
    await world.ledger.append(
        body.entry(f"comms/slack/{ask_id}", "worker", incident_id=world.incident_id, release_id="r")
    )

"""What runs beside an incident or without one: consents, words to people, looks at the way back."""

from __future__ import annotations

from temporalio.worker import Worker

from activities.communicating import CommunicatingActivities, CorrectRequest
from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.version_lists import allowance, lifting
from countermand.ledger.bodies import CommsCorrected, CommsSent, VersionQuarantined
from countermand.ledger.record import Kind
from countermand.playbook.model import Audience, Severity
from tests import cases, fakes
from tests.waiting import until
from tests.workflows import test_consent as consents
from tests.workflows import test_standing_preflight as preflight
from tests.workflows.conftest import World
from tests.workflows.test_eligible import deny
from tests.workflows.test_gates import use
from tests.workflows.test_messages import SlowChannel, messages_of, promised, telling_exec_at_once
from workflows.allowing import AllowVersion
from workflows.correction import Correction
from workflows.standing import IssueStanding

MINUTE, HOUR = 60, 3_600


async def standing_authorisation_issued(world: World) -> None:
    given = await consents.asked(world)
    name = str(given.document["authorisation_id"])
    async with world.worker():
        handle = await world.env.client.start_workflow(
            IssueStanding.run, given, id=ids.standing_workflow(name), task_queue=world.queue
        )
        await consents.decide(world, given, DecisionKind.approve, cases.MARIA)
        await consents.decide(world, given, DecisionKind.approve, cases.AMIRA)
        assert (await handle.result()).status == "given"


async def consent_retracted_then_lapsed(world: World) -> None:
    given = await consents.asked(world)
    async with world.worker():
        handle = await consents.start(world, given)
        await consents.decide(world, given, DecisionKind.approve, cases.MARIA)
        await consents.decide(world, given, DecisionKind.retract, cases.MARIA)
        await world.env.fast_forward(handle, 7 * consents.DAY)
        assert (await handle.result()).status == "lapsed"


async def ratification_reminded_then_refused(world: World) -> None:
    given = await consents.a_ratification(world)
    async with world.worker():
        handle = await consents.start(world, given)
        await world.env.fast_forward(handle, consents.DAY)

        async def reminded() -> bool:
            return world.ledger.kinds()[Kind.consent_overdue.value] >= 1

        await until(reminded, "the first reminder")
        await consents.decide(world, given, DecisionKind.reject, cases.MARIA)
        assert (await handle.result()).status == "refused"


async def version_allowed_again(world: World) -> None:
    document = world.people.governance.model_dump(mode="json", by_alias=True)
    document["people"][1]["roles"].append("legal_counsel")
    world.people.governance = cases.governance(people=document["people"])
    terms = allowance(world.release.baseline.digest, "test", "the harness is patched")
    async with world.worker():
        await deny(world)
        await _signed_off(world, Action.allow_version, terms, cases.JONAS)
    assert len(world.ledger.bodies(Kind.version_allowed)) == 1


async def quarantine_lifted(world: World) -> None:
    candidate = world.release.candidate
    body = VersionQuarantined(
        digest=candidate.digest, name=candidate.name, environment="test", members={"model": candidate.model},
        fairness=False,
    )  # fmt: skip
    await world.ledger.append(body.entry("quarantined", "worker", incident_id="inc-1"))
    async with world.worker():
        terms = lifting(candidate.digest, "test", "inc-1", "the judge was wrong")
        await _signed_off(world, Action.re_release, terms, cases.AMIRA)
    assert len(world.ledger.bodies(Kind.quarantine_lifted)) == 1


async def promised_updates_kept_and_missed(world: World) -> None:
    use(world, telling_exec_at_once())
    world.channel = channel = SlowChannel()
    async with world.worker():
        handle = await world.open_incident()
        await world.reaches("asking")
        await promised(world)
        messages = messages_of(world, world.env)
        await world.env.fast_forward(messages, 51 * MINUTE)
        await promised(world, 2)
        channel.dark_for = {Audience.exec}
        await world.env.fast_forward(messages, 61 * MINUTE)

        async def overdue() -> bool:
            return world.ledger.kinds()[Kind.update_overdue.value] == 1

        await until(overdue, "an update is overdue")
        await world.decide(DecisionKind.reject, cases.MARIA, reason="the judge is wrong, looked at ten")
        assert (await handle.result()).outcome == "rejected"
        await messages.result()


async def way_back_looked_at_until_the_release_is_closed(world: World) -> None:
    async with world.worker():
        handle = await preflight.start(world)
        await preflight.looks(world, 1)
        world.target.healthy = False
        await world.env.fast_forward(handle, HOUR + 1)
        await preflight.looks(world, 2)
        await world.catalogue.close_release(world.release.release_id, fakes.now(), "promoted")
        await world.env.fast_forward(handle, HOUR + 1)
        assert await handle.result() == "promoted"


async def message_corrected(world: World) -> None:
    name = world.release.release_id
    told = {"incident_id": world.incident_id, "release_id": name}
    wrong = CommsSent(
        step="reverted", audience="customer", key=f"{name}/reverted", subject="Reverted", text_sha256="sha256:t",
        channel="fake", facts_sha256="sha256:f",
    )  # fmt: skip
    order = CommsCorrected(
        correction_id=name, key=wrong.key, step="reverted", audience="customer", subject="Reverted", what=None,
        why="It was not yet.", by=cases.JONAS, name="Jonas Weber",
    )  # fmt: skip
    await world.ledger.append(wrong.entry(f"comms/{wrong.key}", "worker", **told))
    await world.ledger.append(order.entry(f"correction/{name}", cases.JONAS, **told))
    words = CommunicatingActivities(world.ledger, fakes.FakeRenderer(), world.channel, "http://console")
    client = world.env.client
    async with Worker(client, task_queue=world.queue, workflows=[Correction], activities=[words.correct]):
        request, workflow_id = CorrectRequest(correction_id=name), ids.correction_workflow(name)
        done = await client.execute_workflow(Correction.run, request, id=workflow_id, task_queue=world.queue)
    assert done.sent == 1


async def _signed_off(world: World, action: Action, document: dict[str, object], second: str) -> None:
    """Maria and a second person sign that a version may be used again."""
    given = await consents.asked(
        world,
        consent_id=f"allow-{world.release.release_id}",
        right=shipped_rights().row(action, Severity.sev1),
        document=document,
    )
    handle = await world.env.client.start_workflow(
        AllowVersion.run, given, id=ids.allowing_workflow(given.consent_id), task_queue=world.queue
    )
    await consents.decide(world, given, DecisionKind.approve, cases.MARIA)
    await consents.decide(world, given, DecisionKind.approve, second)
    assert (await handle.result()).status == "given"


SITUATIONS = (
    standing_authorisation_issued,
    consent_retracted_then_lapsed,
    ratification_reminded_then_refused,
    version_allowed_again,
    quarantine_lifted,
    promised_updates_kept_and_missed,
    way_back_looked_at_until_the_release_is_closed,
    message_corrected,
)

"""Adopting a playbook on a real server: signed, refused, lapsed, forged; loosening needs three people (T9)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment

from activities.adopting import Adoptions
from countermand import ids
from countermand.governance.adoption import ACTIONS, document
from countermand.governance.decision import DecisionKind, Refusal, SignatureClass
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes
from tests.activities.test_adopting import ASKER, MAINTAINER, OWNER, Shelf, a_governance, version
from tests.workflows.conftest import World
from tests.workflows.test_consent import decide, opened, refused
from workflows.adopting import AdoptPlaybook
from workflows.consent import ConsentInput

DAY = 86_400
SAFETY = cases.JONAS
APPROVE = DecisionKind.approve


class Shelved:
    """A world with several versions: Lena maintains playbooks, Maria owns the product, Jonas looks after safety."""

    def __init__(self, world: World) -> None:
        self.world, self.shelf = world, Shelf()
        self.shelf.status = world.catalogue.status
        world.catalogue = self.shelf
        people = [one.model_dump(mode="json") for one in a_governance().people]
        people[0]["roles"], people[1]["roles"] = ["product_owner"], ["safety_lead", "incident_commander"]
        world.people = fakes.FakePeople(cases.governance(people=people, playbooks={"adoption": "required"}))
        self.adoptions = Adoptions(world.ledger, self.shelf, fakes.FakeAdoptionKey())

    async def ask(self, playbook: Playbook, **changes: Any) -> ConsentInput:
        digest = f"sha256:{len(self.shelf.books):064}"
        self.shelf.books[digest] = playbook
        return await self.again(playbook, digest, **changes)

    async def again(self, playbook: Playbook, digest: str, **changes: Any) -> ConsentInput:
        _, last, found = await self.adoptions.next(playbook)
        given: dict[str, Any] = {
            "consent_id": f"adopt-{uuid.uuid4().hex[:8]}",
            "right": shipped_rights().row(ACTIONS[found.change], Severity.sev1),
            "subject": "May releases be watched by it?",
            "document": document(playbook, digest, last, found, "We agreed on it."),
            "requester": ASKER,
            "excluded": (),
            "incident_id": None,
            "release_id": None,
            "environment": "",
            "time_limit": timedelta(days=7),
            "overdue": "lapse",
            "directory": await self.world.people.snapshot(),
            "keys": self.world.keys.gateway_keys(),
        }
        return ConsentInput.model_validate(given | changes)

    async def start(self, given: ConsentInput) -> WorkflowHandle[Any, Any]:
        handle = await self.world.env.client.start_workflow(
            AdoptPlaybook.run, given, id=ids.adopting_workflow(given.consent_id), task_queue=self.world.queue
        )
        await opened(self.world, given)
        return handle

    async def signed(self, given: ConsentInput, *who: str, **changes: Any) -> str:
        handle = await self.start(given)
        for one in who:
            await decide(self.world, given, APPROVE, one, **changes)
        return str((await handle.result()).status)

    async def in_force(self) -> list[tuple[int, str]]:
        return [(one.version, one.digest) for one in await self.adoptions.of("test-bot")]


async def test_versions_follow_one_another_and_what_does_not_follow_is_not_adopted(world: World) -> None:
    shelved = Shelved(world)
    async with world.worker():
        first = await shelved.ask(version(1))
        assert await shelved.signed(first, MAINTAINER, OWNER) == "given"
        digest = str(first.document["digest"])
        assert await shelved.in_force() == [(1, digest)]
        assert await shelved.signed(await shelved.again(version(1), digest), MAINTAINER, OWNER) == "given"
        assert await shelved.in_force() == [(1, digest)], "the same version is adopted once"
        early, late = await shelved.ask(version(2)), await shelved.ask(version(3))
        assert await shelved.signed(late, MAINTAINER, OWNER) == "given"
        assert await shelved.signed(early, MAINTAINER, OWNER) == "given"
        assert [number for number, _ in await shelved.in_force()] == [1, 3], "version 2 was overtaken"
    assert world.ledger.kinds()[Kind.playbook_adopted.value] == 2


async def test_a_request_that_is_refused_or_lapses_adopts_nothing(
    world: World, environment: WorkflowEnvironment
) -> None:
    shelved = Shelved(world)
    async with world.worker():
        no = await shelved.ask(version(1))
        handle = await shelved.start(no)
        await decide(world, no, APPROVE, MAINTAINER)
        await decide(world, no, DecisionKind.reject, OWNER)
        assert (await handle.result()).status == "refused"
        late = await shelved.ask(version(1))
        handle = await shelved.start(late)
        await decide(world, late, APPROVE, MAINTAINER)
        child = world.env.client.get_workflow_handle(ids.consent_workflow(late.consent_id))
        await environment.fast_forward(child, 7 * DAY)
        assert (await handle.result()).status == "lapsed"
    assert await shelved.in_force() == []


async def test_loosening_needs_the_safety_lead_too_each_with_a_security_key(world: World) -> None:
    shelved = Shelved(world)
    async with world.worker():
        await shelved.signed(await shelved.ask(version(1, 3)), MAINTAINER, OWNER)
        laxer = await shelved.ask(version(2, 9))
        handle = await shelved.start(laxer)
        assert laxer.right.action is Action.loosen_threshold
        assert await refused(world, laxer, APPROVE, ASKER) is Refusal.four_eyes
        weak = {"signature_class": SignatureClass.standard}
        assert await refused(world, laxer, APPROVE, SAFETY, **weak) is Refusal.step_up_required
        await decide(world, laxer, APPROVE, MAINTAINER)
        assert (await decide(world, laxer, APPROVE, OWNER)).status == "pending"
        await decide(world, laxer, APPROVE, SAFETY)
        assert (await handle.result()).status == "given"
    assert [number for number, _ in await shelved.in_force()] == [1, 2]


async def test_consents_that_somebody_forged_at_the_workflow_service_adopt_nothing(world: World) -> None:
    shelved = Shelved(world)
    async with world.worker():
        await shelved.signed(await shelved.ask(version(1, 3)), MAINTAINER, OWNER)
        fewer = await shelved.ask(version(2, 9), right=shipped_rights().row(Action.adopt_playbook, Severity.sev1))
        assert await shelved.signed(fewer, MAINTAINER, OWNER) == "given", "asked of two people, not of three"
        row = shipped_rights().row(Action.loosen_threshold, Severity.sev1)
        weaker = row.model_copy(update={"signature": SignatureClass.standard})
        asked = await shelved.ask(version(2, 9), right=weaker)
        weak = {"signature_class": SignatureClass.standard}
        assert await shelved.signed(asked, MAINTAINER, OWNER, SAFETY, **weak) == "given", "asked without security keys"
        real, world.keys = world.keys, fakes.FakeKeys()
        world.keys.private = Ed25519PrivateKey.from_private_bytes(bytes([7] * 32))
        forged = await shelved.ask(version(2, 2))
        assert await shelved.signed(forged, MAINTAINER, OWNER) == "given", "signed with a key of the forger's own"
        world.keys = real
    assert [number for number, _ in await shelved.in_force()] == [1]

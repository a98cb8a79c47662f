"""The end of a hold is recorded only under signatures that hold, whatever the records before it say (OBL-30)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.retaining import BatchDone, ReleaseRequest, RetentionActivities
from countermand import ids
from countermand.governance import consent_record
from countermand.governance.consent import ConsentRequest, ConsentState, apply
from countermand.governance.decision import Actor, Decision, DecisionKind, SignatureClass
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.ledger.bodies import ConsentClosed, DecisionMade
from countermand.ledger.record import Kind
from countermand.playbook.terms import Severity
from tests import cases, fakes

CONSENT = "hold-release-1"
DOCUMENT = {"act": "release_hold", "hold_id": "hold-1", "because": "the case is over"}


class NoRetention:
    async def batch(self, run_id: str, approver: str, at: str) -> BatchDone:
        raise AssertionError("nothing is deleted by a release")


@dataclass
class World:
    """One request to release a hold, asked for by Lena; Maria and Jonas can sign it."""

    ledger: fakes.FakeLedger = field(default_factory=fakes.FakeLedger)
    keys: fakes.FakeKeys = field(default_factory=fakes.FakeKeys)
    people: fakes.FakePeople = field(default_factory=lambda: fakes.FakePeople(cases.governance()))
    state: ConsentState = field(default_factory=ConsentState)

    async def ask(self, **changes: Any) -> None:
        document = cases.governance().model_dump(mode="json", by_alias=True)
        for person in document["people"]:
            if person["subject"] in (cases.MARIA, cases.JONAS):
                person["roles"].append("legal_counsel" if person["subject"] == cases.MARIA else "compliance_officer")
        self.people.governance = cases.governance(people=document["people"])
        given = {
            "consent_id": CONSENT,
            "workflow_id": ids.consent_workflow(CONSENT),
            "right": shipped_rights().row(Action.release_hold, Severity.sev1),
            "subject": "May legal hold hold-1 be released?",
            "document": DOCUMENT,
            "requester": cases.LENA,
            "excluded": (),
            "incident_id": "",
            "release_id": "",
            "environment": "",
            "opened_at": fakes.now(),
            "expires_at": fakes.now() + timedelta(days=7),
            "overdue": "lapse",
            "directory": await self.people.snapshot(),
            "keys": self.keys.gateway_keys(),
        }
        self.request = ConsentRequest.model_validate(given | changes)
        opened = consent_record.opened(self.request)
        await self.ledger.append(opened.entry(ids.consent_record(CONSENT, "opened"), "worker"))

    def decision(self, who: str) -> Decision:
        unsigned = Decision(
            decision_id=str(uuid.uuid4()),
            kind=DecisionKind.approve,
            addressed_to=self.request.workflow_id,
            incident_id="",
            ask_id=CONSENT,
            approval_digest=self.request.approval_digest,
            reason="read it, agreed with it",
            actor=Actor(
                subject=who,
                printed_name=self.request.directory.name_of(who),
                principal="person",
                roles=self.request.directory.roles_of(who),
                role_source="fake",
                role_as_of=fakes.now(),
            ),
            channel="web",
            acr="local",
            view_sha256=None,
            decided_at=fakes.now(),
            gateway_key_id=self.keys.key_id,
            signature_class=SignatureClass.step_up,
        )
        return self.keys.sign(unsigned)

    async def sign(self, who: str, forged: bool = False) -> None:
        decision = self.decision(who)
        self.state = apply(self.request, self.state, decision, fakes.now())
        vote = consent_record.vote(self.request, self.state, decision)
        kept = decision.model_copy(update={"signature": "AA=="}) if forged else decision
        await self.ledger.append(
            DecisionMade(decision=kept).entry(f"decision/{decision.decision_id}", who),
            vote.entry(ids.consent_record(CONSENT, f"vote/{decision.decision_id}"), "worker"),
        )

    async def close(self) -> None:
        body = ConsentClosed(consent_id=CONSENT, status="given", because="signed by two")
        await self.ledger.append(body.entry(ids.consent_record(CONSENT, "closed"), "worker"))

    async def release(self) -> list[Any]:
        activities = RetentionActivities(NoRetention(), self.ledger, self.people, self.keys)
        await activities.release_hold(ReleaseRequest(consent_id=CONSENT))
        return self.ledger.bodies(Kind.hold_released)


@pytest.fixture
async def world() -> World:
    made = World()
    await made.ask()
    return made


async def test_obl_30_two_signatures_that_hold_end_a_hold_and_repeating_it_changes_nothing(world: World) -> None:
    await world.sign(cases.MARIA)
    await world.sign(cases.JONAS)
    await world.close()
    for _ in range(2):
        (body,) = await world.release()
        assert (body["hold_id"], body["consent_id"]) == ("hold-1", CONSENT)


async def test_obl_30_a_closed_record_without_signatures_ends_nothing(world: World) -> None:
    await world.close()
    with pytest.raises(ApplicationError, match="signatures do not hold"):
        await world.release()
    assert world.ledger.bodies(Kind.hold_released) == []


async def test_obl_30_one_signature_is_not_enough(world: World) -> None:
    await world.sign(cases.MARIA)
    await world.close()
    with pytest.raises(ApplicationError, match="signatures do not hold for compliance"):
        await world.release()


async def test_obl_30_a_signature_that_the_gateway_did_not_make_does_not_count(world: World) -> None:
    await world.sign(cases.MARIA)
    await world.sign(cases.JONAS, forged=True)
    await world.close()
    with pytest.raises(ApplicationError, match="signatures do not hold"):
        await world.release()


async def test_obl_30_two_signatures_without_the_end_of_the_consent_end_nothing(world: World) -> None:
    await world.sign(cases.MARIA)
    await world.sign(cases.JONAS)
    with pytest.raises(ApplicationError, match="was not given"):
        await world.release()


async def test_obl_30_a_consent_to_something_else_ends_no_hold() -> None:
    world = World()
    await world.ask(document=DOCUMENT | {"act": "allow_version"})
    await world.sign(cases.MARIA)
    await world.sign(cases.JONAS)
    await world.close()
    with pytest.raises(ApplicationError, match="something else"):
        await world.release()

"""The register of standing authorisations believes signatures, not records."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from countermand.governance import consent as rules
from countermand.governance import consent_record as records
from countermand.governance.consent import ConsentRequest, ConsentState
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, SignatureClass
from countermand.governance.register import standing_authorisations
from countermand.governance.standing import StandingAuthorisation
from countermand.ledger.bodies import ConsentVote, DecisionMade, StandingIssued, StandingRevoked
from countermand.ledger.record import Record
from tests import cases, fakes
from tests.rules.governance.asking import BEGIN, KEYS, OMAR, an_actor
from tests.rules.governance.test_consent import APPROVE, DAY, LENT, RETRACT, a_request, a_vote
from tests.rules.governance.test_standing import an_authorisation, judged

SAID = an_authorisation(signers=())
BOTH = (cases.MARIA, cases.AMIRA)


class Told:
    """Records of one standing authorisation, as its workflows write them."""

    def __init__(self, **changes: Any) -> None:
        self.request: ConsentRequest = a_request(document=SAID.document, **changes)
        self.ledger = fakes.FakeLedger()
        self.state = ConsentState()
        self.number = 0

    async def opened(self) -> Told:
        await self.ledger.append(records.opened(self.request).entry("opened", "worker"))
        return self

    async def made(self, decision: Decision) -> None:
        await self.ledger.append(DecisionMade(decision=decision).entry(f"decision/{decision.decision_id}", "console"))

    async def counted(self, decision: Decision, **changes: Any) -> None:
        body = records.vote(self.request, self.state, decision).model_copy(update=changes)
        await self.ledger.append(body.entry(f"vote/{decision.decision_id}", "worker"))

    async def votes(self, who: str, kind: DecisionKind = APPROVE) -> Decision:
        """A vote that the rules accept."""
        self.number += 1
        decision = a_vote(self.request, kind, who, self.number)
        self.state = rules.apply(self.request, self.state, decision, BEGIN)
        await self.made(decision)
        await self.counted(decision)
        return decision

    async def issued(self, said: StandingAuthorisation = SAID) -> Told:
        signers = tuple(map(an_actor, BOTH))
        claimed = said.model_copy(update={"signers": signers}).model_dump(mode="json")
        body = StandingIssued(authorisation=claimed, consent_id=self.request.consent_id)
        await self.ledger.append(body.entry("issued", "worker"))
        return self

    async def register(self, keys: GatewayKeys | None = None) -> StandingAuthorisation:
        found: list[Record] = await self.ledger.records()
        (one,) = standing_authorisations(found, keys or KEYS.gateway_keys())
        return one


async def signers(told: Told, **more: Any) -> set[str]:
    return {actor.subject for actor in (await told.register(**more)).signers}


async def test_gov_28_what_two_people_signed_is_in_the_register_with_them_as_its_signers() -> None:
    told = await Told().opened()
    for who in BOTH:
        await told.votes(who)
    one = await (await told.issued()).register()
    assert {actor.subject for actor in one.signers} == set(BOTH)
    assert one.revoked_at is None
    assert judged(one).ok


async def test_a_record_without_signatures_covers_nothing() -> None:
    told = await (await Told().opened()).issued()
    assert await signers(told) == set()
    assert not judged(await told.register()).ok
    assert await signers(await Told().issued()) == set(), "nobody was even asked"


async def test_another_document_than_the_signed_one_has_no_signers() -> None:
    told = await Told().opened()
    for who in BOTH:
        await told.votes(who)
    wider = an_authorisation(signers=(), max_exposure_bp=9_000)
    assert await signers(await told.issued(wider)) == set()


async def test_signatures_of_unknown_keys_do_not_count() -> None:
    told = await Told().opened()
    for who in BOTH:
        await told.votes(who)
    assert await signers(await told.issued(), keys=GatewayKeys(public={})) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"approval_digest": "sha256:0"},
        {"ask_id": "another-consent"},
        {"kind": DecisionKind.reject},
        {"signature_class": SignatureClass.standard},
        {"decided_at": BEGIN + 7 * DAY},
        {"actor": an_actor(cases.MARIA, principal="automation")},
        {"actor": an_actor(cases.LENA)},
        {"actor": an_actor(OMAR, roles=("safety_lead",), delegated_by=LENT.model_copy(update={"subject": cases.LENA}))},
    ],
)
async def test_a_signed_decision_that_should_not_have_counted_does_not_count_here(changes: dict[str, Any]) -> None:
    """Its signature is good, and a forged record says that it was counted."""
    told = await Told().opened()
    await told.votes(cases.AMIRA)
    decision = KEYS.sign(a_vote(told.request, APPROVE, cases.MARIA, 9).model_copy(update=changes))
    await told.made(decision)
    await told.counted(decision)
    assert await signers(await told.issued()) == {cases.AMIRA}


async def test_a_decision_that_was_changed_after_it_was_signed_does_not_count() -> None:
    told = await Told().opened()
    await told.votes(cases.AMIRA)
    decision = a_vote(told.request, APPROVE, cases.MARIA, 9).model_copy(update={"reason": "something else entirely"})
    await told.made(decision)
    await told.counted(decision)
    assert await signers(await told.issued()) == {cases.AMIRA}


async def test_gov_19_a_delegate_and_who_lent_the_role_are_one_signer() -> None:
    told = await Told().opened()
    await told.votes(cases.MARIA)
    lent = an_actor(OMAR, roles=("executive",), delegated_by=LENT)
    decision = a_vote(told.request, APPROVE, lent, 9)
    await told.made(decision)
    await told.counted(decision)
    assert await signers(await told.issued()) == {cases.MARIA}


async def test_a_signature_that_was_taken_back_does_not_count_and_a_later_one_does() -> None:
    told = await Told().opened()
    await told.votes(cases.MARIA)
    await told.votes(cases.MARIA, RETRACT)
    assert await signers(await told.issued()) == set()
    again = await Told().opened()
    for who, kind in ((cases.MARIA, APPROVE), (cases.MARIA, RETRACT), (cases.MARIA, APPROVE), (cases.AMIRA, APPROVE)):
        await again.votes(who, kind)
    assert await signers(await again.issued()) == set(BOTH)


async def test_a_vote_that_was_refused_leaves_a_decision_and_no_signer() -> None:
    told = await Told().opened()
    await told.made(a_vote(told.request, APPROVE, cases.MARIA, 9))
    assert await signers(await told.issued()) == set()


async def test_it_is_revoked_from_the_time_of_the_record_whoever_wrote_it() -> None:
    told = await Told().opened()
    for who in BOTH:
        await told.votes(who)
    await told.issued()
    body = StandingRevoked(
        authorisation_id=SAID.authorisation_id, consent_id=told.request.consent_id, reason="no longer wanted",
        decision_id="d-x", name="Amira Haddad",
    )  # fmt: skip
    (record,) = await told.ledger.append(body.entry("revoked", "somebody"))
    one = await told.register()
    assert one.revoked_at == record.at
    assert not judged(one, now=record.at + timedelta(seconds=1)).ok


def test_every_counted_vote_names_its_decision() -> None:
    request = a_request()
    decision = a_vote(request, RETRACT, cases.MARIA, 3)
    body = records.vote(request, ConsentState(), decision)
    assert isinstance(body, ConsentVote)
    assert (body.vote, body.decision_id, body.have, body.need) == ("retract", "d-3", 0, 2)

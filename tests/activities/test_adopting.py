"""A playbook is adopted on signatures that hold, versions only count up, and nothing runs by another one (T9)."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.exceptions import ApplicationError

from activities.adopting import AdoptingActivities, Adoptions, AdoptRequest
from activities.briefing import BriefingActivities, BriefRequest
from countermand import ids
from countermand.governance import consent_record as records
from countermand.governance.adoption import ACTIONS, document
from countermand.governance.consent import ConsentRequest, ConsentState
from countermand.governance.decision import Actor, DecisionKind
from countermand.governance.directory import Governance
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.ledger.bodies import DecisionMade, KeyAdded, KeyRotated, PlaybookAdopted, ThresholdAdopted, parse_body
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes
from tests.rules.governance.asking import BEGIN
from tests.rules.governance.test_consent import a_request, a_vote

MAINTAINER, OWNER, ASKER = "local|lena", "local|maria", "local|amira"


def a_governance(adoption: str = "required") -> Governance:
    """Lena maintains playbooks, Maria owns the product and looks after safety."""
    people = [one.model_dump(mode="json") for one in cases.governance().people]
    people[3]["roles"] = ["playbook_maintainer"]
    return cases.governance(people=people, playbooks={"adoption": adoption})


class Shelf(fakes.FakeCatalogue):
    """Several versions, by digest."""

    def __init__(self) -> None:
        super().__init__(cases.playbook(), cases.release())
        self.books: dict[str, Playbook] = {}

    async def playbook(self, digest: str) -> Playbook:
        return self.books[digest]


class Told:
    """What stands on record after people were asked."""

    def __init__(self) -> None:
        self.ledger, self.catalogue, self.keys = fakes.FakeLedger(), Shelf(), fakes.FakeKeys()
        self.people, self.key = fakes.FakePeople(a_governance()), fakes.FakeAdoptionKey()
        self.adoptions = Adoptions(self.ledger, self.catalogue, self.key)
        self.activities = AdoptingActivities(self.ledger, self.catalogue, self.people, self.keys, self.key)

    def stored(self, playbook: Playbook) -> str:
        digest = f"sha256:{len(self.catalogue.books):064}"
        self.catalogue.books[digest] = playbook
        return digest

    async def signed(self, playbook: Playbook, digest: str, *who: str, consent_id: str = "adopt-1") -> str:
        """Ask, let these people sign, and adopt."""
        _, last, found = await self.adoptions.next(playbook)
        right = shipped_rights().row(ACTIONS[found.change], Severity.sev1)
        request: ConsentRequest = a_request(
            consent_id=consent_id,
            right=right,
            document=document(playbook, digest, last, found, "We agreed on it."),
            requester=ASKER,
            excluded=(),
            directory=await self.people.snapshot(),
            keys=self.keys.gateway_keys(),
            expires_at=BEGIN + timedelta(days=1),
        )
        await self.ledger.append(records.opened(request).entry(ids.consent_record(consent_id, "opened"), "worker"))
        for number, subject in enumerate(who):
            directory = await self.people.snapshot()
            actor = Actor(
                subject=subject,
                printed_name=directory.name_of(subject),
                principal="person",
                roles=directory.roles_of(subject),
                role_source="fake",
                role_as_of=BEGIN,
            )
            decision = a_vote(request, DecisionKind.approve, actor, number)
            decision = self.keys.sign(
                decision.model_copy(
                    update={"decision_id": f"{consent_id}-{number}", "gateway_key_id": self.keys.key_id}
                )
            )
            await self.ledger.append(DecisionMade(decision=decision).entry(f"d/{decision.decision_id}", "console"))
            vote = records.vote(request, ConsentState(), decision)
            await self.ledger.append(vote.entry(f"v/{decision.decision_id}", "worker"))
        return await self.activities.adopt_playbook(AdoptRequest(consent_id=consent_id))

    async def bodies(self, kind: Kind) -> list[object]:
        return [parse_body(record) for record in await self.ledger.records(kinds=[kind])]


@pytest.fixture
def told() -> Told:
    return Told()


def version(number: int, blind_after: int | None = None) -> Playbook:
    playbook = cases.playbook().model_copy(update={"version": number})
    if blind_after is None:
        return playbook
    detection = playbook.detection.model_copy(update={"blind_after": blind_after})
    return playbook.model_copy(update={"detection": detection})


async def test_what_maintainer_and_owner_signed_is_in_force(told: Told) -> None:
    digest = told.stored(version(1))
    assert "is in force" in await told.signed(version(1), digest, MAINTAINER, OWNER)
    (body,) = await told.bodies(Kind.playbook_adopted)
    assert isinstance(body, PlaybookAdopted)
    assert (body.change, body.previous_digest, set(body.signers)) == ("new", "", {MAINTAINER, OWNER})
    assert await told.adoptions.refuse_release(version(1), digest, a_governance()) == ""


async def test_one_signature_adopts_nothing(told: Told) -> None:
    digest = told.stored(version(1))
    assert "Not adopted" in await told.signed(version(1), digest, MAINTAINER)
    assert await told.bodies(Kind.playbook_adopted) == []
    assert "was never adopted" in await told.adoptions.refuse_release(version(1), digest, a_governance())


async def test_an_older_or_equal_version_is_refused_and_a_release_may_name_the_newest_only(told: Told) -> None:
    first, second = told.stored(version(1)), told.stored(version(2))
    await told.signed(version(1), first, MAINTAINER, OWNER)
    await told.signed(version(2), second, MAINTAINER, OWNER, consent_id="adopt-2")
    again = told.stored(version(2))
    assert "is not above version 2" in await told.signed(version(2), again, MAINTAINER, OWNER, consent_id="adopt-3")
    assert "version 2" in await told.adoptions.refuse_release(version(1), first, a_governance())
    assert await told.adoptions.refuse_run(version(1), first, a_governance()) == "", "a pinned release goes on"


async def test_a_laxer_watch_under_a_new_name_needs_the_people_of_a_laxer_watch(told: Told) -> None:
    first = told.stored(version(1, 3))
    await told.signed(version(1, 3), first, MAINTAINER, OWNER)
    renamed = version(1, 9).model_copy(update={"name": "test-bot-b"})
    _, last, found = await told.adoptions.next(renamed)
    assert (last, ACTIONS[found.change]) == (None, Action.loosen_threshold)
    assert "Not adopted" in await told.signed(renamed, told.stored(renamed), MAINTAINER, OWNER, consent_id="adopt-2")
    elsewhere = renamed.model_copy(update={"service": "another-bot"})
    assert (await told.adoptions.next(elsewhere))[2].change == "new", "nothing watches that service yet"


async def test_a_laxer_number_needs_the_safety_lead_and_each_number_is_on_record(told: Told) -> None:
    first, laxer = told.stored(version(1, 3)), told.stored(version(2, 9))
    await told.signed(version(1, 3), first, MAINTAINER, OWNER)
    _, _, found = await told.adoptions.next(version(2, 9))
    assert ACTIONS[found.change] is Action.loosen_threshold
    assert "Not adopted" in await told.signed(version(2, 9), laxer, MAINTAINER, OWNER, consent_id="adopt-2")
    stricter = told.stored(version(3, 2))
    await told.signed(version(3, 2), stricter, MAINTAINER, OWNER, consent_id="adopt-3")
    (number,) = await told.bodies(Kind.threshold_adopted)
    assert isinstance(number, ThresholdAdopted)
    assert (number.path, number.before, number.after) == ("/detection/blind_after", "3", "2")
    assert (number.direction, number.reason) == ("tightened", "We agreed on it.")


@pytest.mark.parametrize("field", ["digest", "previous_digest", "name", "version", "signature", "key_id"])
async def test_an_adoption_that_was_written_or_changed_by_another_hand_is_none(told: Told, field: str) -> None:
    digest = told.stored(version(1))
    await told.signed(version(1), digest, MAINTAINER, OWNER)
    (body,) = await told.bodies(Kind.playbook_adopted)
    assert isinstance(body, PlaybookAdopted)
    other = {
        "digest": "sha256:" + "f" * 64, "previous_digest": digest, "name": "another", "version": 7,
        "signature": base64.b64encode(bytes(64)).decode(), "key_id": "ad-unknown",
    }  # fmt: skip
    forged = body.model_copy(update={field: other[field]})
    elsewhere = fakes.FakeLedger()
    await elsewhere.append(forged.entry("forged", "worker"))
    assert await Adoptions(elsewhere, told.catalogue, told.key).of(forged.name) == ()


async def test_no_workflow_is_briefed_by_a_playbook_that_nobody_adopted(told: Told) -> None:
    release = told.catalogue.status.release
    told.catalogue.books[release.playbook_digest] = version(1)
    briefing = BriefingActivities(told.catalogue, told.people, told.keys, told.adoptions)
    asked = BriefRequest(release_id=release.release_id)
    with pytest.raises(ApplicationError, match="was never adopted") as refused:
        await briefing.brief(asked)
    assert refused.value.non_retryable
    await told.signed(version(1), release.playbook_digest, MAINTAINER, OWNER)
    assert (await briefing.brief(asked)).playbook.version == 1


def test_a_governance_file_that_says_nothing_requires_adoption() -> None:
    said = cases.governance().model_dump(mode="json", by_alias=True)
    del said["playbooks"]
    assert Governance.model_validate(said).playbooks.adoption == "required"


class Keys:
    """Adoption keys that take over from one another, as the Ledger tells it."""

    def __init__(self, told: Told) -> None:
        self.ledger, self.held = told.ledger, [told.key]

    async def add(self) -> None:
        first = self.held[0]
        body = KeyAdded(
            purpose="adoption", key_id=first.key_id, public=base64.b64encode(first.public).decode(), key_origin="auto"
        )
        await self.ledger.append(body.entry("key/added/adoption", "countermand"))

    async def rotate(self, number: int, signed_by: fakes.FakeAdoptionKey | None = None) -> fakes.FakeAdoptionKey:
        old, new = self.held[-1], fakes.FakeAdoptionKey()
        new.key_id, new.private = f"ad-{number}", Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))
        public = base64.b64encode(new.public).decode()
        said = KeyRotated.signed_bytes("adoption", old.key_id, new.key_id, public)
        body = KeyRotated(
            purpose="adoption",
            old_key_id=old.key_id,
            key_id=new.key_id,
            public=public,
            signed_by_old=base64.b64encode((signed_by or old).sign_bytes(said)).decode(),
            signed_by_new=base64.b64encode(new.sign_bytes(said)).decode(),
        )
        await self.ledger.append(body.entry(f"key/rotated/{new.key_id}", "countermand"))
        self.held.append(new)
        return new


async def test_what_an_earlier_key_signed_stays_adopted_and_the_next_version_follows_it(told: Told) -> None:
    keys = Keys(told)
    await keys.add()
    first, second = told.stored(version(1)), told.stored(version(2))
    await told.signed(version(1), first, MAINTAINER, OWNER)
    new = await keys.rotate(2)
    later = Told()
    later.ledger, later.catalogue, later.key = told.ledger, told.catalogue, new
    later.adoptions = Adoptions(told.ledger, told.catalogue, new)
    later.activities = AdoptingActivities(told.ledger, told.catalogue, later.people, later.keys, new)
    assert [one.digest for one in await later.adoptions.of("test-bot")] == [first]
    assert "is in force" in await later.signed(version(2), second, MAINTAINER, OWNER, consent_id="adopt-2")
    assert [one.key_id for one in await later.adoptions.of("test-bot")] == ["ad-test", "ad-2"]


async def test_a_key_that_the_one_before_it_did_not_sign_over_to_adopts_nothing(told: Told) -> None:
    keys = Keys(told)
    await keys.add()
    stranger = fakes.FakeAdoptionKey()
    stranger.private = Ed25519PrivateKey.from_private_bytes(bytes([9] * 32))
    await keys.rotate(3, signed_by=stranger)
    assert list(await told.adoptions.keys()) == ["ad-test"]


async def test_a_key_file_that_somebody_exchanged_signs_no_adoption_and_says_what_to_do(told: Told) -> None:
    await Keys(told).add()
    digest = told.stored(version(1))
    told.key.key_id = "ad-other"
    with pytest.raises(ApplicationError, match="keys rotate adoption") as refused:
        await told.signed(version(1), digest, MAINTAINER, OWNER)
    assert not refused.value.non_retryable, "it goes on when the key is put back"
    assert await told.bodies(Kind.playbook_adopted) == []

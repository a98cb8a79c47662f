"""Security keys and step-ups: what counts, and every answer that does not (GOV-62, T8)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from adapters.accounts import FRESH, Accounts
from adapters.database import Database
from adapters.security_keys import MAX_KEYS, Ceremony, SecurityKeys
from adapters.step_ups import LIFE, KeyRefused, Site, SqlStepUps, site
from countermand.canonical import digest
from tests.adapters.storage.entries import NOW
from tests.adapters.storage.soft_key import ORIGIN, SoftKey
from tests.adapters.storage.stores import Store

MARIA, JONAS = "local|maria", "local|jonas"
PLAN, OTHER_PLAN = digest("a plan"), digest("another plan")


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def step_ups(db: Database, clock: Clock) -> SqlStepUps:
    return SqlStepUps(db, clock)


@pytest.fixture
def keys(db: Database, step_ups: SqlStepUps, clock: Clock) -> SecurityKeys:
    return SecurityKeys(db, step_ups, site("http://127.0.0.1:8800"), clock)


async def registered(keys: SecurityKeys, subject: str = MARIA, name: str = "blue key") -> SoftKey:
    key = SoftKey()
    ceremony = await keys.begin_registration(subject, "Maria Keller")
    await keys.register(ceremony.step_up_id, subject, name, key.create(ceremony))
    return key


async def confirmed(keys: SecurityKeys, key: SoftKey, subject: str = MARIA, plan: str = PLAN) -> str:
    ceremony = await keys.begin(subject, plan)
    await keys.confirm(ceremony.step_up_id, subject, key.get(ceremony))
    return ceremony.step_up_id


async def test_a_confirmation_is_used_once_by_its_person_for_its_digest(
    keys: SecurityKeys, step_ups: SqlStepUps
) -> None:
    step_up = await confirmed(keys, await registered(keys))
    assert not await step_ups.used(step_up, JONAS, PLAN)
    assert not await step_ups.used(step_up, MARIA, OTHER_PLAN)
    assert not await step_ups.used("0" * 32, MARIA, PLAN)
    assert await step_ups.used(step_up, MARIA, PLAN)
    assert not await step_ups.used(step_up, MARIA, PLAN)


async def test_of_two_uses_at_once_one_counts(keys: SecurityKeys, step_ups: SqlStepUps) -> None:
    step_up = await confirmed(keys, await registered(keys))
    uses = await asyncio.gather(*[step_ups.used(step_up, MARIA, PLAN) for _ in range(4)])
    assert uses.count(True) == 1


async def test_a_question_that_no_key_answered_is_worth_nothing(keys: SecurityKeys, step_ups: SqlStepUps) -> None:
    await registered(keys)
    ceremony = await keys.begin(MARIA, PLAN)
    assert not await step_ups.used(ceremony.step_up_id, MARIA, PLAN)


async def test_a_confirmation_is_good_for_five_minutes(keys: SecurityKeys, step_ups: SqlStepUps, clock: Clock) -> None:
    key = await registered(keys)
    step_up, ceremony = await confirmed(keys, key), await keys.begin(MARIA, PLAN)
    clock.now += LIFE
    assert not await step_ups.used(step_up, MARIA, PLAN)
    with pytest.raises(KeyRefused, match="older than five minutes"):
        await keys.confirm(ceremony.step_up_id, MARIA, key.get(ceremony))


async def test_the_challenge_is_bound_to_the_digest_and_never_the_same(keys: SecurityKeys) -> None:
    await registered(keys)
    asked = [json.loads((await keys.begin(MARIA, plan)).options) for plan in (PLAN, PLAN, OTHER_PLAN)]
    assert len({options["challenge"] for options in asked}) == 3
    assert {options["userVerification"] for options in asked} == {"required"}


Lie = Callable[[SoftKey], None]


def _elsewhere(key: SoftKey) -> None:
    key.origin = "https://evil.example"


def _other_site(key: SoftKey) -> None:
    key.rp_id = "evil.example"


def _unverified(key: SoftKey) -> None:
    key.verifies = False


def _goes_back(key: SoftKey) -> None:
    key.count = 3


def _forged(key: SoftKey) -> None:
    key.secret = SoftKey().secret


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        (_elsewhere, "origin"),
        (_other_site, "RP ID"),
        (_unverified, "not verified"),
        (_goes_back, "sign count of 4 was not greater than current count of 10"),
        (_forged, "signature"),
    ],
)
async def test_an_answer_that_is_not_right_in_everything_is_refused_and_uses_nothing_up(
    keys: SecurityKeys, step_ups: SqlStepUps, lie: Lie, why: str
) -> None:
    key = await registered(keys)
    key.count = 9
    await confirmed(keys, key)
    honest = SoftKey(count=key.count, credential_id=key.credential_id, secret=key.secret)
    lie(key)
    ceremony = await keys.begin(MARIA, PLAN)
    with pytest.raises(KeyRefused, match=why):
        await keys.confirm(ceremony.step_up_id, MARIA, key.get(ceremony))
    assert not await step_ups.used(ceremony.step_up_id, MARIA, PLAN)
    await keys.confirm(ceremony.step_up_id, MARIA, honest.get(ceremony))
    assert await step_ups.used(ceremony.step_up_id, MARIA, PLAN)


async def test_an_answer_fits_only_the_question_it_was_given_for(keys: SecurityKeys) -> None:
    key = await registered(keys)
    first, second = await keys.begin(MARIA, PLAN), await keys.begin(MARIA, OTHER_PLAN)
    answer = key.get(first)
    with pytest.raises(KeyRefused, match="challenge"):
        await keys.confirm(second.step_up_id, MARIA, answer)
    await keys.confirm(first.step_up_id, MARIA, answer)
    with pytest.raises(KeyRefused, match="answered before"):
        await keys.confirm(first.step_up_id, MARIA, answer)


async def test_the_same_answer_sent_twice_at_once_counts_once(keys: SecurityKeys) -> None:
    key = await registered(keys)
    ceremony = await keys.begin(MARIA, PLAN)
    answer = key.get(ceremony)
    tries = [keys.confirm(ceremony.step_up_id, MARIA, answer) for _ in range(4)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(outcome is None for outcome in outcomes) == 1
    assert all(isinstance(outcome, KeyRefused) for outcome in outcomes if outcome is not None)


async def test_a_key_counts_for_its_own_person_only(keys: SecurityKeys) -> None:
    key = await registered(keys)
    await registered(keys, JONAS)
    ceremony = await keys.begin(JONAS, PLAN)
    with pytest.raises(KeyRefused, match="not one of your security keys"):
        await keys.confirm(ceremony.step_up_id, JONAS, key.get(ceremony))
    with pytest.raises(KeyRefused, match="not asked of you"):
        await keys.confirm(ceremony.step_up_id, MARIA, key.get(ceremony))


async def test_a_revoked_key_confirms_nothing_and_cannot_come_back(keys: SecurityKeys) -> None:
    key = await registered(keys)
    (kept,) = await keys.of(MARIA)
    ceremony = await keys.begin(MARIA, PLAN)
    with pytest.raises(KeyRefused, match="no such security key"):
        await keys.revoke(kept.credential_id, JONAS)
    await keys.revoke(kept.credential_id, MARIA)
    with pytest.raises(KeyRefused, match="not one of your security keys"):
        await keys.confirm(ceremony.step_up_id, MARIA, key.get(ceremony))
    with pytest.raises(KeyRefused, match="you have no security key"):
        await keys.begin(MARIA, PLAN)
    again = await keys.begin_registration(MARIA, "Maria Keller")
    with pytest.raises(KeyRefused, match="registered already, or was revoked"):
        await keys.register(again.step_up_id, MARIA, "blue key", key.create(again))


async def test_the_answer_of_a_registration_can_never_sign_a_decision(keys: SecurityKeys, step_ups: SqlStepUps) -> None:
    key = await registered(keys)
    ceremony = await keys.begin_registration(MARIA, "Maria Keller")
    with pytest.raises(KeyRefused, match="asked to register"):
        await keys.confirm(ceremony.step_up_id, MARIA, key.get(ceremony))
    await keys.register(ceremony.step_up_id, MARIA, "second", SoftKey().create(ceremony))
    assert not await step_ups.used(ceremony.step_up_id, MARIA, "registration of a security key")
    asked = await keys.begin(MARIA, PLAN)
    with pytest.raises(KeyRefused, match="asked for a decision"):
        await keys.register(asked.step_up_id, MARIA, "third", SoftKey().create(asked))


@pytest.mark.parametrize("answer", ["", "[]", "7", "{}", '{"id": 3}', '{"id": "AA", "rawId": "!", "response": {}}'])
async def test_nonsense_is_refused_in_words(keys: SecurityKeys, answer: str) -> None:
    await registered(keys)
    asked: tuple[Ceremony, Ceremony] = (await keys.begin(MARIA, PLAN), await keys.begin_registration(MARIA, "Maria"))
    with pytest.raises(KeyRefused):
        await keys.confirm(asked[0].step_up_id, MARIA, answer)
    with pytest.raises(KeyRefused):
        await keys.register(asked[1].step_up_id, MARIA, "key", answer)
    with pytest.raises(KeyRefused, match="is no digest"):
        await keys.begin(MARIA, "a plan")


async def test_a_broken_answer_of_a_known_key_is_refused_in_words(keys: SecurityKeys) -> None:
    key = await registered(keys)
    ceremony = await keys.begin(MARIA, PLAN)
    said = json.loads(key.get(ceremony))
    for part in said["response"]:
        broken = said | {"response": said["response"] | {part: "AAAA"}}
        with pytest.raises(KeyRefused, match="blue key"):
            await keys.confirm(ceremony.step_up_id, MARIA, json.dumps(broken))
    with pytest.raises(KeyRefused, match="blue key"):
        await keys.confirm(ceremony.step_up_id, MARIA, json.dumps({"id": said["id"]}))


async def test_a_new_key_needs_a_name_a_verified_holder_and_room(keys: SecurityKeys) -> None:
    ceremony = await keys.begin_registration(MARIA, "Maria Keller")
    with pytest.raises(KeyRefused, match="1 to 60 are accepted"):
        await keys.register(ceremony.step_up_id, MARIA, "  ", SoftKey().create(ceremony))
    with pytest.raises(KeyRefused, match="user was not verified"):
        await keys.register(ceremony.step_up_id, MARIA, "key", SoftKey(verifies=False).create(ceremony))
    with pytest.raises(KeyRefused, match="not asked of you"):
        await keys.register(ceremony.step_up_id, JONAS, "key", SoftKey().create(ceremony))
    for number in range(MAX_KEYS):
        await registered(keys, name=f"key {number}")
    with pytest.raises(KeyRefused, match="10 security keys"):
        await keys.begin_registration(MARIA, "Maria Keller")


async def test_only_public_halves_are_stored_and_old_questions_are_forgotten(
    keys: SecurityKeys, store: Store, clock: Clock, step_ups: SqlStepUps
) -> None:
    key = await registered(keys)
    await step_ups.used(await confirmed(keys, key), MARIA, PLAN)
    for _ in range(3):
        await keys.begin(MARIA, PLAN)
    secret = key.secret.private_numbers().private_value.to_bytes(32, "big")
    with store.raw() as connection:
        assert secret not in bytes(connection.execute("SELECT public_key FROM security_key").fetchone()[0])
        assert connection.execute("SELECT count(*) FROM step_up").fetchone()[0] == 5
    clock.now += LIFE + LIFE
    await keys.begin(MARIA, PLAN)
    with store.raw() as connection:
        assert connection.execute("SELECT count(*) FROM step_up").fetchone()[0] == 2


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8800", Site("localhost", ORIGIN)),
        ("http://[::1]:8800", Site("localhost", ORIGIN)),
        ("http://localhost:8800", Site("localhost", ORIGIN)),
        ("https://rollback.example/", Site("rollback.example", "https://rollback.example")),
        ("https://rollback.example:8443", Site("rollback.example", "https://rollback.example:8443")),
        ("http://rollback.example", None),
        ("https://203.0.113.7", None),
        ("https://", None),
    ],
)
def test_keys_work_where_browsers_let_them(url: str, expected: Site | None) -> None:
    assert site(url) == expected


async def test_where_no_key_can_work_the_reason_is_said(db: Database, step_ups: SqlStepUps) -> None:
    keys = SecurityKeys(db, step_ups, site("http://rollback.example"))
    for attempt in (keys.begin(MARIA, PLAN), keys.begin_registration(MARIA, "Maria Keller")):
        with pytest.raises(KeyRefused, match="https and a host name"):
            await attempt


async def test_a_sign_in_is_fresh_for_five_minutes(db: Database, clock: Clock) -> None:
    accounts = Accounts(db, clock)
    await accounts.add(MARIA, "Maria Keller", "correct horse battery")
    token = await accounts.start_session(MARIA)
    assert await accounts.signed_in_lately(token)
    clock.now += FRESH - timedelta(seconds=1)
    assert await accounts.signed_in_lately(token)
    clock.now += timedelta(seconds=1)
    assert not await accounts.signed_in_lately(token)
    assert not await accounts.signed_in_lately("nothing like it")

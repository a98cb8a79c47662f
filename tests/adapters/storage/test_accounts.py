"""Local accounts, sessions and bearer tokens."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import pytest

from adapters.accounts import SESSION_IDLE, SESSION_LIFE, SIGNALS_WRITE, Account, Accounts
from adapters.database import Database
from adapters.passwords import hash_password, matches
from tests.adapters.storage.entries import NOW
from tests.adapters.storage.stores import Store

PASSWORD = "correct horse battery"
MARIA = Account(subject="local|maria", name="Maria Keller")
SECOND = timedelta(seconds=1)


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
async def accounts(db: Database, clock: Clock) -> Accounts:
    """Accounts with Maria in them."""
    accounts = Accounts(db, clock)
    await accounts.add(MARIA.subject, MARIA.name, PASSWORD)
    return accounts


def everything_stored(store: Store) -> str:
    with store.raw() as connection:
        return repr(
            [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("account", "session", "api_token")]
        )


async def test_the_right_password_signs_in_and_nothing_else_does(accounts: Accounts) -> None:
    assert await accounts.authenticate(MARIA.subject, PASSWORD) == MARIA
    assert await accounts.authenticate(MARIA.subject, PASSWORD + " ") is None
    assert await accounts.authenticate(MARIA.subject, "") is None
    assert await accounts.authenticate("local|nobody", PASSWORD) is None
    assert await accounts.authenticate("LOCAL|MARIA", PASSWORD) is None


async def test_a_subject_is_taken_once_and_keeps_its_password(accounts: Accounts) -> None:
    with pytest.raises(ValueError, match=r"'local\|maria' exists already"):
        await accounts.add(MARIA.subject, "Mallory", "another password")
    assert await accounts.authenticate(MARIA.subject, PASSWORD) == MARIA


async def test_a_short_password_is_refused(accounts: Accounts) -> None:
    with pytest.raises(ValueError, match="has 7 characters; at least 8"):
        await accounts.add("local|jonas", "Jonas", "1234567")
    assert await accounts.authenticate("local|jonas", "1234567") is None


def test_equal_passwords_have_different_hashes() -> None:
    first, second = hash_password(PASSWORD), hash_password(PASSWORD)
    assert first != second
    assert matches(PASSWORD, first)
    assert matches(PASSWORD, second)


async def test_hashing_does_not_block_the_event_loop(accounts: Accounts) -> None:
    pauses = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            pauses.append(time.perf_counter() - before)

    ticking = asyncio.create_task(tick())
    began = time.perf_counter()
    await accounts.authenticate(MARIA.subject, PASSWORD)
    took = time.perf_counter() - began
    ticking.cancel()
    assert len(pauses) > 5, f"the loop stood still for {took:.3f} s"


async def test_no_password_and_no_token_is_stored(accounts: Accounts, store: Store) -> None:
    session = await accounts.start_session(MARIA.subject)
    person = await accounts.issue_person_token(MARIA.subject)
    source = await accounts.issue_source_token("judge")
    stored = everything_stored(store)
    assert MARIA.subject in stored
    for secret in (PASSWORD, session, person.token, source.token):
        assert secret not in stored


# --- sessions ---


async def test_a_session_lives_until_it_is_ended(accounts: Accounts) -> None:
    token = await accounts.start_session(MARIA.subject)
    other = await accounts.start_session(MARIA.subject)
    session = await accounts.session(token)
    assert session is not None
    assert (session.subject, session.name) == (MARIA.subject, MARIA.name)
    assert (session.started_at, session.expires_at) == (NOW, NOW + SESSION_LIFE)
    assert await accounts.session(token + "x") is None
    await accounts.end_session(token)
    await accounts.end_session(token)
    assert await accounts.session(token) is None
    assert await accounts.session(other) is not None


async def test_a_session_ends_after_30_minutes_without_use(accounts: Accounts, clock: Clock) -> None:
    token = await accounts.start_session(MARIA.subject)
    clock.now += SESSION_IDLE - SECOND
    assert await accounts.session(token) is not None
    clock.now += SESSION_IDLE - SECOND
    assert await accounts.session(token) is not None
    clock.now += SESSION_IDLE
    assert await accounts.session(token) is None


async def test_a_session_ends_after_8_hours_however_much_it_is_used(accounts: Accounts, clock: Clock) -> None:
    token = await accounts.start_session(MARIA.subject)
    while clock.now < NOW + SESSION_LIFE - timedelta(minutes=20):
        clock.now += timedelta(minutes=20)
        assert await accounts.session(token) is not None
    clock.now = NOW + SESSION_LIFE
    assert await accounts.session(token) is None


async def test_sessions_that_are_over_are_removed_by_the_next_sign_in(
    accounts: Accounts, clock: Clock, store: Store
) -> None:
    await accounts.start_session(MARIA.subject)
    clock.now += SESSION_LIFE
    await accounts.start_session(MARIA.subject)
    with store.raw() as connection:
        assert connection.execute("SELECT count(*) FROM session").fetchone()[0] == 1


# --- tokens ---


async def test_a_persons_token_is_a_person_and_never_a_source(accounts: Accounts, clock: Clock) -> None:
    issued = await accounts.issue_person_token(MARIA.subject)
    assert issued.expires_at == NOW + SESSION_LIFE
    assert await accounts.person_of_token(issued.token) == MARIA
    token = await accounts.token(issued.token)
    assert token is not None
    assert not token.allows(SIGNALS_WRITE, release_id="any", environment="any")
    clock.now = issued.expires_at
    assert await accounts.person_of_token(issued.token) is None


async def test_a_sources_token_is_a_source_and_never_a_person(accounts: Accounts) -> None:
    issued = await accounts.issue_source_token("judge")
    assert await accounts.person_of_token(issued.token) is None
    token = await accounts.token(issued.token)
    assert token is not None
    assert (token.kind, token.scopes) == ("source", (SIGNALS_WRITE,))
    assert token.allows(SIGNALS_WRITE, release_id="any", environment="any")
    assert not token.allows("decide", release_id="any", environment="any")


async def test_a_limited_token_is_good_for_its_releases_and_environments_only(accounts: Accounts) -> None:
    issued = await accounts.issue_source_token("judge", releases=["rel-1"], environments=["prod"])
    token = await accounts.token(issued.token)
    assert token is not None
    assert token.allows(SIGNALS_WRITE, release_id="rel-1", environment="prod")
    assert not token.allows(SIGNALS_WRITE, release_id="rel-2", environment="prod")
    assert not token.allows(SIGNALS_WRITE, release_id="rel-1", environment="test")


async def test_an_empty_list_of_releases_allows_none(accounts: Accounts) -> None:
    issued = await accounts.issue_source_token("judge", releases=[])
    token = await accounts.token(issued.token)
    assert token is not None
    assert not token.allows(SIGNALS_WRITE, release_id="rel-1", environment="prod")


async def test_a_revoked_token_is_good_for_nothing(accounts: Accounts) -> None:
    signed_out = await accounts.issue_person_token(MARIA.subject)
    revoked = await accounts.issue_source_token("judge")
    kept = await accounts.issue_source_token("judge")
    await accounts.revoke_token(signed_out.token)
    await accounts.revoke_token("unknown")
    await accounts.revoke(revoked.token_id)
    assert await accounts.person_of_token(signed_out.token) is None
    assert await accounts.token(revoked.token) is None
    assert await accounts.token(kept.token) is not None
    with pytest.raises(KeyError, match="no token has the id 'unknown'"):
        await accounts.revoke("unknown")


async def test_a_token_for_an_unknown_person_is_not_made(accounts: Accounts) -> None:
    with pytest.raises(KeyError, match=r"no account 'local\|nobody'"):
        await accounts.issue_person_token("local|nobody")

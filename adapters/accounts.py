"""Accounts, browser sessions and bearer tokens (CON-5, CON-11, CON-13, SRC-4).

Session and bearer tokens are 256 random bits; only their sha256 is stored, so a copy of the database signs
nobody in.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import delete, update
from sqlmodel import col

from adapters.database import Database, insert_new, utc_now
from adapters.passwords import NOBODY, hash_password, matches
from adapters.tables import AccountTable, SessionTable, TokenTable
from countermand.plan.target import Value

SESSION_LIFE = timedelta(hours=8)
SESSION_IDLE = timedelta(minutes=30)
#: A sign-in this young is fresh: a copied cookie is mostly older.
FRESH = timedelta(minutes=5)
SOURCE_LIFE = timedelta(days=365)
#: What a source's token needs to deliver signals; a token of kind source can hold nothing else (GOV-2).
SIGNALS_WRITE = "signals:write"
MIN_PASSWORD = 8

# Writing `seen_at` for every request would make each page view a durable write.
_SEEN_EVERY = timedelta(minutes=1)

# Seconds for which a source's token is not looked up again; the revocation by another process waits as long.
_TOKEN_KNOWN = 1.0


class Account(Value):
    """A person who can sign in."""

    subject: str
    name: str


class Evidence(Value):
    """How and when somebody showed who they are: the claims `acr`, `amr` and `auth_time` of an identity provider."""

    acr: str = "local"
    amr: tuple[str, ...] = ()
    auth_time: datetime | None = None


#: Account and password of this console.
LOCAL = Evidence()


class Session(Account):
    """A signed-in browser. It ends at `expires_at`, earlier when unused for 30 minutes."""

    started_at: datetime
    expires_at: datetime
    evidence: Evidence


class Issued(Value):
    """A new bearer token. `token` is shown this once; `token_id` names it for ever."""

    token: str
    token_id: str
    expires_at: datetime


class ApiToken(Value):
    """What a bearer token may do. `releases` and `environments` None = all."""

    token_id: str
    kind: Literal["person", "source"]
    subject: str
    scopes: tuple[str, ...]
    releases: tuple[str, ...] | None
    environments: tuple[str, ...] | None
    expires_at: datetime

    def allows(self, scope: str, *, release_id: str, environment: str) -> bool:
        """May this token use `scope` for this release in this environment?"""
        return (
            scope in self.scopes
            and (self.releases is None or release_id in self.releases)
            and (self.environments is None or environment in self.environments)
        )


class Accounts:
    """Who may sign in, who is signed in, and which tokens are good."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock
        # Sources send the same token many times a second: (when it was read, what was read), by digest.
        self._known: dict[str, tuple[float, TokenTable]] = {}

    async def add(self, subject: str, name: str, password: str) -> None:
        """Create an account. Raises ValueError for a short password or a subject that is taken."""
        if len(password) < MIN_PASSWORD:
            raise ValueError(f"the password has {len(password)} characters; at least {MIN_PASSWORD} are accepted")
        hashed = await asyncio.to_thread(hash_password, password)
        async with self._db.writing() as session:
            added = await insert_new(
                session,
                AccountTable,
                subject=subject,
                name=name,
                password=hashed,
                created_at=self._clock(),
            )
        if not added:
            raise ValueError(f"account {subject!r} exists already; choose another subject")

    async def authenticate(self, subject: str, password: str) -> Account | None:
        """The account when the password is right, else None; an unknown subject takes the same time."""
        async with self._db.reading() as session:
            stored = await session.get(AccountTable, subject)
        right = await asyncio.to_thread(matches, password, stored.password if stored else NOBODY)
        return Account(subject=stored.subject, name=stored.name) if stored and right else None

    async def know(self, subject: str, name: str) -> None:
        """Keep a person whom an identity provider signed in. No password opens their account."""
        async with self._db.writing() as session:
            if not await insert_new(
                session, AccountTable, subject=subject, name=name, password=NOBODY, created_at=self._clock()
            ):
                await session.exec(update(AccountTable).where(col(AccountTable.subject) == subject).values(name=name))

    async def start_session(self, subject: str, evidence: Evidence = LOCAL) -> str:
        """Sign an authenticated person in; returns the token for the cookie."""
        token, now = secrets.token_urlsafe(32), self._clock()
        async with self._db.writing() as session:
            await session.exec(delete(SessionTable).where(col(SessionTable.started_at) <= now - SESSION_LIFE))
            session.add(
                SessionTable(
                    token_sha256=_sha256(token),
                    subject=subject,
                    started_at=now,
                    seen_at=now,
                    acr=evidence.acr,
                    amr=list(evidence.amr),
                    auth_time=evidence.auth_time,
                )
            )
        return token

    async def session(self, token: str) -> Session | None:
        """The live session of a cookie, or None; using it keeps it from idling out."""
        now = self._clock()
        async with self._db.reading() as session:
            stored = await session.get(SessionTable, _sha256(token))
            if stored is None:
                return None
            account = await session.get_one(AccountTable, stored.subject)
        if now >= stored.started_at + SESSION_LIFE or now >= stored.seen_at + SESSION_IDLE:
            return None
        if now >= stored.seen_at + _SEEN_EVERY:
            async with self._db.writing() as session:
                await session.exec(
                    update(SessionTable)
                    .where(col(SessionTable.token_sha256) == stored.token_sha256)
                    .values(seen_at=now)
                )
        return Session(
            subject=account.subject,
            name=account.name,
            started_at=stored.started_at,
            expires_at=stored.started_at + SESSION_LIFE,
            evidence=Evidence(acr=stored.acr, amr=tuple(stored.amr), auth_time=stored.auth_time),
        )

    async def signed_in_lately(self, token: str) -> bool:
        """Whether the live session of a cookie began less than five minutes ago."""
        found = await self.session(token)
        return found is not None and self._clock() < found.started_at + FRESH

    async def end_session(self, token: str) -> None:
        """Sign out; nothing happens when the session is over already."""
        async with self._db.writing() as session:
            await session.exec(delete(SessionTable).where(col(SessionTable.token_sha256) == _sha256(token)))

    async def issue_person_token(self, subject: str, *, life: timedelta = SESSION_LIFE) -> Issued:
        """A bearer token for the command line of a person. Raises KeyError when there is no such account."""
        async with self._db.reading() as session:
            if await session.get(AccountTable, subject) is None:
                raise KeyError(f"there is no account {subject!r}; add it first")
        return await self._issue("person", subject, (), None, None, life)

    async def issue_source_token(
        self,
        source_id: str,
        *,
        releases: Sequence[str] | None = None,
        environments: Sequence[str] | None = None,
        life: timedelta = SOURCE_LIFE,
    ) -> Issued:
        """A bearer token for a signal source, limited to releases and environments if they are given."""
        return await self._issue("source", source_id, (SIGNALS_WRITE,), releases, environments, life)

    async def token(self, token: str) -> ApiToken | None:
        """What a bearer token may do; None when unknown, expired or revoked (at most a second ago for a source's)."""
        digest, now = _sha256(token), time.monotonic()
        read, stored = self._known.get(digest, (now - _TOKEN_KNOWN, None))
        if stored is None or now - read >= _TOKEN_KNOWN:
            async with self._db.reading() as session:
                stored = await session.get(TokenTable, digest)
            self._known = {digest: kept for digest, kept in self._known.items() if now - kept[0] < _TOKEN_KNOWN}
            if stored is not None and stored.kind == "source":
                self._known[digest] = now, stored
        if stored is None or stored.revoked_at is not None or self._clock() >= stored.expires_at:
            return None
        return ApiToken.model_validate(stored.model_dump(include=set(ApiToken.model_fields)))

    async def person_of_token(self, token: str) -> Account | None:
        """The person behind a bearer token; None for a source's, and when unknown, expired or revoked."""
        known = await self.token(token)
        if known is None or known.kind != "person":
            return None
        async with self._db.reading() as session:
            account = await session.get_one(AccountTable, known.subject)
        return Account(subject=account.subject, name=account.name)

    async def revoke_token(self, token: str) -> None:
        """End a bearer token that its holder gives back; nothing happens when it is unknown."""
        await self._revoke(TokenTable.token_sha256, _sha256(token))

    async def revoke(self, token_id: str) -> None:
        """End a bearer token by its id. Raises KeyError when there is none."""
        if not await self._revoke(TokenTable.token_id, token_id):
            raise KeyError(f"no token has the id {token_id!r}")

    async def _revoke(self, column: str, value: str) -> bool:
        self._known.clear()
        async with self._db.writing() as session:
            done = await session.exec(update(TokenTable).where(col(column) == value).values(revoked_at=self._clock()))
        return bool(done.rowcount)

    async def _issue(
        self,
        kind: Literal["person", "source"],
        subject: str,
        scopes: Sequence[str],
        releases: Sequence[str] | None,
        environments: Sequence[str] | None,
        life: timedelta,
    ) -> Issued:
        token, token_id, now = secrets.token_urlsafe(32), secrets.token_hex(6), self._clock()
        async with self._db.writing() as session:
            session.add(
                TokenTable(
                    token_sha256=_sha256(token),
                    token_id=token_id,
                    kind=kind,
                    subject=subject,
                    scopes=list(scopes),
                    releases=None if releases is None else list(releases),
                    environments=None if environments is None else list(environments),
                    issued_at=now,
                    expires_at=now + life,
                    revoked_at=None,
                )
            )
        return Issued(token=token, token_id=token_id, expires_at=now + life)


def _sha256(token: str) -> str:
    # Looking up the digest of 256 random bits leaks nothing through timing: no secrets are compared.
    return hashlib.sha256(token.encode()).hexdigest()

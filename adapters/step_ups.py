"""Questions to security keys: each for one person and one digest, answered once, used once, for five minutes (CON-12).

The challenge is sha256(digest ‖ nonce): what the key signs is what the person decides on, and no answer fits twice
(T8). WebAuthn level 3.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import delete, update
from sqlmodel import col

from adapters.database import Database, utc_now
from adapters.tables import StepUpTable

LIFE = timedelta(minutes=5)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class KeyRefused(ValueError):
    """A security key, or its answer, that does not count; nothing changed. `next` says what to do."""

    def __init__(self, detail: str, next_: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.next = next_


class Site(NamedTuple):
    """Where keys of this console work: the relying party of WebAuthn and its one origin."""

    rp_id: str
    origin: str


def site(console_url: str) -> Site | None:
    """The site of a console; None where browsers let no page use security keys.

    They want a name and no address, and https anywhere but on this machine: a console on loopback is `localhost`.
    """
    parts = urlsplit(console_url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        safe = host == "localhost" or (parts.scheme == "https" and host != "")
        return Site(host, f"{parts.scheme}://{host}{port}") if safe else None
    return Site("localhost", f"{parts.scheme}://localhost{port}") if address.is_loopback else None


class Question(NamedTuple):
    """What a key is asked to sign."""

    step_up_id: str
    challenge: bytes


class SqlStepUps:
    """Implements StepUps: which answers of security keys are still good for what."""

    def __init__(self, db: Database, clock: Callable[[], datetime] = utc_now) -> None:
        self._db = db
        self._clock = clock

    async def ask(self, subject: str, digest: str) -> Question:
        """A new question; those that nobody used in time are forgotten."""
        now = self._clock()
        row = StepUpTable(
            step_up_id=secrets.token_hex(16),
            subject=subject,
            digest=digest,
            nonce=secrets.token_bytes(32),
            expires_at=now + LIFE,
            credential_id=None,
            used_at=None,
        )
        question = Question(row.step_up_id, _challenge(row))
        async with self._db.writing() as session:
            forgotten = delete(StepUpTable).where(
                col(StepUpTable.expires_at) <= now - LIFE, col(StepUpTable.used_at).is_(None)
            )
            await session.exec(forgotten)
            session.add(row)
        return question

    async def open(self, step_up_id: str, subject: str) -> tuple[Question, str]:
        """The question and its digest, while this person may still answer it. Raises KeyRefused."""
        async with self._db.reading() as session:
            row = await session.get(StepUpTable, step_up_id)
        if row is None or row.subject != subject:
            raise KeyRefused("this confirmation was not asked of you.", "Reload the page and try again.")
        if row.credential_id is not None or row.used_at is not None:
            raise KeyRefused("this confirmation was answered before.", "Reload the page and try again.")
        if self._clock() >= row.expires_at:
            raise KeyRefused("this confirmation is older than five minutes.", "Reload the page and try again.")
        return Question(row.step_up_id, _challenge(row)), row.digest

    async def answered(self, step_up_id: str, credential_id: str) -> bool:
        """Note which key answered; False when one had already."""
        async with self._db.writing() as session:
            done = await session.exec(
                update(StepUpTable)
                .where(col(StepUpTable.step_up_id) == step_up_id, col(StepUpTable.credential_id).is_(None))
                .values(credential_id=credential_id)
            )
        return bool(done.rowcount)

    async def used(self, step_up_id: str, subject: str, digest: str) -> bool:
        """Use an answered question up, once, for exactly this person and digest; False when it is not good for that."""
        if not _DIGEST.fullmatch(digest):
            return False
        now = self._clock()
        async with self._db.writing() as session:
            done = await session.exec(
                update(StepUpTable)
                .where(
                    col(StepUpTable.step_up_id) == step_up_id,
                    col(StepUpTable.subject) == subject,
                    col(StepUpTable.digest) == digest,
                    col(StepUpTable.credential_id).is_not(None),
                    col(StepUpTable.used_at).is_(None),
                    col(StepUpTable.expires_at) > now,
                )
                .values(used_at=now)
            )
        return bool(done.rowcount)


def can_be_signed(digest: str) -> bool:
    """Whether this is a digest people decide on."""
    return _DIGEST.fullmatch(digest) is not None


def _challenge(row: StepUpTable) -> bytes:
    return hashlib.sha256(row.digest.encode() + row.nonce).digest()

"""Security keys of people: registering, listing and revoking them, and checking what they signed (GOV-62, T8).

Only public keys are kept. A key must verify its holder each time (PIN, finger, face); one whose counter goes back was
copied and counts no more for that answer.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import update
from sqlmodel import col, select
from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    UserVerificationRequirement,
)

from adapters.database import Database, insert_new, utc_now
from adapters.step_ups import KeyRefused, Site, SqlStepUps, can_be_signed
from adapters.tables import SecurityKeyTable
from countermand.plan.target import Value

MAX_NAME = 60
MAX_KEYS = 10
#: Stands in the place of a digest when a key is registered, so that the answer can never sign a decision.
REGISTRATION = "registration of a security key"
_AGAIN = "Try again, and answer with the PIN, finger or face of your own key."

_log = logging.getLogger(__name__)


class SecurityKey(Value):
    """One key of a person."""

    credential_id: str
    name: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


class Ceremony(NamedTuple):
    """What the browser passes to the key: WebAuthn options as JSON."""

    step_up_id: str
    options: str


class SecurityKeys:
    """The keys of everybody, at one site. `site` None: no page of this console can use any."""

    def __init__(
        self, db: Database, step_ups: SqlStepUps, site: Site | None, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.site = site
        self._db = db
        self._step_ups = step_ups
        self._clock = clock

    async def of(self, subject: str) -> list[SecurityKey]:
        """This person's keys, revoked ones included, the oldest first."""
        query = select(SecurityKeyTable).where(SecurityKeyTable.subject == subject)
        async with self._db.reading() as session:
            rows = (await session.exec(query.order_by(col(SecurityKeyTable.created_at)))).all()
        return [SecurityKey.model_validate(row.model_dump(include=set(SecurityKey.model_fields))) for row in rows]

    async def begin_registration(self, subject: str, name: str) -> Ceremony:
        """Options for a new key of this person, whose printed name is `name`. Raises KeyRefused."""
        site, known = self._here(), await self.of(subject)
        if len(_usable(known)) >= MAX_KEYS:
            raise KeyRefused(f"you have {MAX_KEYS} security keys, which is the most.", "Revoke one you do not use.")
        question = await self._step_ups.ask(subject, REGISTRATION)
        options = generate_registration_options(
            rp_id=site.rp_id,
            rp_name="Countermand",
            user_id=hashlib.sha256(subject.encode()).digest(),
            user_name=subject,
            user_display_name=name,
            challenge=question.challenge,
            authenticator_selection=AuthenticatorSelectionCriteria(
                user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=_descriptors(known),
        )
        return Ceremony(question.step_up_id, options_to_json(options))

    async def register(self, step_up_id: str, subject: str, key_name: str, answer: str) -> None:
        """Keep a new key under a name of the person's choice. Raises KeyRefused."""
        key_name = key_name.strip()
        if not 1 <= len(key_name) <= MAX_NAME:
            raise KeyRefused(
                f"the name {key_name[:MAX_NAME]!r} has {len(key_name)} characters; 1 to {MAX_NAME} are accepted.",
                "Give the key a name by which you know it, for example: blue key on my ring.",
            )
        site = self._here()
        question, digest = await self._step_ups.open(step_up_id, subject)
        if digest != REGISTRATION:
            raise KeyRefused("this question was asked for a decision.", "Reload the page and register again.")
        try:
            verified = verify_registration_response(
                credential=answer,
                expected_challenge=question.challenge,
                expected_rp_id=site.rp_id,
                expected_origin=site.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise KeyRefused(f"this key cannot be registered: {error}.", _AGAIN) from error
        credential_id = bytes_to_base64url(verified.credential_id)
        if not await self._step_ups.answered(step_up_id, credential_id):
            raise KeyRefused("this question was answered before.", "Reload the page and register again.")
        async with self._db.writing() as session:
            added = await insert_new(
                session,
                SecurityKeyTable,
                credential_id=credential_id,
                subject=subject,
                name=key_name,
                public_key=verified.credential_public_key,
                sign_count=verified.sign_count,
                created_at=self._clock(),
            )
        if not added:
            raise KeyRefused("this key is registered already, or was revoked.", "Use it, or register another one.")

    async def revoke(self, credential_id: str, subject: str) -> None:
        """End one of this person's keys for good. Raises KeyRefused when it is not theirs or ended before."""
        async with self._db.writing() as session:
            done = await session.exec(
                update(SecurityKeyTable)
                .where(
                    col(SecurityKeyTable.credential_id) == credential_id,
                    col(SecurityKeyTable.subject) == subject,
                    col(SecurityKeyTable.revoked_at).is_(None),
                )
                .values(revoked_at=self._clock())
            )
        if not done.rowcount:
            raise KeyRefused("you have no such security key in use.", "Reload the page to see your keys.")

    async def begin(self, subject: str, digest: str) -> Ceremony:
        """Options to confirm a decision on `digest` with one of this person's keys. Raises KeyRefused."""
        site, keys = self._here(), _usable(await self.of(subject))
        if not can_be_signed(digest):
            raise KeyRefused(
                f"{digest[:100]!r} is no digest; sha256: and 64 hex digits are accepted.", "Reload the page."
            )
        if not keys:
            raise KeyRefused("you have no security key.", "Register one under “Security keys”, then come back.")
        question = await self._step_ups.ask(subject, digest)
        options = generate_authentication_options(
            rp_id=site.rp_id,
            challenge=question.challenge,
            allow_credentials=_descriptors(keys),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return Ceremony(question.step_up_id, options_to_json(options))

    async def confirm(self, step_up_id: str, subject: str, answer: str) -> None:
        """Check what the key signed; from then on the step-up can be used, once. Raises KeyRefused."""
        site = self._here()
        question, digest = await self._step_ups.open(step_up_id, subject)
        if not can_be_signed(digest):
            raise KeyRefused("this question was asked to register a key.", "Reload the page and try again.")
        key = await self._key(answer, subject)
        try:
            verified = verify_authentication_response(
                credential=answer,
                expected_challenge=question.challenge,
                expected_rp_id=site.rp_id,
                expected_origin=site.origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.sign_count,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            _log.warning("an answer of security key %r of %s was refused: %s", key.name, subject, error)
            raise KeyRefused(f"the security key {key.name!r} did not confirm this: {error}.", _AGAIN) from error
        if not await self._counted(key, verified.new_sign_count):
            raise KeyRefused(f"the security key {key.name!r} was used or revoked at the same moment.", _AGAIN)
        if not await self._step_ups.answered(step_up_id, key.credential_id):
            raise KeyRefused("this confirmation was answered before.", _AGAIN)

    async def _key(self, answer: str, subject: str) -> SecurityKeyTable:
        """The key that answers: this person's, and not revoked."""
        try:
            credential_id = str(json.loads(answer)["id"])
        except (ValueError, TypeError, KeyError) as error:
            raise KeyRefused("this is no answer of a security key.", _AGAIN) from error
        async with self._db.reading() as session:
            key = await session.get(SecurityKeyTable, credential_id)
        if key is None or key.subject != subject or key.revoked_at is not None:
            raise KeyRefused("this is not one of your security keys in use.", "Use your own, or register it.")
        return key

    async def _counted(self, key: SecurityKeyTable, count: int) -> bool:
        """Note the key's counter; False when another answer was faster, or the key was revoked."""
        async with self._db.writing() as session:
            done = await session.exec(
                update(SecurityKeyTable)
                .where(
                    col(SecurityKeyTable.credential_id) == key.credential_id,
                    col(SecurityKeyTable.sign_count) == key.sign_count,
                    col(SecurityKeyTable.revoked_at).is_(None),
                )
                .values(sign_count=count, used_at=self._clock())
            )
        return bool(done.rowcount)

    def _here(self) -> Site:
        if self.site is None:
            raise KeyRefused(
                "security keys cannot be used at this console's address: browsers want https and a host name.",
                "Ask whoever runs this console to set COUNTERMAND_CONSOLE_URL to such an address.",
            )
        return self.site


def _usable(keys: Sequence[SecurityKey]) -> list[SecurityKey]:
    return [key for key in keys if key.revoked_at is None]


def _descriptors(keys: Sequence[SecurityKey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential_id)) for key in keys]

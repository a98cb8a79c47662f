"""Keys and the Ledger: what is recorded about them, and how one takes over from another (EVD-10)."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from adapters.ledger import SqlLedger
from adapters.settings import Settings
from adapters.signing import AdoptionKey, GatewayKey, KeyFile, LedgerKey
from countermand.ledger.bodies import KeyAdded, KeyRotated, parse_body
from countermand.ledger.record import Kind, Record

_ACTOR = "countermand"
_log = logging.getLogger(__name__)


def recorded_keys(records: list[Record], purpose: str) -> dict[str, bytes]:
    """Public keys of a purpose by key id, oldest first, as these records of keys name them.

    A line alone makes no key: only the first one is believed, and each that its predecessor and itself signed.
    """
    found: dict[str, bytes] = {}
    for record in records:
        match parse_body(record):
            case KeyAdded() as body if body.purpose == purpose and not found:
                found[body.key_id] = base64.b64decode(body.public)
            case KeyRotated() as body if body.purpose == purpose and _took_over(body, found):
                found[body.key_id] = base64.b64decode(body.public)
    return found


def _took_over(body: KeyRotated, known: Mapping[str, bytes]) -> bool:
    if body.key_id in known or list(known)[-1:] != [body.old_key_id]:
        return False
    said = KeyRotated.signed_bytes(body.purpose, body.old_key_id, body.key_id, body.public)
    try:
        new = base64.b64decode(body.public, validate=True)
        for public, signature in ((known[body.old_key_id], body.signed_by_old), (new, body.signed_by_new)):
            key = Ed25519PublicKey.from_public_bytes(public)
            key.verify(base64.b64decode(signature, validate=True), said)
    except (InvalidSignature, ValueError):
        return False
    return body.key_id.endswith(f"-{hashlib.sha256(new).hexdigest()[:12]}")


async def known_keys(ledger: SqlLedger, purpose: str) -> dict[str, bytes]:
    """Public keys of a purpose by key id, oldest first; the last one is in force."""
    return recorded_keys(await ledger.records(kinds=[Kind.key_added, Kind.key_rotated]), purpose)


async def announce(ledger: SqlLedger, key: KeyFile) -> None:
    """Record the first key of a purpose; nothing happens when one is recorded already.

    A file that somebody exchanged is not recorded: the self-check names it, and `rotate` is the way. Raises OSError,
    ValueError or TypeError when the file holds no key.
    """
    if not await known_keys(ledger, key.PURPOSE):
        body = KeyAdded(
            purpose=key.PURPOSE,
            key_id=key.key_id,
            public=base64.b64encode(key.public).decode(),
            key_origin=key.key_origin,
        )
        await ledger.append(body.entry(f"key/added/{key.PURPOSE}", _ACTOR))


async def announce_all(ledger: SqlLedger, settings: Settings) -> None:
    """At every start: record the first key of each purpose. A key that cannot be read is logged, and nobody waits."""
    for key in key_files(settings):
        try:
            await announce(ledger, key)
        except (OSError, ValueError, TypeError) as error:
            _log.warning("the %s key cannot be read: %s", key.PURPOSE, error)


def key_files(settings: Settings) -> tuple[GatewayKey, LedgerKey, AdoptionKey]:
    """The keys of this deployment."""
    return GatewayKey(settings.gateway_key), LedgerKey(settings.ledger_key), AdoptionKey(settings.adoption_key)


async def rotate(ledger: SqlLedger, key: KeyFile) -> str:
    """Let a new key take over and return its id. Repeating it after a crash ends the rotation that was begun.

    The new key lies beside the old one until the record is durable; the old public half stays.
    Raises ValueError when the key in force is not the recorded one.
    """
    await announce(ledger, key)
    old_id = key.key_id
    next_key = type(key)(key.path.with_name(f"{key.path.name}.next"))
    if old_id not in (known := await known_keys(ledger, key.PURPOSE)) or list(known)[-1] not in (
        old_id,
        next_key.key_id if next_key.path.exists() else "",
    ):
        raise ValueError(
            f"{key.path} holds key {old_id!r}, the Ledger says {list(known)[-1]!r}; put that key back before a rotation"
        )
    next_key.create_if_missing()
    public = base64.b64encode(next_key.public).decode()
    said = KeyRotated.signed_bytes(key.PURPOSE, old_id, next_key.key_id, public)
    body = KeyRotated(
        purpose=key.PURPOSE,
        old_key_id=old_id,
        key_id=next_key.key_id,
        public=public,
        signed_by_old=base64.b64encode(key.sign_bytes(said)).decode(),
        signed_by_new=base64.b64encode(next_key.sign_bytes(said)).decode(),
    )
    key.keep_public()
    await ledger.append(body.entry(f"key/rotated/{next_key.key_id}", _ACTOR))
    os.replace(next_key.path, key.path)
    _sync(key.path.parent)
    return key.key_id


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

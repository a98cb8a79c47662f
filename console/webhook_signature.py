"""Signatures as the Standard Webhooks specification has them: id, timestamp and signature in headers (SRC-27)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from console.problems import Problem

#: How far the sender's clock may be away, in seconds.
TOLERANCE = 300
MIN_SECRET = 24

_ID = re.compile(r"[\x21-\x7e]{1,150}")
_PREFIX = "whsec_"


async def read_secrets(files: Sequence[Path]) -> list[bytes]:
    """The keys in secret files, read anew for each delivery so that a rotation needs no restart. Raises 503."""
    return [await asyncio.to_thread(_secret, file) for file in files]


def verified(secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """The id of a delivery whose signature was made with one of the secrets over exactly this body. Raises 401."""
    name, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not _ID.fullmatch(name) or not re.fullmatch("[0-9]{1,12}", sent_at) or not signatures:
        raise _refused("The headers webhook-id, webhook-timestamp and webhook-signature are needed.")
    if abs(now.timestamp() - int(sent_at)) > TOLERANCE:
        raise _refused(f"webhook-timestamp {sent_at!r} is more than {TOLERANCE} s away from the clock here.")
    signed = f"{name}.{sent_at}.".encode() + body
    wanted = [hmac.digest(secret, signed, hashlib.sha256) for secret in secrets]
    given = [_decoded(entry.removeprefix("v1,")) for entry in signatures.split(" ") if entry.startswith("v1,")]
    # Every pair is compared, so that time tells nothing about which secret fits.
    matches = [hmac.compare_digest(one, other) for one in wanted for other in given]
    if not any(matches):
        raise _refused("No signature matches this body.")
    return name


def _secret(file: Path) -> bytes:
    try:
        text = file.read_text().strip()
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (OSError, ValueError):
        text, key = "", b""
    if not text.startswith(_PREFIX) or len(key) < MIN_SECRET:
        raise Problem(
            503,
            "secret_unusable",
            "A secret file of this source cannot be used; nothing was kept.",
            f"Write {_PREFIX} and the base64 of {MIN_SECRET} or more random bytes into it, then send again.",
        )
    return key


def _decoded(signature: str) -> bytes:
    try:
        return base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _refused(why: str) -> Problem:
    return Problem(401, "unauthenticated", why, "Sign `id.timestamp.body` with the secret of this source.")

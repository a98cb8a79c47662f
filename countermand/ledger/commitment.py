"""Salted commitments: a line can bind what people wrote without holding it (EVD-26, OBL-35).

In a line stands `{"commit": "<64 hex>"}`; value and salt are in the vault. Whoever gets both can check that this was
said; when both are destroyed the commitment proves nothing about anybody, and the line still verifies.
"""

from __future__ import annotations

import hashlib
from typing import Any

from countermand.canonical import canonical
from countermand.plan.target import Value

DOMAIN = b"countermand/commit/v1\n"
SALT_BYTES = 32


class Opening(Value):
    """What opens the commitment at a JSON pointer (RFC 6901) of the body of record `seq`. salt: 64 hex digits."""

    seq: int
    pointer: str
    salt: str
    value: str


class Bound(Value):
    """What binds a text that is not in the line: where it was, its commitment, and its salt; "" once it was erased."""

    pointer: str
    commit: str
    salt: str


def commitment(value: Any, salt: bytes) -> str:
    """64 hex digits: SHA-256(salt ‖ "countermand/commit/v1" ‖ newline ‖ canonical value).

    Raises ValueError unless the salt has 32 bytes, and NotCanonical.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt of {len(salt)} bytes; {SALT_BYTES} random bytes are needed")
    return hashlib.sha256(salt + DOMAIN + canonical(value)).hexdigest()


def committed(value: Any) -> str | None:
    """The commitment that stands at this place of a line, or None when something else does."""
    if isinstance(value, dict) and value.keys() == {"commit"} and isinstance(value["commit"], str):
        return value["commit"]
    return None

"""Passwords as scrypt (RFC 7914), each with its salt and cost beside it. Slow on purpose: call in a thread."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

# (N, r, p): 16 MiB; p = 5 makes up for the 128 MiB that N = 2**17 would take.
_COST = (2**14, 8, 5)

#: What the password of an unknown subject is compared with: as slow as a real one, and never right.
NOBODY = "scrypt${}${}${}$AAAAAAAAAAAAAAAAAAAAAA==$".format(*_COST)


def hash_password(password: str) -> str:
    """`scrypt$N$r$p$salt$key`, with a new salt each time."""
    return _hash(password, secrets.token_bytes(16), *_COST)


def matches(password: str, stored: str) -> bool:
    """Is this the password that was stored? Takes the same time whatever the answer."""
    _, n, r, p, salt, _ = stored.split("$")
    return hmac.compare_digest(_hash(password, base64.b64decode(salt), int(n), int(r), int(p)), stored)


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> str:
    key = hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=256 * n * r, dklen=32)
    return f"scrypt${n}${r}${p}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"

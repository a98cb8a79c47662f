"""Canonical bytes: RFC 8785 (JCS) in the narrow profile that the standard library can reproduce.

Inside the profile (ASCII keys `[a-z0-9_]+`, no floats, integers below 2**53, valid Unicode) the output of
`json.dumps(sort_keys=True, separators=(",", ":"), ensure_ascii=False)` equals JCS, so a stranger needs
nothing but Python to check a digest. Everything outside the profile is refused, never coerced.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

_KEY = re.compile(r"[a-z0-9_]+")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,6}Z", re.ASCII)
_MAX_INTEGER = 2**53


class NotCanonical(ValueError):
    """A value that has no canonical form in our profile; the message names the place and the value."""


def instant(at: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`; naive datetimes are refused."""
    if at.tzinfo is None:
        raise NotCanonical(f"naive datetime {at!r}: a time zone is required")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_instant(text: str) -> datetime:
    """The inverse of `instant`. Raises ValueError on any other form."""
    if not _INSTANT.fullmatch(text):  # strptime would do both, at ten times the price for each record that is read
        raise ValueError(f"{text!r} is no instant: YYYY-MM-DDTHH:MM:SS.ffffffZ is")
    return datetime.fromisoformat(text)


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value. Raises NotCanonical with a JSON pointer to the first offender."""
    _check(value, "")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """`sha256:<hex>` over the canonical bytes of a JSON value or of a pydantic model."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return "sha256:" + hashlib.sha256(canonical(value)).hexdigest()


def digest_bytes(raw: bytes) -> str:
    """`sha256:<hex>` over raw bytes."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def _check(value: Any, where: str) -> None:
    match value:
        case None | bool():
            return
        case int():
            if abs(value) >= _MAX_INTEGER:
                raise NotCanonical(f"{where or '/'}: integer {value!r} is not below 2**53; write it as a string")
        case str():
            try:
                value.encode()
            except UnicodeEncodeError as error:
                raise NotCanonical(f"{where or '/'}: lone surrogate in {value!r}") from error
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str) or not _KEY.fullmatch(key):
                    raise NotCanonical(f"{where or '/'}: key {key!r} does not match [a-z0-9_]+")
                _check(item, f"{where}/{key}")
        case list() | tuple():
            for index, item in enumerate(value):
                _check(item, f"{where}/{index}")
        case _:
            raise NotCanonical(
                f"{where or '/'}: {value!r} ({type(value).__name__}) has no canonical form; "
                "write decimals and instants as strings"
            )

"""Ledger entries for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from countermand.ledger.record import Entry, Kind

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


def entry(key: str, **changes: Any) -> Entry:
    """A verdict record with this idempotency key."""
    fields = {"kind": Kind.verdict, "idem_key": key, "actor": "worker", "body": {"word": "ok", "key": key}}
    return Entry.model_validate(fields | changes)

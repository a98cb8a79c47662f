"""Reads of consents: the Ledger folded, one query per question."""

from __future__ import annotations

from activities.ports import Ledger
from countermand import ids
from countermand.messages.consent import KINDS, ConsentView, consents


async def one(ledger: Ledger, consent_id: str) -> ConsentView | None:
    """One consent; None when nobody asked for it."""
    opened = await ledger.find(ids.consent_record(consent_id, "opened"))
    if opened is None:
        return None
    records = await ledger.records(kinds=KINDS, after_seq=opened.seq - 1)
    return next(view for view in consents(records) if view.opened.consent_id == consent_id)


async def every(ledger: Ledger) -> list[ConsentView]:
    """All consents, newest first."""
    return list(reversed(consents(await ledger.records(kinds=KINDS))))

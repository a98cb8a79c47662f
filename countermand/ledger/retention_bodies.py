"""Bodies of records about holds, and about what was forgotten and under which rule (obligations.md §7, §8)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.retention.holding import Scope


class HoldPlaced(Body):
    """One legal counsel said that nothing in this scope may be deleted."""

    KIND: ClassVar[Kind] = Kind.hold_placed
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason", "/matter")
    AUTHOR: ClassVar[str] = "subject"
    hold_id: str
    scope: Scope
    reason: str
    matter: str
    custodians: tuple[str, ...]
    decision_id: str
    subject: str
    name: str


class HoldReleased(Body):
    """Two people ended a hold. Nothing is deleted by that; the next run may."""

    KIND: ClassVar[Kind] = Kind.hold_released
    hold_id: str
    consent_id: str


class PurgeCertificate(Body):
    """What one batch deleted. `ids_root`: Merkle root over sha256(salt ‖ id), so that a list of ids can be checked.

    keys, items: data keys destroyed and commitments whose texts were deleted, so that a restored copy can be purged
    again (OBL-33); for counts and samples `until` says it all. first, until: age of what was deleted.
    """

    KIND: ClassVar[Kind] = Kind.purge_certificate
    run_id: str
    what: Literal["texts", "samples", "sums"]
    class_id: str
    rule_digest: str
    count: int
    size: int
    salt: str
    ids_root: str
    first: datetime | None
    until: datetime | None
    keys: tuple[str, ...]
    items: tuple[str, ...]
    releases: tuple[str, ...]
    held: int
    approver: str
    operator: str
    started_at: datetime
    ended_at: datetime
    failures: tuple[str, ...] = ()


class ErasureDone(Body):
    """The words of one person were destroyed with their keys. What stands in the chain proves nothing about them."""

    KIND: ClassVar[Kind] = Kind.erasure_done
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    erasure_id: str
    subject: str
    reason: str
    by: str
    count: int
    keys: tuple[str, ...]
    items: tuple[str, ...]
    salt: str
    ids_root: str
    messages: int


class ErasureRefused(Body):
    """A request for erasure was answered with no: on which basis, how much it concerns, and when to look again."""

    KIND: ClassVar[Kind] = Kind.erasure_refused
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason", "/basis")
    erasure_id: str
    subject: str
    reason: str
    by: str
    basis: str
    scope: str
    recheck_on: datetime

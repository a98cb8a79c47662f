"""Bodies of records about evidence packs: what was sealed, who let unredacted words out, who took a copy."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class EvidenceSealed(Body):
    """A pack was sealed: its manifest binds every file, and this record binds the manifest into the tree (EVD-15).

    scope: as in the manifest. tree_size, root: of the checkpoint that the manifest names. since, until: the days of a
    period, as asked.
    """

    KIND: ClassVar[Kind] = Kind.evidence_sealed
    scope: dict[str, Any]
    profile: Literal["full", "redacted"]
    manifest_sha256: str
    tree_size: int
    root: str
    since: datetime | None = None
    until: datetime | None = None


class EvidenceReleased(Body):
    """A person had an unredacted pack made and answers for it (EVD-27)."""

    KIND: ClassVar[Kind] = Kind.evidence_released
    PRIVATE: ClassVar[tuple[str, ...]] = ("/reason",)
    AUTHOR: ClassVar[str] = "subject"
    scope: dict[str, Any]
    profile: Literal["full", "redacted"]
    manifest_sha256: str
    subject: str
    name: str
    roles: tuple[str, ...]
    reason: str


class EvidenceDownloaded(Body):
    """A person took a copy of a pack."""

    KIND: ClassVar[Kind] = Kind.evidence_downloaded
    manifest_sha256: str
    profile: Literal["full", "redacted"]
    subject: str
    name: str
    roles: tuple[str, ...]
    channel: Literal["web", "api"]


class PopulationReconciled(Body):
    """The change logs of all targets of a period were compared with the Ledger (EVD-14).

    result: what `reconciliation.as_json` gives. clean: every log was compared and agrees.
    """

    KIND: ClassVar[Kind] = Kind.population_reconciled
    since: datetime
    until: datetime
    result: dict[str, Any]
    clean: bool
    asked_by: str

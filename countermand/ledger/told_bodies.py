"""Bodies of records about messages."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from countermand.ledger.body import Body
from countermand.ledger.record import Kind
from countermand.plan.target import Value


class TemplateFile(Value):
    """sha256 of the bytes of one template."""

    name: str
    sha256: str


class TemplatesRead(Body):
    """A worker began with other templates than the one before it (T9): what it writes to people comes from these.

    digest: over `files`, which are sorted by name. changed: names that differ from the record before this one, were
    added or are gone; none in the first.
    """

    KIND: ClassVar[Kind] = Kind.templates_read
    digest: str
    files: tuple[TemplateFile, ...]
    changed: tuple[str, ...]


class CommsSent(Body):
    KIND: ClassVar[Kind] = Kind.comms_sent
    step: str
    audience: str
    key: str
    subject: str
    text_sha256: str
    channel: str
    facts_sha256: str


class CommsFailed(Body):
    """A message that could not be made or delivered; the rollback goes on without it (REL-6, I15)."""

    KIND: ClassVar[Kind] = Kind.comms_failed
    step: str
    audiences: tuple[str, ...]
    why: str


class CommsCorrected(Body):
    """A person's order to put a wrong message right; without `what` it is withdrawn (COM-25)."""

    KIND: ClassVar[Kind] = Kind.comms_corrected
    PRIVATE: ClassVar[tuple[str, ...]] = ("/what", "/why")
    AUTHOR: ClassVar[str] = "by"
    correction_id: str
    key: str
    step: str
    audience: str
    subject: str
    what: str | None
    why: str
    by: str
    name: str

    @property
    def message_key(self) -> str:
        """Key of the message that puts it right."""
        return f"{self.key}/correction/{self.correction_id}"


class UpdatePromised(Body):
    """The message `key` said that the next one comes by `until` (COM-24)."""

    KIND: ClassVar[Kind] = Kind.update_promised
    audience: str
    key: str
    until: datetime


class UpdateKept(Body):
    """The promise of message `key` was kept by message `by`."""

    KIND: ClassVar[Kind] = Kind.update_kept
    audience: str
    key: str
    by: str


class UpdateOverdue(Body):
    """The promise of message `key` was not kept by the time it named."""

    KIND: ClassVar[Kind] = Kind.update_overdue
    audience: str
    key: str
    until: datetime

"""The ports that adapters implement. Activities know these and nothing about vendors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal, Protocol

from pydantic import AwareDatetime, Field

from countermand.detection.models import Arm, Row
from countermand.governance.decision import GatewayKeys
from countermand.governance.directory import Directory
from countermand.ledger.record import Entry, Kind, Record
from countermand.plan.model import Release
from countermand.plan.target import (
    Capabilities,
    Member,
    Observation,
    Preflight,
    SetOutcome,
    Split,
    TargetState,
    Value,
)
from countermand.playbook.model import Audience, Playbook, Step

# --- the record -----------------------------------------------------------------------------------------------


class LedgerConflict(Exception):
    """The same idempotency key with another body: a bug or an attack, never retried (STO-8)."""


class Ledger(Protocol):
    """Append-only record. Appends are durable before they return (STO-4) and idempotent by `idem_key`."""

    async def append(self, *entries: Entry) -> list[Record]:
        """Append all entries in one transaction. Raises LedgerConflict, NotCanonical, LineTooLong."""
        ...

    async def records(
        self,
        *,
        incident_id: str | None = None,
        release_id: str | None = None,
        kinds: Sequence[Kind] = (),
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Record]:
        """Records in `seq` order, filtered; all of them unless a limit is given."""
        ...

    async def find(self, idem_key: str) -> Record | None: ...

    async def head(self) -> int:
        """`seq` of the newest record; -1 when empty."""
        ...

    async def put_blob(self, raw: bytes, media_type: str) -> str:
        """Store bytes by content; returns `sha256:<hex>`. Idempotent."""
        ...

    async def get_blob(self, sha256: str) -> tuple[bytes, str] | None:
        """(bytes, media type), or None."""
        ...


# --- signals --------------------------------------------------------------------------------------------------


#: Ids of other systems; control characters are refused because not every database can store them.
ForeignId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class LabelledOutput(Value):
    """One scored output. `outcome` None = served but not labelled: missing, never a pass."""

    observation_id: ForeignId
    release_id: ForeignId
    arm: Arm
    signal: Annotated[str, Field(min_length=1, max_length=63)]
    event_time: AwareDatetime
    outcome: Literal["ok", "bad"] | None


class Rejected(Value):
    """Why one item of a batch was not stored."""

    index: int
    code: Literal[
        "unknown_release", "unknown_signal", "future", "too_old", "duplicate_id_other_value", "release_closed"
    ]
    detail: str


class BatchAnswer(Value):
    """What happened to a batch; `accepted` includes late items, which are kept and marked."""

    batch_id: str
    accepted: int
    duplicates: int
    late: int
    rejected: tuple[Rejected, ...]


class BatchConflict(Exception):
    """The same batch id with another body."""


class SignalStore(Protocol):
    """Labelled outputs in, sealed blocks out."""

    async def add(
        self, source_id: str, batch_id: str, body_sha256: str, items: Sequence[LabelledOutput], now: datetime
    ) -> BatchAnswer:
        """Store a batch durably, whole or not at all; the same batch again returns the first answer.

        Raises BatchConflict when `batch_id` is known with another body.
        """
        ...

    async def seal(
        self, release_id: str, *, signals: Sequence[str], start: datetime, block: timedelta, until: datetime
    ) -> list[Row]:
        """Seal every block that ends at or before `until` and is not sealed yet; returns the new rows in order.

        Row `seq` counts blocks since `start`. Blocks without any output are sealed as unknown(no_traffic).
        """
        ...

    async def rows(self, release_id: str, *, after_seq: int = -1, limit: int = 100_000) -> list[Row]:
        """Sealed rows in order."""
        ...

    async def put_evaluations(self, release_id: str, records: Mapping[int, dict[str, object]]) -> None:
        """Keep what was judged, by row `seq` (one statement; known rows stay as they are); pages draw from it."""
        ...

    async def evaluations(
        self, release_id: str, *, after_seq: int = -1, limit: int = 100_000
    ) -> list[tuple[int, dict[str, object]]]:
        """(row `seq`, what was kept of its judgement) in order."""
        ...

    async def newest_evaluations(
        self, release_ids: Sequence[str] | None = None
    ) -> dict[str, tuple[int, dict[str, object]]]:
        """The newest judged row of these releases (None: of all that are still watched), by release id."""
        ...


# --- releases and playbooks -----------------------------------------------------------------------------------


class ReleaseStatus(Value):
    """A registered release and when its watch began and ended."""

    release: Release
    registered_at: datetime
    closed_at: datetime | None
    closed_why: str | None

    @property
    def watched_from(self) -> datetime:
        """Where the first block begins."""
        return self.registered_at.replace(microsecond=0)


class Catalogue(Protocol):
    """Playbooks by digest, releases by id."""

    async def put_playbook(self, raw: bytes) -> str:
        """Store the exact bytes of a playbook that parses; returns its digest."""
        ...

    async def playbook(self, digest: str) -> Playbook:
        """Raises KeyError when unknown."""
        ...

    async def playbook_bytes(self, digest: str) -> bytes: ...

    async def put_release(self, release: Release, at: datetime) -> ReleaseStatus:
        """Register; the same release again returns the stored one. Raises ValueError if the id has other content."""
        ...

    async def release(self, release_id: str) -> ReleaseStatus | None: ...

    async def releases(self) -> list[ReleaseStatus]: ...

    async def close_release(self, release_id: str, at: datetime, why: str) -> None: ...


# --- targets --------------------------------------------------------------------------------------------------


class TargetUnavailable(Exception):
    """Nothing was sent or nothing happened; try again within the stage's time limit."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """`retry_after`: seconds that the target asked to wait, if it did."""
        super().__init__(message)
        self.retry_after = retry_after


class TargetRejected(Exception):
    """The target or the adapter refuses this; trying again cannot help."""


class TargetAmbiguous(Exception):
    """A write may have happened and the target cannot be read: the stage is unknown, people are asked."""


class Target(Protocol):
    """One release-control system (targets.md §2)."""

    capabilities: Capabilities

    async def read(self, member: Member) -> TargetState: ...

    async def preflight(self, member: Member, desired: Split) -> Preflight: ...

    async def set(
        self,
        member: Member,
        desired: Split,
        *,
        idempotency_key: str,
        fence: int,
        expected_revision: str | None,
        dry_run: bool = False,
    ) -> SetOutcome:
        """Set the split absolutely. Raises TargetUnavailable, TargetRejected, TargetAmbiguous."""
        ...

    async def observe(self, member: Member) -> Observation:
        """What traffic does since the current revision took effect, from the system's own counters."""
        ...


class Targets(Protocol):
    """Targets by the name that playbooks use."""

    def __call__(self, name: str) -> Target:
        """Raises TargetRejected when no target of that name is configured; the message lists the names."""
        ...


# --- people ---------------------------------------------------------------------------------------------------


class RoleDirectory(Protocol):
    """Who holds which role now (GOV-3)."""

    async def snapshot(self) -> Directory: ...


class KeyRing(Protocol):
    """Public gateway keys, pinned into every workflow that takes decisions."""

    def gateway_keys(self) -> GatewayKeys: ...


# --- communications -------------------------------------------------------------------------------------------


class Message(Value):
    """One message to one audience about one step, rendered from facts."""

    key: str
    incident_id: str
    step: Step
    audience: Audience
    subject: str
    text: str
    facts_sha256: str


class Receipt(Value):
    """That a channel took a message, and where it can be found."""

    key: str
    channel: str
    provider_id: str
    at: datetime


class Channel(Protocol):
    """A way to reach an audience; `send` is idempotent by `message.key`."""

    async def send(self, message: Message) -> Receipt: ...


class Renderer(Protocol):
    """Renders (subject, text) of one step for one audience. Raises when a fact is missing."""

    def render(self, step: Step, audience: Audience, facts: dict[str, object]) -> tuple[str, str]: ...

    def render_review(self, facts: dict[str, object]) -> str: ...

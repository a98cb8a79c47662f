"""The ports that adapters implement. Activities know these and nothing about vendors."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable
from urllib.parse import quote

from countermand.evidence.reconciliation import Change
from countermand.governance.decision import GatewayKeys
from countermand.governance.directory import Directory
from countermand.ledger.record import Entry, Kind, Record
from countermand.messages.incident import IncidentView
from countermand.plan.model import Release
from countermand.plan.target import (
    Capabilities,
    LeaseState,
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

    async def put_blob(self, raw: bytes, media_type: str, quotes: str | None = None) -> str:
        """Store bytes by content; returns `sha256:<hex>`. Idempotent.

        quotes: the incident or request whose people they quote; then they are encrypted and can be erased.
        """
        ...

    async def get_blob(self, sha256: str) -> tuple[bytes, str] | None:
        """(bytes, media type), or None: there are none, or they were erased."""
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

    def __init__(self, message: str, raw_sha256: str | None = None) -> None:
        """`raw_sha256`: the target's answer, where it gave one that is kept."""
        super().__init__(message)
        self.raw_sha256 = raw_sha256


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
        """What traffic does since the current revision took effect, from the system's own counters.

        A system whose counters know no revisions is counted from the first look after that. What it cannot say at all
        is an Observation with `unknown`. Raises TargetUnavailable, TargetRejected.
        """
        ...


@runtime_checkable
class Marks(Protocol):
    """What a Target may offer besides: a tag on a version, so that people who look there see it too (GOV-47)."""

    async def mark(self, member: Member, digest: str, status: str) -> None:
        """Write `status` on the version with this digest; idempotent. Raises TargetUnavailable, TargetRejected."""
        ...


class History(Protocol):
    """What a Target that keeps a log of its own changes can do beside it (EVD-14)."""

    async def changes(self, member: Member, since: datetime) -> list[Change]:
        """Its own log of this member from `since` on, oldest first. Raises TargetUnavailable, TargetRejected."""
        ...


@runtime_checkable
class Leases(Protocol):
    """Beside a Target whose capabilities say `leases`: exposure that ends when its watcher is lost (LRN-26)."""

    async def lease(self, member: Member, *, lease_id: str, cap_bp: int, seconds: float) -> LeaseState:
        """Begin or renew: no share above the cap is accepted, and the share from before comes back unless this is
        called again within `seconds`. Raises TargetUnavailable, and TargetRejected when it ended or another one is on.
        """
        ...

    async def release(self, member: Member, lease_id: str) -> None:
        """End it once the share from before is set again; repeating it changes nothing. Raises TargetUnavailable, and
        TargetRejected while the candidate has more than that."""
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
    """One message to one audience about one step, rendered from facts.

    release_id: set where it is about a release and belongs to no incident; `incident_id` is empty then. page: the
    console's page where it belongs to neither.
    """

    key: str
    incident_id: str
    release_id: str = ""
    page: str = ""
    step: Step
    audience: Audience
    subject: str
    text: str
    facts_sha256: str

    @property
    def about(self) -> str:
        """incident, release or duty."""
        if self.page:
            return "duty"
        return "incident" if self.incident_id else "release"

    @property
    def path(self) -> str:
        """Where the console shows what it is about."""
        return self.page or f"/{self.about}s/{quote(self.incident_id or self.release_id, safe='')}"


class Receipt(Value):
    """That a channel took a message, and where it can be found.

    tried: whom it did not reach, and which channels failed before, in words. instead: the message that was kept under
    this key and went out, if it is not the one that was given.
    """

    key: str
    channel: str
    provider_id: str
    at: datetime
    tried: tuple[str, ...] = ()
    instead: Message | None = None

    @property
    def reached(self) -> bool:
        """Whether people got it: not when every channel of theirs failed and it only lies where it can be found."""
        return not self.tried or self.channel not in ("outbox", "directory")


class Channel(Protocol):
    """A way to reach an audience; `send` is idempotent by `message.key`."""

    async def send(self, message: Message) -> Receipt: ...


class CardCopy(Value):
    """One copy of a card, or one note about it, that people can see: `key` names it once and for ever."""

    key: str
    place: str
    subject: str
    text_sha256: str


class CardsShown(Value):
    """What a call of `AskCards.show` did, in words.

    `standing` are all copies that people can see now, `unreached` people who were asked and have no card of their own.
    `retry_after`: seconds after which the rest can be tried, when the service asked to wait. `silent`: it gave no
    answer for some copy, so that trying again may help.
    """

    posted: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()
    standing: tuple[CardCopy, ...] = ()
    retry_after: float | None = None
    silent: bool = False


class AskCards(Protocol):
    """Cards of requests for approval in a messenger."""

    async def asked(self, view: IncidentView, ask_id: str) -> tuple[tuple[str, str], ...]:
        """(subject, name) of everybody asked so far who can be called here in person; nobody once it is over.

        Raises KeyError when the view has no such request.
        """
        ...

    async def show(self, view: IncidentView, ask_id: str, revision: int) -> CardsShown:
        """Bring every copy of the card to what the view says; idempotent. An older revision changes nothing any more.

        Somebody whose lane in the view is `batch` is not called: they find the request in their list (GOV-50).

        Failures are in the answer and never raised: people are asked in other ways too. Raises KeyError when the view
        has no such request.
        """
        ...


class Renderer(Protocol):
    """Renders (subject, text) of one step for one audience. Raises when a fact is missing."""

    def render(self, step: Step, audience: Audience, facts: dict[str, object]) -> tuple[str, str]: ...

    def render_review(self, facts: dict[str, object]) -> str: ...

"""Bodies of records about what happens to a version and its way back after people decided, or before they have to."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class GuardState(Body):
    """The guard of a reverted release: it looks, it cannot look, or it is over. `until`: when its time is over."""

    KIND: ClassVar[Kind] = Kind.guard_state
    state: Literal["watching", "blind", "over"]
    sentence: str
    until: datetime


class RequarantineBreach(Body):
    """A version in quarantine serves users again (GOV-47). `left_bp`: the share that the way back had left it.

    `by`: who moved it, as far as the target tells; else `unknown`. `raw_sha256`: what the target answered.
    """

    KIND: ClassVar[Kind] = Kind.requarantine_breach
    digest: str
    name: str
    environment: str
    target: str
    member: str
    candidate_bp: int
    left_bp: int
    by: str
    read_at: datetime
    raw_sha256: str
    sentence: str


class VersionMarked(Body):
    """A registry was asked to tag a version, so that people who look there see it too; `ok` False: it was not done."""

    KIND: ClassVar[Kind] = Kind.version_marked
    digest: str
    status: Literal["quarantined", "allowed"]
    target: str
    member: str
    ok: bool
    sentence: str


class DestinationChecked(Body):
    """Whether the way back of a release was open when it was looked at; `ready` None: the target did not answer."""

    KIND: ClassVar[Kind] = Kind.destination_checked
    target: str
    member: str
    ready: bool | None
    sentence: str

"""May this be deleted? One answer for every path that deletes (OBL-29, STO-16)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from pydantic import model_validator

from countermand.canonical import instant
from countermand.plan.target import Value


class Scope(Value):
    """What a hold covers. A field with entries narrows it; at least one has to have some.

    releases: those of the incidents, so that what is kept by release is covered too.
    """

    incidents: tuple[str, ...] = ()
    releases: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _not_empty(self) -> Scope:
        if not any((self.incidents, self.releases, self.classes, self.subjects, self.digests)):
            raise ValueError("an empty scope is not accepted; name an incident, a class, a subject or a digest")
        return self

    def covers(self, item: Item) -> bool:
        """Whether it covers this. What an item does not tell counts as covered: a hold must not miss anything."""
        if self.incidents or self.releases:
            known = item.incident_id is not None or item.release_id is not None
            if known and item.incident_id not in self.incidents and item.release_id not in self.releases:
                return False
        return all(
            not wanted or said is None or said in wanted
            for wanted, said in (
                (self.classes, item.class_id),
                (self.subjects, item.subject),
                (self.digests, item.digest),
            )
        )


class Hold(Value):
    """Nothing that it covers is deleted by anybody until it is released."""

    hold_id: str
    scope: Scope
    reason: str
    matter: str
    placed_by: str
    placed_at: datetime
    custodians: tuple[str, ...] = ()


class Claim(Value):
    """A reporting clock that runs: what belongs to its incident or release is kept until it ends."""

    row_id: str
    incident_id: str
    release_id: str | None
    due: datetime

    def covers(self, item: Item) -> bool:
        """Whether it is of the same incident or release; what names neither belongs to no clock."""
        same_release = item.release_id is not None and item.release_id == self.release_id
        return same_release or item.incident_id == self.incident_id

    @property
    def sentence(self) -> str:
        return (
            f"reporting clock {self.row_id} of incident {self.incident_id} runs until {instant(self.due)}. "
            "It stays until that is reported or set aside."
        )


class Item(Value):
    """What somebody wants to delete. keep_until: end of its period; None where the period does not matter (erasure).

    claim: what else still needs it, in words, for example a court case; empty when nothing does.
    """

    class_id: str
    incident_id: str | None = None
    release_id: str | None = None
    subject: str | None = None
    digest: str | None = None
    keep_until: datetime | None = None
    claim: str = ""


class Verdict(Value):
    """The answer, with what people read."""

    word: Literal["delete", "held", "claimed", "not_due"]
    sentence: str
    holds: tuple[str, ...] = ()

    @property
    def may(self) -> bool:
        return self.word == "delete"


def may_delete(item: Item, holds: Iterable[Hold], claims: Iterable[Claim], now: datetime) -> Verdict:
    """Whether this may be deleted now. A hold beats everything, then an open claim, then the period of its class.

    claims: the reporting clocks that run.
    """
    holding = [hold for hold in holds if hold.scope.covers(item)]
    if holding:
        names = ", ".join(hold.hold_id for hold in holding)
        return Verdict(
            word="held",
            sentence=f"Kept: legal hold {names} covers it. It stays until the hold is released.",
            holds=tuple(hold.hold_id for hold in holding),
        )
    running = next((claim for claim in claims if claim.covers(item)), None)
    if running is not None:
        return Verdict(word="claimed", sentence=f"Kept: {running.sentence}")
    if item.claim:
        return Verdict(word="claimed", sentence=f"Kept: {item.claim}")
    if item.keep_until is not None and now < item.keep_until:
        return Verdict(word="not_due", sentence=f"Kept until {instant(item.keep_until)} by class {item.class_id}.")
    return Verdict(word="delete", sentence=f"No hold and no claim covers it; class {item.class_id} lets it go.")

"""Which thresholds people have not looked at for too long. They still run, and are flagged until reviewed (LRN-10)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from countermand import ids
from countermand.learning.proposal import REVIEW_AFTER
from countermand.ledger.bodies import (
    PlaybookAdopted,
    ThresholdAdopted,
    ThresholdProposed,
    ThresholdReviewed,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import spoken, utc
from countermand.plan.target import Value

#: The kinds of record that `overdue` reads.
KINDS = (Kind.playbook_adopted, Kind.threshold_adopted, Kind.threshold_proposed, Kind.threshold_reviewed)
#: How the numbers are called that nobody changed since the first version.
_OTHERS = "all other numbers of the detection"


class Due(Value):
    """When one place of the detection is looked at again."""

    place: str
    review_on: datetime


class Flag(Value):
    """The review of some thresholds of a playbook is overdue."""

    playbook: str
    places: tuple[str, ...]
    since: datetime

    @property
    def sentence(self) -> str:
        """What people read beside a state."""
        return f"Review overdue since {utc(self.since)}: {spoken(self.places)}. The thresholds still run as they are."


def due(records: Iterable[Record], playbook: str) -> tuple[Due, ...]:
    """The review date of each changed place and of all others, the earliest first; empty before any adoption.

    records: of `KINDS`, in order. Whose signatures hold is judged where a version is used; a flag needs no proof.
    """
    dates: dict[str, datetime] = {}
    proposed: dict[str, datetime | None] = {}
    consents: set[str] = set()
    for record in records:
        match parse_body(record):
            case ThresholdProposed(playbook=name) as body if name == playbook:
                proposed[ids.threshold_consent(body.proposal_id)] = body.review_on
            case PlaybookAdopted(name=name) as body if name == playbook:
                consents.add(body.consent_id)
                dates.setdefault(_OTHERS, record.at + REVIEW_AFTER)
            case ThresholdAdopted(playbook=name) as body if name == playbook and body.consent_id in consents:
                dates[body.place or body.path] = proposed.get(body.consent_id) or record.at + REVIEW_AFTER
            case ThresholdReviewed(playbook=name) as body if name == playbook:
                dates = {place: max(at, body.review_on) for place, at in dates.items()}
    return tuple(sorted((Due(place=place, review_on=at) for place, at in dates.items()), key=lambda one: one.review_on))


def overdue(records: Iterable[Record], playbook: str, now: datetime) -> Flag | None:
    """What is overdue now; None when nothing is."""
    late = [one for one in due(records, playbook) if one.review_on <= now]
    if not late:
        return None
    return Flag(playbook=playbook, places=tuple(one.place for one in late), since=late[0].review_on)

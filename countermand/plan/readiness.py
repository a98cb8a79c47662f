"""Was the way back open when it was last looked at, and how long ago is that (TGT-18)? Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from countermand.ledger.bodies import DestinationChecked
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import in_words
from countermand.plan.target import Value

#: Time between two looks at the way back of a release.
EVERY = timedelta(hours=1)
#: What was seen longer ago than two looks says nothing any more.
_STALE_AFTER = 2 * EVERY


class Readiness(Value):
    """The last look in a word and a sentence with its age; `at` is None when nobody looked yet."""

    word: Literal["ready", "not_ready", "unknown"]
    sentence: str
    at: datetime | None

    @property
    def warning(self) -> str:
        """What people should read before they decide; empty when the way back was open a short while ago."""
        return "" if self.word == "ready" else self.sentence


def readiness(records: Sequence[Record], now: datetime) -> Readiness:
    """What the newest `destination_checked` record of one release says now; other records are passed over."""
    looks = [record for record in records if record.kind is Kind.destination_checked]
    if not looks:
        return Readiness(word="unknown", sentence="The way back was not looked at yet.", at=None)
    newest, body = looks[-1], DestinationChecked.model_validate(looks[-1].body)
    age = in_words(now - newest.at)
    if now - newest.at > _STALE_AFTER:
        old = f"The way back was last looked at {age} ago, which says nothing any more: {body.sentence}"
        return Readiness(word="unknown", sentence=old, at=newest.at)
    words: dict[bool | None, Literal["ready", "not_ready", "unknown"]] = {True: "ready", False: "not_ready"}
    return Readiness(
        word=words.get(body.ready, "unknown"),
        sentence=f"The way back was looked at {age} ago: {body.sentence}",
        at=newest.at,
    )

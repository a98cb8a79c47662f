"""Body of a label: what people say that a stretch of a watch was (learning.md §2, step 2)."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class EpisodeLabelled(Body):
    """A later label of the same episode replaces this one. `version` counts the labels of an episode from 1."""

    KIND: ClassVar[Kind] = Kind.episode_labelled
    PRIVATE: ClassVar[tuple[str, ...]] = ("/note",)
    AUTHOR: ClassVar[str] = "subject"
    episode_id: str
    word: Literal["incident", "near_miss", "quiet", "unknown"]
    harm_start: datetime | None
    version: int
    subject: str
    name: str
    note: str

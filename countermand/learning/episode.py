"""A labelled stretch of one watch: what a version of a playbook is tried on (learning.md §2, LRN-8)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from countermand.canonical import digest, instant
from countermand.plan.target import Value

EpisodeKind = Literal["incident", "near_miss", "quiet", "unknown"]
EpisodeSource = Literal["watch", "synthetic", "rehearsal", "sandbox"]


def _in_utc(at: datetime) -> datetime:
    if at.utcoffset():
        raise ValueError(f"{at.isoformat()!r} is not in UTC; write it with Z")
    return at


Utc = Annotated[AwareDatetime, AfterValidator(_in_utc)]
EpisodeId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,120}$")]


class Episode(Value):
    """One stretch of the rows of one release, and what people say it was.

    begins: start of its first block; ends: end of its last one. harm_start: when harm began, as far as anybody knows.
    fired_at: end of the block at which the live watch fired. asked_at, decided_at, first_effect_at: of the incident;
    nothing after the first effect is ever judged, because those outputs are no longer what would have been served.
    labelled_by: who said what kind it is; label_version counts from 1, 0 is what the records alone say.
    """

    episode_id: EpisodeId
    kind: EpisodeKind
    source: EpisodeSource
    release_id: str
    service: str
    incident_id: str | None = None
    begins: Utc
    ends: Utc
    harm_start: Utc | None = None
    fired_at: Utc | None = None
    asked_at: Utc | None = None
    decided_at: Utc | None = None
    first_effect_at: Utc | None = None
    labelled_by: str = ""
    label_version: Annotated[int, Field(ge=0)] = 0
    note: Annotated[str, Field(max_length=2_000)] = ""

    @property
    def cut_at(self) -> datetime:
        """Blocks that end after this are not judged: they hold outputs served after the first effect."""
        return self.ends if self.first_effect_at is None else min(self.ends, self.first_effect_at)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begins >= self.ends:
            raise ValueError(f"an episode ends after it begins, not {instant(self.begins)} … {instant(self.ends)}")
        if self.harm_start is not None and self.harm_start >= self.ends:
            raise ValueError(f"harm that begins at {instant(self.harm_start)} is after the end {instant(self.ends)}")
        if self.kind == "quiet" and self.harm_start is not None:
            raise ValueError(f"a quiet episode has no harm; accepted is no harm_start, not {instant(self.harm_start)}")
        if self.first_effect_at is not None and self.first_effect_at <= self.begins:
            raise ValueError(
                f"the first effect at {instant(self.first_effect_at)} leaves nothing after {instant(self.begins)}"
            )
        return self


def episodes_digest(episodes: tuple[Episode, ...]) -> str:
    """`sha256:…` of all episodes in the order of their ids, labels included."""
    return digest([one.model_dump(mode="json") for one in sorted(episodes, key=lambda one: one.episode_id)])

"""One alert of another system as data, and its identity (SRC-16, SRC-22)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from adapters.intake import microseconds
from countermand.plan.target import Value

#: Longest label or annotation that is kept; the rest is cut off.
MAX_TEXT = 1_000


def _kept(text: str) -> str:
    """The text without control characters, which not every database can store, and no longer than MAX_TEXT."""
    shown = "".join("\ufffd" if character < " " or character == "\x7f" else character for character in text[:MAX_TEXT])
    return shown + "…" if len(text) > MAX_TEXT else shown


Kept = Annotated[str, AfterValidator(_kept)]
Labels = Annotated[dict[Kept, Kept], Field(max_length=200)]


class Alert(Value):
    """What a source says about one alert. Labels and annotations are written by strangers: data, nothing else (SRC-22).

    ends_at None: it fires until something else is said.
    """

    fingerprint: Annotated[Kept, Field(min_length=1)]
    status: Literal["firing", "resolved"]
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    labels: Labels
    annotations: Labels = Field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "")

    def key(self, source_id: str) -> str:
        """The same for every repetition. Alertmanager's API has starts in milliseconds, its webhook in nanoseconds."""
        start_ms = microseconds(self.starts_at) // 1_000
        return hashlib.sha256("\0".join((source_id, self.fingerprint, str(start_ms))).encode()).hexdigest()

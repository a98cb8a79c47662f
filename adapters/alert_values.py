"""Alerts of other systems as data: one alert and its identity, what is delivered, what is answered (SRC-16, SRC-22)."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field

from activities.signal_ports import Rejected
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


class Unmapped(Value):
    """A payload that no mapping fits, kept so that people can see what was sent and why it was not understood."""

    delivery_id: str
    why: str
    payload: Kept


class Delivered(Value):
    """What a source delivered at once. partial: why it is not all there is. unmapped: what could not be understood."""

    alerts: tuple[Alert, ...] = ()
    unmapped: Unmapped | None = None
    rejected: tuple[Rejected, ...] = ()
    partial: str | None = None


class AlertsAnswer(Value):
    """What happened to each alert of a delivery. accepted: new or changed. repeated: known as it is."""

    accepted: int
    repeated: int
    unmatched: int
    rejected: tuple[Rejected, ...]
    partial: str | None

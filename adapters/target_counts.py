"""Counters that know nothing of revisions, counted from the first look after a change."""

from __future__ import annotations

from typing import NamedTuple


class Counts(NamedTuple):
    """Requests that each arm served, all that were answered, and those that failed, since the router started."""

    candidate: int
    baseline: int
    requests: int
    errors: int


class SinceFirstLook:
    """How far counters grew since a revision was first looked at.

    The first look is the stage's own, after it has settled: requests that were under way during the change belong to
    nobody. A new process looks for the first time again, and counters that fell begin anew: less evidence, never wrong.
    """

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, Counts]] = {}

    def forget(self, name: str) -> None:
        """Begin anew with the next look; called before every write, because weights may come back to what they were."""
        self._first.pop(name, None)

    def growth(self, name: str, revision: str, now: Counts) -> Counts:
        known, first = self._first.get(name, (revision, now))
        if known != revision or any(new < old for new, old in zip(now, first, strict=True)):
            first = now
        self._first[name] = (revision, first)
        return Counts(*(new - old for new, old in zip(now, first, strict=True)))

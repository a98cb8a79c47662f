"""How often a password was guessed wrong: one memory for the sign-in page and the API."""

from __future__ import annotations

from datetime import datetime, timedelta

from fastapi import Request

FAILURES = 10
WINDOW = timedelta(minutes=5)


def guesser(subject: str, request: Request) -> str:
    """Who is guessing at which account."""
    return f"{subject}@{request.client.host if request.client else 'unknown'}"


class Attempts:
    """Failed sign-ins per account and address, so that guessing is slow and nobody can lock another out from afar."""

    def __init__(self) -> None:
        self._failed: dict[str, list[datetime]] = {}

    def blocked(self, who: str, now: datetime) -> bool:
        """Whether this account has had its failures for now."""
        return len(self._recent(who, now)) >= FAILURES

    def failed(self, who: str, now: datetime) -> None:
        if len(self._failed) > 1_000:
            self._failed = {name: at for name in self._failed if (at := self._recent(name, now))}
        self._failed[who] = [*self._recent(who, now), now]

    def _recent(self, who: str, now: datetime) -> list[datetime]:
        return [at for at in self._failed.get(who, ()) if at > now - WINDOW]


def attempts(request: Request) -> Attempts:
    """The process's memory of failures."""
    state = request.app.state
    if not hasattr(state, "attempts"):
        state.attempts = Attempts()
    found: Attempts = state.attempts
    return found

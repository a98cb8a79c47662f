"""What the sources of roles have in common: a group, and who is in it now (GOV-3)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from countermand.plan.target import Value


class SourceUnavailable(Exception):
    """The source does not say now who is in a group; the message says why."""


class GroupMembers(Value):
    """Who is in a group: subjects with the instant at which that was said; `left_out`: who does not count, and why."""

    members: dict[str, datetime]
    as_of: datetime
    left_out: tuple[str, ...] = ()


class GroupSource(Protocol):
    """A system that knows groups of people."""

    async def members(self, group: str) -> GroupMembers:
        """Who is in the group now, at most as old as GOV-4 allows. Raises SourceUnavailable."""
        ...

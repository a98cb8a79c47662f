"""Where rows and the organisation profile come from."""

from __future__ import annotations

from typing import Protocol

from countermand.obligations.dataset import Dataset
from countermand.obligations.profile import Profile


class Duties(Protocol):
    """Read anew for every look, so that a change counts from then on."""

    async def read(self) -> tuple[Dataset, Profile]:
        """Raises DatasetInvalid, ProfileInvalid with the file and what is wrong in it."""
        ...

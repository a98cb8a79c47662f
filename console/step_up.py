"""Fresh second factors: a person confirms exactly one digest, and the confirmation is used once (GOV-62)."""

from __future__ import annotations

from typing import Protocol


class StepUps(Protocol):
    """Confirmations with a second factor."""

    async def used(self, step_up_id: str, subject: str, digest: str) -> bool:
        """Use up a confirmation. True only for the first use of one that this person made for this digest."""
        ...

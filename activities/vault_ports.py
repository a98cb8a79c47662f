"""The port to what people typed: the Ledger has commitments, the vault the words (EVD-26)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from countermand.ledger.private import Opened

__all__ = ["Opened", "Vault"]


class Vault(Protocol):
    """Opens commitments."""

    async def open(self, commitments: Sequence[str]) -> dict[str, Opened]:
        """Salt and value by commitment; one that is missing in the answer was erased."""
        ...

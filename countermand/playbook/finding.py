"""What checking a playbook finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from countermand.playbook.source import Path


@dataclass(frozen=True)
class Finding:
    """One thing worth saying, and the path of the value it is about."""

    path: Path
    level: Literal["error", "warning"]
    message: str

"""Where programs of the environment `.venv-routers` are (`make routers-env`)."""

from __future__ import annotations

import shutil
from pathlib import Path

_BIN = Path(__file__).resolve().parents[3] / ".venv-routers/bin"
HOW = "make routers-env"


def program(name: str) -> str | None:
    """The path of a program, from that environment or from the PATH."""
    own = _BIN / name
    return str(own) if own.exists() else shutil.which(name)


def python() -> str | None:
    """The interpreter of that environment."""
    own = _BIN / "python"
    return str(own) if own.exists() else None

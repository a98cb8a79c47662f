"""Small files that only their owner can read: tokens, and what this person was shown."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from countermand.cli.exits import Exit, Failure


def config_file(name: str) -> Path:
    """A file of ours below `$XDG_CONFIG_HOME` (default `~/.config`)."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "countermand" / name


def read(path: Path) -> dict[str, Any]:
    """The JSON object in the file; empty when there is no file. Raises Failure if others can read it."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    if stat.S_IMODE(mode) & 0o077:
        raise Failure(
            Exit.not_authorised,
            f"{path} has mode {stat.S_IMODE(mode):04o}: others can read it",
            accepted="mode 0600",
            next=f"chmod 600 {path}, then sign in again: the token may be known to others",
        )
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise Failure(Exit.usage, f"{path} is not JSON ({error})", next=f"delete {path} and sign in again") from None
    return content if isinstance(content, dict) else {}


def write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file as a whole, mode 0600."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:  # created with mode 0600
        json.dump(content, file, indent=1)
    Path(file.name).replace(path)

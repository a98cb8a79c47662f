"""What `ask show` showed to this person on this machine: an approval says which card was read (GOV-63)."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from countermand.cli import private_file
from countermand.cli.client import Api

_KEPT = 100


def remember(api: Api, ask_id: str, view_sha256: str) -> None:
    """The card with this digest was just printed."""
    views = private_file.read(_file())
    key = _key(api, ask_id)
    views.pop(key, None)
    views[key] = view_sha256
    private_file.write(_file(), dict(list(views.items())[-_KEPT:]))


def view_of(api: Api, ask_id: str) -> str | None:
    """The newest card of this ask that was printed for this person; None if none was."""
    view = private_file.read(_file()).get(_key(api, ask_id))
    return str(view) if view else None


def _key(api: Api, ask_id: str) -> str:
    """The token stands for the person; its digest does not give it away."""
    return hashlib.sha256(f"{api.url}\n{api.token}\n{ask_id}".encode()).hexdigest()


def _file() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "countermand" / "seen.json"

"""Does each configured target answer where the targets file says it is? For `/readyz` and `countermand doctor`.

No credential is read and nothing is asked: a connection is opened and closed, or a file is looked at. Whether a
rollback would be possible is the preflight's question.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from adapters.target_settings import EnvoySettings, FlagdSettings, HaproxySettings, TargetSettings
from countermand.plan.target import Value

_SECONDS = 2.0


class Reached(Value):
    """One target: what it is, and whether it answers, in words."""

    name: str
    ok: bool
    sentence: str


async def reached(settings: Mapping[str, TargetSettings]) -> list[Reached]:
    """One answer per target, by name, within 2 s; raises nothing for a target that is away."""
    return list(await asyncio.gather(*(_reached(name, settings[name]) for name in sorted(settings))))


async def _reached(name: str, entry: TargetSettings) -> Reached:
    try:
        async with asyncio.timeout(_SECONDS):
            said = await _look(entry)
    except TimeoutError:
        return Reached(name=name, ok=False, sentence=f"{entry.kind}: no answer within {_SECONDS:g} s")
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        return Reached(name=name, ok=False, sentence=f"{entry.kind}: does not answer ({why})")
    return Reached(name=name, ok=True, sentence=f"{entry.kind}: {said}")


def _look(entry: TargetSettings) -> Awaitable[str]:
    match entry:
        case HaproxySettings():
            return _socket(entry.read_socket)
        case FlagdSettings():
            return asyncio.to_thread(_file, entry.file)
        case EnvoySettings():
            return _address(entry.admin_url)
        case _:
            return _address(entry.url)


async def _address(url: str) -> str:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    _reader, writer = await asyncio.open_connection(parts.hostname, port)
    writer.close()
    return "answers"


async def _socket(path: Path) -> str:
    _reader, writer = await asyncio.open_unix_connection(path)
    writer.close()
    return "answers"


def _file(path: Path) -> str:
    with path.open("rb"):
        return "its file can be read"

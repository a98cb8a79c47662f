"""Files that a router or a flag system reads: changed whole, by rename, one writer at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import Field

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_http import Lost
from countermand.plan.target import Value

_LOCK_SECONDS = 2.0


#: Far beyond any key of ours: what is longer was written by somebody else, and would not fit into a record.
MAX_KEY = 1_000


class Mark(Value):
    """What we keep beside the weights: which write of ours they come from.

    generation: grows by 1 with every write of ours. candidate, baseline: the weights that were written; with other
    weights beside it, somebody edited them after us and the key no longer tells who.
    """

    key: Annotated[str, Field(max_length=MAX_KEY)]
    fence: Annotated[int, Field(ge=0)]
    generation: Annotated[int, Field(ge=0)]
    candidate: Annotated[int, Field(ge=0)]
    baseline: Annotated[int, Field(ge=0)]

    def names(self, candidate: int, baseline: int) -> str | None:
        """The key, if the weights are still the ones written under it."""
        return self.key if (self.candidate, self.baseline) == (candidate, baseline) else None


def read_file(path: Path) -> bytes:
    """The bytes of a file that has to be there. Raises TargetRejected, TargetUnavailable."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise _sorted(path, "read", error) from None


def token_in(path: Path) -> str:
    """A token, read anew because it may be renewed at any time. Raises TargetRejected, TargetUnavailable."""
    return read_file(path).decode().strip()


def replace_file(path: Path, edit: Callable[[bytes], bytes | None]) -> bool:
    """Replace a file by what `edit` makes of it, so that no reader ever sees half of it; False when it makes nothing.

    Waits up to 2 s for another writer that uses this function. Raises what `edit` raises, TargetRejected without the
    right to write, and TargetUnavailable, and the file is then as it was; Lost when only its durability is not known.
    """
    with _alone(path):
        new = edit(read_file(path))
        if new is None:
            return False
        try:
            _rename_over(path, new)
        except OSError as error:
            raise _sorted(path, "written", error) from None
        _make_durable(path)
    return True


def require_writable(path: Path) -> None:
    """Prove the right to replace the file, without touching it. Raises TargetRejected, TargetUnavailable."""
    with _alone(path):
        try:
            beside = _beside(path, "new")
            beside.touch()
            beside.unlink()
        except OSError as error:
            raise _sorted(path, "written", error) from None


def _rename_over(path: Path, new: bytes) -> None:
    beside = _beside(path, "new")
    with beside.open("wb") as file:
        os.fchmod(file.fileno(), path.stat().st_mode & 0o777)
        file.write(new)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _make_durable(path: Path) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    except OSError as error:
        raise Lost(f"{path} was replaced, and may be lost at a crash: {error.strerror}") from None
    finally:
        os.close(folder)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock file beside the file; it stays there, because removing it would let two writers in."""
    try:
        lock = os.open(_beside(path, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _sorted(path, "written", error) from None
    try:
        until = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise TargetUnavailable(f"{path}: another writer holds its lock for {_LOCK_SECONDS:g} s") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(lock)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f".{path.name}.{ending}")


def _sorted(path: Path, verb: str, error: OSError) -> TargetRejected | TargetUnavailable:
    said = f"{path} cannot be {verb}: {error.strerror}"
    settled = isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | IsADirectoryError)
    return TargetRejected(said) if settled else TargetUnavailable(said)

"""Checkpoints in a directory on another disk: one file each, never written again."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Literal

from adapters.anchors import AnchorFailed, AnchorMisconfigured, Forked, Taken
from adapters.checkpoints import SqlCheckpoints
from countermand.ledger.note import Checkpoint
from countermand.ledger.note_reading import NoteInvalid, read_checkpoint


class FolderAnchor:
    """Implements the port `Anchor`."""

    kind: Literal["folder"] = "folder"

    def __init__(self, place: str, path: Path) -> None:
        self.place = place
        self._path = path

    async def take(self, checkpoint: Checkpoint, checkpoints: SqlCheckpoints) -> Taken:
        """See the port. What lies there must be the beginning of this Ledger."""
        held = await self.newest()
        if held is not None:
            if held.origin != checkpoint.origin:
                raise AnchorMisconfigured(
                    f"the folder {self._path} belongs to {held.origin!r}, this ledger is {checkpoint.origin!r}; "
                    "give each ledger a folder of its own"
                )
            if held.size > checkpoint.size:
                raise Forked(
                    f"The folder {self.place} holds a checkpoint of {held.size} records, this ledger has "
                    f"{checkpoint.size} under its newest one: records were cut off, or an old copy was restored.",
                    held.note.encode(),
                )
            try:
                ours = (await checkpoints.root(held.size)).hex()
            except ValueError as error:
                raise AnchorFailed(str(error)) from error
            if ours != held.root:
                raise Forked(
                    f"The folder {self.place} holds another history: its checkpoint of {held.size} records has "
                    "another root than these records.",
                    held.note.encode(),
                )
        try:
            await asyncio.to_thread(self._write, checkpoint)
        except OSError as error:
            raise AnchorFailed(f"the folder {self._path} cannot be written ({error.strerror})") from error
        return Taken(answer=checkpoint.note.encode(), media_type="text/plain")

    async def seen(self, checkpoint: Checkpoint) -> int:
        """See the port."""
        held = await self.newest()
        return 0 if held is None or held.origin != checkpoint.origin else held.size

    async def newest(self) -> Checkpoint | None:
        """The largest checkpoint that lies there. Raises AnchorFailed when it cannot be read."""
        try:
            return await asyncio.to_thread(self._newest)
        except (OSError, NoteInvalid, UnicodeDecodeError) as error:
            raise AnchorFailed(f"the folder {self._path} cannot be read ({error})") from error

    def _newest(self) -> Checkpoint | None:
        files = sorted(self._path.glob("*.checkpoint"))
        if not self._path.is_dir():
            raise FileNotFoundError("there is no such directory")
        return read_checkpoint(files[-1].read_text(encoding="utf-8")) if files else None

    def _write(self, checkpoint: Checkpoint) -> None:
        file = self._path / f"{checkpoint.size:016}.checkpoint"
        whole = checkpoint.note.encode()
        if file.exists() and file.read_bytes() == whole:
            return
        # Under another name first: half a checkpoint would look like one that somebody changed.
        part = file.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o444)
        with os.fdopen(descriptor, "wb") as out:
            out.write(whole)
            out.flush()
            os.fsync(out.fileno())
        os.link(part, file)
        part.unlink()
        directory = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

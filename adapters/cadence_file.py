"""The duties as a file: the shipped rows with what `cadence.yaml` of the data directory changes."""

from __future__ import annotations

import asyncio
from pathlib import Path

from countermand.cadence.duty import CadenceInvalid, Planned, as_shipped, in_force


class FileCadence:
    """Implements Cadence. No file: everything as shipped. Read anew each time, so that a change counts from then on."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def read(self) -> tuple[tuple[Planned, ...], str]:
        """Every duty in force, and why the file is not used; then they are as shipped."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> tuple[tuple[Planned, ...], str]:
        try:
            return in_force(self._file.read_text("utf-8"), self._file.name), ""
        except FileNotFoundError:
            return as_shipped(), ""
        except (OSError, UnicodeDecodeError, CadenceInvalid) as error:
            return as_shipped(), str(error)

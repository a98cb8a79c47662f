"""Rows and profile as files: the shipped rows or the organisation's own copy, and `profile.yaml`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from countermand.canonical import digest_bytes
from countermand.obligations import dataset, profile
from countermand.obligations.dataset import Dataset, DatasetInvalid
from countermand.obligations.profile import NOBODY_DECLARED, Profile


class FileDuties:
    """Implements Duties. No profile file: nobody declared anything."""

    def __init__(self, rows: Path | None, profile_file: Path) -> None:
        self._rows = rows
        self._profile = profile_file
        self._parsed: tuple[str, Dataset] | None = None

    async def read(self) -> tuple[Dataset, Profile]:
        """Raises DatasetInvalid, ProfileInvalid."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> tuple[Dataset, Profile]:
        rows = self._dataset()
        try:
            text = self._profile.read_text("utf-8")
        except FileNotFoundError:
            return rows, NOBODY_DECLARED
        return rows, profile.parse(text, self._profile.name, rows)

    def _dataset(self) -> Dataset:
        if self._rows is None:
            return dataset.shipped()
        try:
            raw = self._rows.read_bytes()
        except OSError as error:
            raise DatasetInvalid(f"{self._rows}: {error.strerror}; set COUNTERMAND_OBLIGATIONS") from error
        seen = digest_bytes(raw)
        if self._parsed is None or self._parsed[0] != seen:
            self._parsed = (seen, dataset.parse(raw.decode(), self._rows.name))
        return self._parsed[1]

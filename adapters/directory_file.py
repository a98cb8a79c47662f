"""The role directory `file`: the governance YAML, read anew for every snapshot (GOV-3)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML

from countermand.canonical import digest_bytes
from countermand.governance.directory import Directory, Governance


class GovernanceInvalid(ValueError):
    """The governance file cannot be used; nobody may decide until it is repaired (fail closed)."""


class FileDirectory:
    """Implements RoleDirectory. The digest is that of the file's exact bytes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def snapshot(self) -> Directory:
        """Raises GovernanceInvalid with the file and what is wrong in it."""
        return await asyncio.to_thread(self._read)

    def _read(self) -> Directory:
        try:
            raw = self._path.read_bytes()
            governance = Governance.model_validate(YAML(typ="safe", pure=True).load(raw))
        except OSError as error:
            raise GovernanceInvalid(f"{self._path}: {error.strerror}; set COUNTERMAND_GOVERNANCE") from error
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            raise GovernanceInvalid(f"{self._path}: {where}: {first['msg']}") from error
        return Directory(
            governance=governance,
            digest=digest_bytes(raw),
            source=f"file:{self._path.name}",
            as_of=datetime.now(UTC),
        )

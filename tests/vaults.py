"""A vault for tests, with a master key of its own in a directory of the test run."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from adapters.database import Database
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey


@cache
def master_key() -> MasterKey:
    key = MasterKey(Path(tempfile.mkdtemp(prefix="countermand-vault-")) / "keys" / "vault.key")
    key.create_if_missing()
    return key


def vault(db: Database) -> SqlVault:
    return SqlVault(db, master_key())

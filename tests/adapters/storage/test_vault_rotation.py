"""A new master key takes over: all data keys or none, and the old one opens nothing afterwards (OBL-34)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.tables import VaultKeyTable
from adapters.vault import SqlVault
from adapters.vault_key import CannotOpen, MasterKey
from console.admin import app
from countermand.ledger.record import Kind
from tests.adapters.storage.stores import Store
from tests.adapters.storage.test_vault import CANARY, concern

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def master(tmp_path: Path) -> MasterKey:
    key = MasterKey(tmp_path / "data" / "keys" / "vault.key")
    key.create_if_missing()
    return key


@pytest.fixture
async def ledger(db: Database, master: MasterKey) -> SqlLedger:
    made = SqlLedger(db, lambda: BEGIN, vault=SqlVault(db, master))
    await made.append(concern(), concern(2, "what somebody else said", "local|jonas"))
    return made


async def said(ledger: SqlLedger) -> list[str]:
    return [record.body["reason"] for record in await ledger.records(kinds=[Kind.concern_raised])]


async def wrapped(db: Database) -> list[bytes]:
    async with db.reading() as session:
        return list(await session.exec(select(VaultKeyTable.wrapped)))


async def test_a_crash_in_between_leaves_every_word_readable_and_repeating_ends_it(
    db: Database, ledger: SqlLedger, master: MasterKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, old = await wrapped(db), master.key_id
    seen = []
    whole = MasterKey.wrap

    def crash(self: MasterKey, data_key: bytes, key_ref: str) -> bytes:
        seen.append(key_ref)
        if len(seen) == 2:
            raise ConnectionError("the machine went away")
        return whole(self, data_key, key_ref)

    with monkeypatch.context() as broken:
        broken.setattr(MasterKey, "wrap", crash)
        with pytest.raises(ConnectionError):
            await SqlVault(db, master).rotate_master()
    assert sorted(await wrapped(db)) == sorted(before), "all are wrapped again, or none"
    new = master.key_id
    assert (new != old, master.alone) == (True, False), "the old key stays in the file until all are done"
    assert CANARY in await said(ledger)
    assert await SqlVault(db, master).rotate_master() == 2
    assert (master.key_id, master.alone) == (new, True), "the rotation that was begun is ended; no third key is made"
    assert CANARY in await said(ledger)
    assert {one.partition(b":")[0].decode() for one in await wrapped(db)} == {new}


async def test_a_copy_of_the_old_key_file_opens_nothing_afterwards(
    db: Database, ledger: SqlLedger, master: MasterKey, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.key"
    copy.write_bytes((tmp_path / "data" / "keys" / "vault.key").read_bytes())
    await SqlVault(db, master).rotate_master()
    with pytest.raises(CannotOpen):
        await said(SqlLedger(db, vault=SqlVault(db, MasterKey(copy))))


def test_the_command_rotates_it_and_says_what_to_back_up(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = MasterKey(tmp_path / "keys" / "vault.key")
    key.create_if_missing()
    old = key.key_id
    monkeypatch.setenv("COUNTERMAND_DATA", str(tmp_path))
    monkeypatch.setenv("COUNTERMAND_DATABASE_URL", store.url)
    ended = CliRunner().invoke(app, ["keys", "rotate", "vault"])
    assert ended.exit_code == 0, ended.output
    assert key.key_id != old
    assert f"vault key {key.key_id} is in force" in ended.output
    assert "back up" in ended.output

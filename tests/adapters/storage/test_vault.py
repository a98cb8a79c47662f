"""What people typed is in the vault and in no line; who loses the key loses the words and nothing else."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from activities.ports import LedgerConflict
from adapters import erasure
from adapters.database import Database
from adapters.erasure import Request, SqlErasure
from adapters.ledger import SqlLedger, verify
from adapters.retention import Run, SqlRetention
from adapters.tables import BlobTable, LedgerTable, VaultItemTable, VaultKeyTable
from adapters.vault import SqlVault
from adapters.vault_key import CannotOpen, MasterKey
from countermand.ledger.bodies import ConcernRaised, HoldPlaced, PurgeCertificate, parse_body
from countermand.ledger.commitment import commitment
from countermand.ledger.private import commitments
from countermand.ledger.record import Entry, Kind, parse_line
from countermand.retention.holding import Scope
from countermand.retention.register import ids_root
from tests.vaults import vault

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
LATER = BEGIN + timedelta(days=8 * 366)
CANARY = "the canary sang at three in the morning"
RUN = Run(run_id="run-1", approver="schedule", operator="worker")


def concern(number: int = 1, reason: str = CANARY, subject: str = "local|maria") -> Entry:
    body = ConcernRaised(
        decision_id=f"d-{number}", subject=subject, name="Maria", roles=("safety_lead",), severity="sev1", reason=reason
    )
    return body.entry(f"concern/{number}", "console", release_id="rel-1")


def a_hold(**scope: tuple[str, ...]) -> Entry:
    body = HoldPlaced(
        hold_id="hold-1", scope=Scope(**scope), reason="a court asks", matter="case 7", custodians=(),
        decision_id="d-h", subject="local|lena", name="Lena",
    )  # fmt: skip
    return body.entry("hold/1/placed", "console")


def store(db: Database, at: datetime = BEGIN) -> SqlLedger:
    return SqlLedger(db, lambda: at, vault=vault(db))


async def lines(db: Database) -> list[str]:
    async with db.reading() as session:
        return list(await session.exec(select(LedgerTable.line).order_by(LedgerTable.seq)))  # type: ignore[arg-type]


async def items(db: Database) -> list[VaultItemTable]:
    async with db.reading() as session:
        return list(await session.exec(select(VaultItemTable)))


async def test_evd_26_the_line_holds_a_commitment_and_readers_get_the_words(db: Database) -> None:
    (record,) = await store(db).append(concern())
    assert record.body["reason"] == CANARY
    assert all(CANARY not in line for line in await lines(db))
    (found,) = await store(db).records(kinds=[Kind.concern_raised])
    assert found.body == record.body
    assert found.line == record.line
    assert (await store(db).find("concern/1")) == found
    ((pointer, commit),) = commitments(parse_line(found.line).body)
    opened = (await vault(db).open([commit]))[commit]
    assert (pointer, commitment(opened.value, bytes.fromhex(opened.salt))) == ("/reason", commit)


async def test_a_repeated_append_draws_no_second_salt_and_other_words_conflict(db: Database) -> None:
    (first,) = await store(db).append(concern())
    (again,) = await store(db).append(concern())
    assert again == first
    assert len(await items(db)) == 1
    with pytest.raises(LedgerConflict):
        await store(db).append(concern(reason="something else entirely"))


async def test_a_ledger_without_a_vault_takes_no_words(db: Database) -> None:
    with pytest.raises(RuntimeError, match="give the Ledger its vault"):
        await SqlLedger(db).append(concern())
    assert await SqlLedger(db).head() == -1


async def test_a_ciphertext_that_was_moved_to_another_commitment_does_not_open(db: Database) -> None:
    await store(db).append(concern(1), concern(2, "another thing that was said"))
    async with db.writing() as session:
        one, two = (await session.exec(select(VaultItemTable))).all()
        one.ciphertext, two.ciphertext = two.ciphertext, one.ciphertext
    with pytest.raises(CannotOpen):
        await store(db).records()


async def test_after_a_rotation_the_old_master_key_opens_nothing(db: Database, tmp_path: Path) -> None:
    key = MasterKey(tmp_path / "vault.key")
    key.create_if_missing()
    old = key.key_id
    ledger = SqlLedger(db, vault=SqlVault(db, key))
    await ledger.append(concern())
    key.rotate()
    assert await SqlVault(db, key).rewrap() == 1
    key.forget_old()
    assert key.key_id != old
    assert (tmp_path / "vault.key").stat().st_mode & 0o777 == 0o600
    assert (await ledger.records(kinds=[Kind.concern_raised]))[0].body["reason"] == CANARY
    with pytest.raises(CannotOpen, match="restore that file"):
        await store(db).records()


async def test_obl_31_a_purge_deletes_what_is_due_and_its_certificate_fits_the_list_of_ids(db: Database) -> None:
    await store(db).append(concern())
    (item,) = await items(db)
    early = SqlRetention(db, store(db), clock=lambda: BEGIN + timedelta(days=300))
    assert (await early.purge_texts(RUN, "decisions_and_plans")).deleted == 0
    late = SqlRetention(db, store(db, LATER), clock=lambda: LATER)
    assert (await late.purge_texts(RUN, "decisions_and_plans")).deleted == 1
    (record,) = await store(db).records(kinds=[Kind.purge_certificate])
    body = parse_body(record)
    assert isinstance(body, PurgeCertificate)
    assert len(body.keys) == 1
    assert body.ids_root == ids_root(bytes.fromhex(body.salt), [item.commitment])
    assert await items(db) == []
    assert (await store(db).records(kinds=[Kind.concern_raised]))[0].body["reason"] == "[erased]"
    assert (await late.purge_texts(RUN, "decisions_and_plans")).deleted == 0
    await verify(db)
    await store(db).append(concern())  # a repetition of what was said before is still the same record


async def test_obl_29_neither_purge_nor_erasure_nor_replay_takes_what_is_held(db: Database) -> None:
    await store(db).append(concern(), a_hold(subjects=("local|maria",)))
    purged = await SqlRetention(db, store(db, LATER), clock=lambda: LATER).purge_texts(RUN, "decisions_and_plans")
    assert (purged.deleted, purged.held) == (2, 1), "the words of the hold itself are due, hers are held"
    (answer,) = await eraser(db).erase(Request(erasure_id="e-1", subject="local|maria", reason="asked", by="privacy"))
    assert answer.KIND is Kind.erasure_refused
    assert "hold-1" in answer.basis  # type: ignore[union-attr]
    assert (await store(db).records(kinds=[Kind.concern_raised]))[0].body["reason"] == CANARY


@pytest.mark.parametrize("step", ["delete_texts", "append_in"])
async def test_obl_32_a_crash_leaves_no_deletion_without_its_certificate(
    db: Database, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store(db).append(concern())
    ledger = store(db, LATER)
    run = SqlRetention(db, ledger, clock=lambda: LATER)

    async def crash(*_: object, **__: object) -> None:
        raise ConnectionError("the machine went away")

    with monkeypatch.context() as broken:
        if step == "append_in":
            broken.setattr(ledger, "append_in", crash)
        else:
            broken.setattr("adapters.retention.delete_texts", crash)
        with pytest.raises(ConnectionError):
            await run.purge_texts(RUN, "decisions_and_plans")
    assert len(await items(db)) == 1
    assert await store(db).records(kinds=[Kind.purge_certificate]) == []
    assert (await run.purge_texts(RUN, "decisions_and_plans")).deleted == 1
    assert len(await store(db).records(kinds=[Kind.purge_certificate])) == 1


def eraser(db: Database) -> SqlErasure:
    return SqlErasure(db, store(db), vault(db), clock=lambda: BEGIN)


async def test_obl_36_after_an_erasure_no_byte_tells_and_the_chain_still_verifies(db: Database) -> None:
    await store(db).append(concern(), concern(2, "what somebody else said", "local|jonas"))
    before = await lines(db)
    (done,) = await eraser(db).erase(Request(erasure_id="e-1", subject="local|maria", reason="asked", by="privacy"))
    assert done.KIND is Kind.erasure_done
    assert done.count == 1  # type: ignore[union-attr]
    assert (await lines(db))[: len(before)] == before
    await verify(db)
    said = [record.body["reason"] for record in await store(db).records(kinds=[Kind.concern_raised])]
    assert said == ["[erased]", "what somebody else said"]
    async with db.reading() as session:
        assert all(key.subject != "local|maria" for key in await session.exec(select(VaultKeyTable)))
    assert all(word not in raw for raw in files(db) for word in (CANARY.encode(), json.dumps(CANARY).encode()))


def files(db: Database) -> Iterator[bytes]:
    """The bytes of a SQLite database with its log; a PostgreSQL server keeps its own."""
    if db.dialect == "sqlite":
        for end in ("", "-wal"):
            path = Path(f"{db.url.database}{end}")
            if path.exists():
                yield path.read_bytes()


async def test_an_erased_ciphertext_and_its_key_are_overwritten_in_the_file(db: Database) -> None:
    if db.dialect != "sqlite":
        pytest.skip("PostgreSQL reuses space by itself; docs/retention.md says what that means")
    await store(db).append(concern())
    (item,) = await items(db)
    async with db.reading() as session:
        wrapped = (await session.exec(select(VaultKeyTable.wrapped))).one()
    with sqlite3.connect(db.url.database or "") as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert any(item.ciphertext in one for one in files(db))
    await eraser(db).erase(Request(erasure_id="e-1", subject="local|maria", reason="asked", by="privacy"))
    assert all(item.ciphertext not in one for one in files(db))
    assert all(wrapped not in one for one in files(db))


async def test_obl_37_an_open_claim_is_answered_with_basis_and_date(db: Database) -> None:
    await store(db).append(concern())
    asked = Request(
        erasure_id="e-1", subject="local|maria", reason="asked", by="privacy", claim="a court case is open."
    )  # fmt: skip
    (answer,) = await eraser(db).erase(asked)
    assert all("a court case" not in line for line in await lines(db))
    assert answer.basis == "Kept: a court case is open."  # type: ignore[union-attr]
    assert answer.recheck_on == BEGIN + erasure.RECHECK  # type: ignore[union-attr]


async def test_obl_33_what_a_restored_copy_brings_back_is_deleted_again(db: Database) -> None:
    await store(db).append(concern(), concern(2, "what somebody else said", "local|jonas"))
    async with db.reading() as session:
        rows = [row.model_dump() for row in await session.exec(select(VaultItemTable))]
        keys = [row.model_dump() for row in await session.exec(select(VaultKeyTable))]
    await eraser(db).erase(Request(erasure_id="e-1", subject="local|maria", reason="asked", by="privacy"))
    async with db.writing() as session:
        session.add_all([VaultKeyTable(**key) for key in keys if key["subject"] == "local|maria"])
        await session.flush()
        session.add_all([VaultItemTable(**row) for row in rows if row["subject"] == "local|maria"])
    assert (await store(db).records(kinds=[Kind.concern_raised]))[0].body["reason"] == CANARY
    assert await eraser(db).replay() == 1
    said = [record.body["reason"] for record in await store(db).records(kinds=[Kind.concern_raised])]
    assert said == ["[erased]", "what somebody else said"]
    assert await eraser(db).replay() == 0


async def test_gov_63_what_was_shown_is_encrypted_and_goes_with_the_words_it_quotes(db: Database) -> None:
    ledger = store(db)
    entry = concern().model_copy(update={"incident_id": "inc-1"})
    await ledger.append(entry)
    raw = f"<p>{CANARY}</p>".encode()
    sha256 = await ledger.put_blob(raw, "text/html", "inc-1")
    other = await ledger.put_blob(b"what a target answered", "text/plain")
    assert await ledger.get_blob(sha256) == (raw, "text/html")
    async with db.reading() as session:
        assert all(CANARY.encode() not in content for content in await session.exec(select(BlobTable.content)))
    await eraser(db).erase(Request(erasure_id="e-1", subject="local|maria", reason="asked", by="privacy"))
    assert await ledger.get_blob(sha256) is None
    assert await ledger.get_blob(other) == (b"what a target answered", "text/plain")

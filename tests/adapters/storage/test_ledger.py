"""The Ledger on SQL: append, idempotency, reading, blobs, verification."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from activities.ports import LedgerConflict
from adapters.database import Database
from adapters.ledger import SqlLedger, verify
from countermand.canonical import NotCanonical, digest_bytes
from countermand.ledger.record import MAX_LINE, ChainBroken, Kind, LineTooLong, line_hash
from tests.adapters.storage.entries import NOW, entry
from tests.adapters.storage.stores import Store


async def test_the_first_append_writes_the_genesis_record_before_it(db: Database) -> None:
    ledger = SqlLedger(db, lambda: NOW)
    assert await ledger.head() == -1
    (record,) = await ledger.append(entry("a"))
    genesis, first = await ledger.records()
    assert (genesis.seq, genesis.kind, genesis.prev) == (0, Kind.genesis, "0" * 64)
    assert len(genesis.body["ledger_id"]) == 32
    assert first == record
    assert (record.seq, record.at, record.prev) == (1, NOW, line_hash(genesis.line))
    assert await ledger.head() == 1


async def test_several_entries_are_appended_in_order_or_not_at_all(db: Database) -> None:
    ledger = SqlLedger(db)
    records = await ledger.append(entry("a"), entry("b"), entry("c"))
    assert [record.idem_key for record in records] == ["a", "b", "c"]
    assert [record.seq for record in records] == [1, 2, 3]
    with pytest.raises(NotCanonical):
        await ledger.append(entry("d"), entry("e", body={"share": 0.5}))
    assert await ledger.head() == 3
    assert await ledger.find("d") is None


async def test_the_same_key_with_the_same_content_returns_the_first_record(db: Database) -> None:
    ledger = SqlLedger(db)
    first = await ledger.append(entry("a", body={"list": [1, 2]}, incident_id="i"), entry("b"))
    again = await ledger.append(
        entry("b"), entry("new"), entry("a", body={"list": (1, 2)}, incident_id="i"), entry("new")
    )
    assert [again[0], again[2]] == [first[1], first[0]]
    assert again[1] == again[3]
    assert again[1].seq == 3
    assert await ledger.head() == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"body": {"word": "trigger"}},
        {"kind": Kind.plan},
        {"actor": "somebody else"},
        {"incident_id": "other"},
        {"release_id": "other"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_the_same_key_with_other_content_is_a_conflict_and_appends_nothing(
    db: Database, changes: dict[str, object]
) -> None:
    ledger = SqlLedger(db)
    await ledger.append(entry("a"))
    with pytest.raises(LedgerConflict, match="'a' belongs to record 1"):
        await ledger.append(entry("before"), entry("a", **changes))
    assert await ledger.head() == 1


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"rate": 0.1}, NotCanonical),
        ({"rate": float("nan")}, NotCanonical),
        ({"count": 2**53}, NotCanonical),
        ({"text": "\ud800"}, NotCanonical),
        ({"at": NOW}, NotCanonical),
        ({"Key": 1}, NotCanonical),
        ({"text": "x" * MAX_LINE}, LineTooLong),
    ],
    ids=["float", "nan", "2**53", "surrogate", "datetime", "key", "65 KiB"],
)
async def test_what_has_no_canonical_form_is_refused(
    db: Database, body: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await SqlLedger(db).append(entry("a", body=body))
    assert await SqlLedger(db).head() == -1


async def test_a_naive_clock_is_refused(db: Database) -> None:
    with pytest.raises(NotCanonical, match="naive"):
        await SqlLedger(db, lambda: datetime(2026, 11, 20)).append(entry("a"))  # noqa: DTZ001


async def test_a_clock_that_moves_back_does_not_change_the_order(db: Database) -> None:
    times = iter([NOW, NOW, NOW - timedelta(minutes=10)])
    ledger = SqlLedger(db, lambda: next(times))
    await ledger.append(entry("a"))
    await ledger.append(entry("b"))
    assert [record.idem_key for record in await ledger.records()] == ["genesis", "a", "b"]
    assert (await verify(db))[0] == 3


async def test_text_of_every_kind_survives_byte_for_byte(db: Database) -> None:
    body = {"text": 'Grüße 🙂 \u2028 \x00 \x7f "quoted" \\ e\u0301 \U0010ffff'}
    (record,) = await SqlLedger(db).append(entry("a", body=body))
    assert await SqlLedger(db).find("a") == record
    assert record.body == body
    await verify(db)


async def test_records_are_filtered_and_paged(db: Database) -> None:
    ledger = SqlLedger(db)
    await ledger.append(
        entry("1", incident_id="i", release_id="r"),
        entry("2", release_id="r", kind=Kind.plan),
        entry("3", incident_id="i", kind=Kind.plan),
    )

    async def keys(**filters: object) -> list[str]:
        return [record.idem_key for record in await ledger.records(**filters)]  # type: ignore[arg-type]

    assert await keys(incident_id="i") == ["1", "3"]
    assert await keys(release_id="r") == ["1", "2"]
    assert await keys(kinds=[Kind.plan]) == ["2", "3"]
    assert await keys(kinds=[Kind.plan, Kind.genesis], after_seq=0) == ["2", "3"]
    assert await keys(incident_id="i", release_id="r") == ["1"]
    assert await keys(after_seq=1, limit=1) == ["2"]
    assert await keys(incident_id="nobody") == []


async def test_blobs_are_stored_once_by_content(db: Database) -> None:
    ledger = SqlLedger(db)
    raw = bytes(range(256))
    assert await ledger.put_blob(raw, "application/octet-stream") == digest_bytes(raw)
    assert await ledger.put_blob(raw, "text/plain") == digest_bytes(raw)
    assert await ledger.get_blob(digest_bytes(raw)) == (raw, "application/octet-stream")
    assert await ledger.get_blob(digest_bytes(b"other")) is None


async def test_the_same_blob_from_many_tasks_at_once_is_no_error(db: Database) -> None:
    ledger = SqlLedger(db)
    digests = await asyncio.gather(*[ledger.put_blob(b"same", "text/plain") for _ in range(20)])
    assert set(digests) == {digest_bytes(b"same")}


async def test_the_same_key_from_many_tasks_at_once_is_one_record(db: Database) -> None:
    ledger = SqlLedger(db)
    records = await asyncio.gather(*[ledger.append(entry("a")) for _ in range(20)])
    assert {record.seq for (record,) in records} == {1}
    assert await ledger.head() == 1


# --- verification ---


@pytest.fixture
async def chain(db: Database) -> list[str]:
    """The lines of a chain of seven."""
    ledger = SqlLedger(db)
    await ledger.append(*[entry(str(number)) for number in range(1, 7)])
    return [record.line for record in await ledger.records()]


async def test_an_untouched_chain_verifies_from_any_record_on(db: Database, chain: list[str]) -> None:
    assert await verify(db) == (7, line_hash(chain[-1]))
    assert await verify(db, first_seq=4) == (3, line_hash(chain[-1]))


async def test_an_empty_ledger_verifies(db: Database) -> None:
    assert await verify(db) == (0, "0" * 64)


async def test_every_changed_byte_of_a_stored_line_is_found_at_its_record(
    db: Database, chain: list[str], store: Store
) -> None:
    store.without_triggers()
    with store.raw(store.owner_url) as connection:
        mark = "?" if store.dialect == "sqlite" else "%s"
        statement = f"UPDATE ledger_record SET line = {mark} WHERE seq = 3"
        for place, character in enumerate(chain[3]):
            changed = chain[3][:place] + chr(ord(character) ^ 1) + chain[3][place + 1 :]
            connection.execute(statement, (changed,))
            with pytest.raises(ChainBroken) as broken:
                await verify(db)
            assert broken.value.seq == 3, changed
        connection.execute(statement, (chain[3],))
    assert (await verify(db))[0] == 7


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_bytes_that_are_no_text_are_found_at_their_record(db: Database, chain: list[str], store: Store) -> None:
    store.without_triggers("UPDATE ledger_record SET line = CAST(X'fffe' AS TEXT) WHERE seq = 5")
    with pytest.raises(ChainBroken) as broken:
        await verify(db)
    assert broken.value.seq == 5


async def test_a_line_that_was_changed_with_its_hash_breaks_the_next_link(
    db: Database, chain: list[str], store: Store
) -> None:
    forged = chain[3].replace('"word":"ok"', '"word":"no"')
    store.without_triggers(f"UPDATE ledger_record SET line = '{forged}', hash = '{line_hash(forged)}' WHERE seq = 3")
    with pytest.raises(ChainBroken) as broken:
        await verify(db)
    assert broken.value.seq == 4
    assert "this record or the one before was changed" in broken.value.why


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "'plan'"),
        ("at", "'2000-01-01T00:00:00.000000Z'"),
        ("idem_key", "'other'"),
        ("incident_id", "'other'"),
        ("release_id", "'other'"),
        ("prev", f"'{'e' * 64}'"),
        ("hash", f"'{'e' * 64}'"),
    ],
    ids=lambda value: value if value.isidentifier() else "",
)
async def test_a_column_that_disagrees_with_its_line_is_named(
    column: str, value: str, db: Database, chain: list[str], store: Store
) -> None:
    store.without_triggers(f"UPDATE ledger_record SET {column} = {value} WHERE seq = 3")
    with pytest.raises(ChainBroken, match=f"record 3: column {column} holds"):
        await verify(db)


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("DELETE FROM ledger_record WHERE seq = 0", 0),
        ("DELETE FROM ledger_record WHERE seq = 3", 3),
        ("UPDATE ledger_record SET seq = 100 WHERE seq = 3", 3),
    ],
)
async def test_a_missing_or_moved_record_is_named(
    statement: str, seq: int, db: Database, chain: list[str], store: Store
) -> None:
    store.without_triggers(statement)
    with pytest.raises(ChainBroken) as broken:
        await verify(db)
    assert broken.value.seq == seq


async def test_a_blob_with_other_bytes_is_not_returned(db: Database, store: Store) -> None:
    ledger = SqlLedger(db)
    sha256 = await ledger.put_blob(b"seen", "text/plain")
    on = "" if store.dialect == "sqlite" else " ON evidence_blob"
    name = "evidence_blob_no_update" if store.dialect == "sqlite" else "evidence_blob_append_only"
    with store.raw(store.owner_url) as connection:
        connection.execute(f"DROP TRIGGER {name}{on}")
        connection.execute(
            "UPDATE evidence_blob SET content = " + ("X'00'" if store.dialect == "sqlite" else "'\\x00'::bytea")
        )
    with pytest.raises(ValueError, match="another digest"):
        await ledger.get_blob(sha256)

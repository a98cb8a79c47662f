"""Manifests and parts come back exactly as they were put, or not at all (R71)."""

from __future__ import annotations

import pytest
from sqlalchemy import event

from adapters.bundles import SqlBundles
from adapters.database import Database
from adapters.ledger import SqlLedger
from countermand.canonical import digest_bytes
from countermand.compare.manifest import MEDIA_TYPE, PARTS, Manifest
from tests.adapters.storage.releases import START
from tests.adapters.storage.stores import Store

PROMPT = b"Answer from the passages only.\n"


def manifest(name: str = "v7", **changes: object) -> Manifest:
    parts = {part: {"digest": f"sha256:{part}"} for part in PARTS} | {"prompt": {"digest": digest_bytes(PROMPT)}}
    return Manifest.model_validate({"schema": "countermand.bundle/v1", "name": name, "parts": parts} | changes)


async def put(db: Database, described: Manifest, *stored: str, by: str = "local|lena") -> None:
    ledger = SqlLedger(db)
    await ledger.put_blob(described.raw, MEDIA_TYPE)
    await ledger.put_blob(PROMPT, "text/plain")
    await SqlBundles(db).point(described, stored, by, START)


async def test_a_manifest_is_found_by_the_digest_of_its_bundle(db: Database) -> None:
    await put(db, manifest(), "prompt")
    (found,) = (await SqlBundles(db).find([manifest().bundle.digest, "sha256:unknown"])).values()
    assert (found.manifest, found.manifest_digest) == (manifest(), manifest().digest)
    assert (found.stored, found.by, found.at) == (("prompt",), "local|lena", START)


async def test_the_newest_manifest_counts_and_parts_that_were_kept_stay_kept(db: Database) -> None:
    await put(db, manifest(), "prompt")
    newer = manifest(datasets=[{"name": "tickets", "digest": "sha256:t"}])
    assert newer.bundle == manifest().bundle
    await put(db, newer, by="local|maria")
    found = (await SqlBundles(db).find([newer.bundle.digest]))[newer.bundle.digest]
    assert (found.manifest, found.stored, found.by) == (newer, ("prompt",), "local|maria")
    assert await SqlLedger(db).get_blob(manifest().digest) == (manifest().raw, MEDIA_TYPE)


async def test_many_bundles_and_parts_are_read_with_one_query_each(db: Database) -> None:
    names = [f"v{number}" for number in range(20)]
    for name in names:
        await put(db, manifest(name), "prompt")
    statements: list[str] = []
    event.listen(db.engine.sync_engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    assert len(await SqlBundles(db).find([manifest(name).bundle.digest for name in names])) == 20
    assert await SqlBundles(db).contents([digest_bytes(PROMPT), "sha256:unknown"]) == {digest_bytes(PROMPT): PROMPT}
    assert len([said for said in statements if said.lstrip().upper().startswith("SELECT")]) == 2


async def test_bytes_that_somebody_changed_are_refused(db: Database, store: Store) -> None:
    await put(db, manifest(), "prompt")
    on = "" if store.dialect == "sqlite" else " ON evidence_blob"
    name = "evidence_blob_no_update" if store.dialect == "sqlite" else "evidence_blob_append_only"
    with store.raw(store.owner_url) as connection:
        connection.execute(f"DROP TRIGGER {name}{on}")
        other = "X'00'" if store.dialect == "sqlite" else "'\\x00'::bytea"
        connection.execute(f"UPDATE evidence_blob SET content = {other}")
    with pytest.raises(ValueError, match="somebody changed the store"):
        await SqlBundles(db).contents([digest_bytes(PROMPT)])
    with pytest.raises(ValueError, match="somebody changed the store"):
        await SqlBundles(db).find([manifest().bundle.digest])

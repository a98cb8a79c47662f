"""Playbooks by digest, releases by id."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from countermand.canonical import digest_bytes
from tests import cases
from tests.adapters.storage.releases import SIGNALS, START, playbook, registered
from tests.adapters.storage.stores import Store

LATER = START + timedelta(hours=1)


async def test_a_playbook_keeps_its_exact_bytes_and_parses(db: Database) -> None:
    raw = playbook() + b"\n# a comment\n"
    digest = await SqlCatalogue(db).put_playbook(raw)
    assert digest == digest_bytes(raw)
    fresh = SqlCatalogue(db)
    assert await fresh.playbook_bytes(digest) == raw
    assert set((await fresh.playbook(digest)).detection.signals) == set(SIGNALS)


async def test_the_same_playbook_twice_is_one(db: Database, store: Store) -> None:
    digests = await asyncio.gather(*[SqlCatalogue(db).put_playbook(playbook()) for _ in range(5)])
    assert len(set(digests)) == 1
    with store.raw() as connection:
        assert connection.execute("SELECT count(*) FROM playbook_version").fetchone()[0] == 1


async def test_bytes_that_do_not_parse_are_not_stored(db: Database, store: Store) -> None:
    with pytest.raises(ValueError, match="playbook"):
        await SqlCatalogue(db).put_playbook(b"schema: something else")
    with store.raw() as connection:
        assert connection.execute("SELECT count(*) FROM playbook_version").fetchone()[0] == 0


async def test_an_unknown_playbook_is_a_key_error(db: Database) -> None:
    with pytest.raises(KeyError, match="sha256:x"):
        await SqlCatalogue(db).playbook("sha256:x")


async def test_a_playbook_whose_bytes_were_changed_is_not_returned(db: Database, store: Store) -> None:
    digest = await SqlCatalogue(db).put_playbook(playbook())
    name = "playbook_version_no_update" if store.dialect == "sqlite" else "playbook_version_append_only"
    with store.raw(store.owner_url) as connection:
        connection.execute(f"DROP TRIGGER {name}" + ("" if store.dialect == "sqlite" else " ON playbook_version"))
        connection.execute(
            "UPDATE playbook_version SET content = " + ("X'00'" if store.dialect == "sqlite" else "'\\x00'::bytea")
        )
    with pytest.raises(ValueError, match="another digest"):
        await SqlCatalogue(db).playbook(digest)


async def test_a_release_is_registered_once(db: Database) -> None:
    catalogue = SqlCatalogue(db)
    release = await registered(db, "rel-1")
    status = await catalogue.put_release(release, LATER)
    assert (status.release, status.registered_at, status.closed_at) == (release, START, None)
    assert await catalogue.release("rel-1") == status
    assert await catalogue.release("nobody") is None


async def test_the_same_release_id_with_other_content_is_refused(db: Database) -> None:
    release = await registered(db, "rel-1")
    with pytest.raises(ValueError, match="'rel-1' is registered with other content"):
        await SqlCatalogue(db).put_release(release.model_copy(update={"owner": "local|other"}), LATER)
    assert (await SqlCatalogue(db).releases())[0].release == release


async def test_a_release_needs_a_playbook_that_is_stored(db: Database) -> None:
    with pytest.raises(KeyError, match="store it first"):
        await SqlCatalogue(db).put_release(cases.release(), START)
    assert await SqlCatalogue(db).releases() == []


async def test_closing_keeps_the_first_time_and_reason(db: Database) -> None:
    catalogue = SqlCatalogue(db)
    await registered(db, "rel-1")
    await registered(db, "rel-2")
    await catalogue.close_release("rel-1", LATER, "reverted")
    await catalogue.close_release("rel-1", LATER + timedelta(hours=1), "again")
    first, second = await catalogue.releases()
    assert (first.closed_at, first.closed_why) == (LATER, "reverted")
    assert (second.closed_at, second.closed_why) == (None, None)
    with pytest.raises(KeyError, match="'nobody' is not registered"):
        await catalogue.close_release("nobody", LATER, "why")

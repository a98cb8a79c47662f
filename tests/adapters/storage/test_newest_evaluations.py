"""The newest judged row of each release: what the overview and the live updates look at all the time."""

from __future__ import annotations

from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.signals import SqlSignals
from tests.adapters.storage.releases import START, registered


async def test_each_release_has_its_own_newest_row(db: Database) -> None:
    signals = SqlSignals(db)
    for release_id, judged in (("rel-1", 3), ("rel-2", 7), ("rel-3", 0)):
        await registered(db, release_id)
        await signals.put_evaluations(release_id, {seq: {"word": f"{release_id}/{seq}"} for seq in range(judged)})
    assert await signals.newest_evaluations() == {
        "rel-1": (2, {"word": "rel-1/2"}),
        "rel-2": (6, {"word": "rel-2/6"}),
    }


async def test_closed_releases_are_left_out_unless_asked_for_by_name(db: Database) -> None:
    signals = SqlSignals(db)
    await registered(db, "rel-1")
    await signals.put_evaluations("rel-1", {0: {"word": "ok"}})
    await SqlCatalogue(db).close_release("rel-1", START, "reverted")
    assert await signals.newest_evaluations() == {}
    assert await signals.newest_evaluations(["rel-1", "unknown"]) == {"rel-1": (0, {"word": "ok"})}

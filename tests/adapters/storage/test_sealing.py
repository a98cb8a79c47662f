"""Sealed blocks: every output before the boundary is counted once, every one after it is late, no block is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from activities.signal_ports import Batch
from adapters.database import Database
from adapters.intake import microseconds
from adapters.signals import SqlSignals
from countermand.canonical import digest_bytes
from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.plan.model import Release
from tests.adapters.storage.releases import BLOCK, SIGNALS, START, anywhere, batch, output, signals
from tests.adapters.storage.stores import Store

FAR = START + timedelta(days=1)


async def seal(db: Database, until_block: float, **changes: object) -> list[Row]:
    arguments = {"signals": signals(), "start": START, "block": BLOCK, "until": START + until_block * BLOCK}
    return await SqlSignals(db).seal("rel-1", **(arguments | changes))  # type: ignore[arg-type]


async def add(db: Database, delivered: Batch) -> None:
    await SqlSignals(db).add("judge", delivered, FAR, may=anywhere)


def block_of(row: Row, signal: str, arm: Arm) -> Block:
    return next(block for block in row.blocks if (block.signal, block.arm) == (signal, arm))


async def test_rows_count_served_scored_and_bad_per_signal_and_arm(db: Database, release: Release) -> None:
    in_second = START + BLOCK
    await add(
        db,
        batch(
            "b",
            output(1),
            output(2, outcome="bad"),
            output(3, outcome=None),
            output(4, arm="baseline", outcome=None),
            output(5, event_time=in_second - timedelta(microseconds=1)),
            output(6, event_time=in_second, outcome="bad"),
            output(7, event_time=in_second, signal="refusals", arm="baseline"),
        ),
    )
    first, second = await seal(db, 2)
    assert (first.seq, first.start, first.block) == (0, START, BLOCK)
    assert (second.seq, second.start) == (1, in_second)
    assert block_of(first, "failures", Arm.candidate) == Block(
        signal="failures", arm=Arm.candidate, state=BlockState.ok, served=4, scored=3, bad=1, source="judge"
    )
    assert block_of(first, "failures", Arm.baseline) == Block(
        signal="failures",
        arm=Arm.baseline,
        state=BlockState.unknown,
        reason="empty",
        served=1,
        scored=0,
        bad=0,
        source="judge",
    )
    assert block_of(first, "refusals", Arm.candidate).reason == "no_traffic"
    assert block_of(second, "failures", Arm.candidate).bad == 1
    assert block_of(second, "refusals", Arm.baseline).served == 1
    for row in (first, second):
        assert len(row.blocks) == len(SIGNALS) * len(Arm)


async def test_blocks_without_any_output_are_sealed_as_unknown(db: Database, release: Release) -> None:
    rows = await seal(db, 3)
    assert [row.seq for row in rows] == [0, 1, 2]
    assert {block.reason for row in rows for block in row.blocks} == {"no_traffic"}
    assert {block.state for row in rows for block in row.blocks} == {BlockState.unknown}


async def test_only_whole_blocks_are_sealed_and_each_once(db: Database, release: Release) -> None:
    assert await seal(db, 0.99) == []
    assert [row.seq for row in await seal(db, 1)] == [0]
    assert await seal(db, 1) == []
    assert await seal(db, 0.5) == []
    assert [row.seq for row in await seal(db, 3.5)] == [1, 2]
    assert [row.seq for row in await SqlSignals(db).rows("rel-1")] == [0, 1, 2]


async def test_rows_read_back_are_the_rows_that_were_sealed(db: Database, release: Release) -> None:
    store = SqlSignals(db)
    await add(db, batch("b", output(1, outcome="bad")))
    sealed = await seal(db, 3)
    assert await store.rows("rel-1") == sealed
    assert await store.rows("rel-1", after_seq=0, limit=1) == [sealed[1]]
    assert await store.rows("nobody") == []


async def test_what_is_stored_hashes_to_the_digest_of_the_row(db: Database, release: Release, store: Store) -> None:
    (row,) = await seal(db, 1, start=START + timedelta(microseconds=1), until=START + 2 * BLOCK)
    with store.raw() as connection:
        ((line, digest),) = connection.execute('SELECT "row", digest FROM signal_block').fetchall()
    assert digest_bytes(line.encode()) == digest == row.digest


async def test_a_row_that_was_changed_afterwards_is_not_returned(
    db: Database, sealed_release: str, store: Store
) -> None:
    name = "signal_block_no_update" if store.dialect == "sqlite" else "signal_block_append_only"
    with store.raw(store.owner_url) as connection:
        connection.execute(f"DROP TRIGGER {name}" + ("" if store.dialect == "sqlite" else " ON signal_block"))
        connection.execute("""UPDATE signal_block SET "row" = replace("row", '"bad":0', '"bad":1')""")
    with pytest.raises(ValueError, match="sealed row 0 of release 'rel-1'"):
        await SqlSignals(db).rows("rel-1")


@pytest.mark.parametrize("changes", [{"start": START + timedelta(seconds=1)}, {"block": BLOCK / 2}])
async def test_another_grid_than_the_first_is_refused(
    db: Database, sealed_release: str, changes: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="another grid"):
        await seal(db, 10, **changes)


async def test_an_unknown_release_is_not_sealed(db: Database) -> None:
    with pytest.raises(KeyError, match="'rel-1' is not registered"):
        await seal(db, 1)


async def test_two_workers_that_seal_at_once_seal_each_block_once(db: Database, release: Release, store: Store) -> None:
    other = Database(store.url)
    both = await asyncio.gather(*[seal(database, 5) for database in (db, other) for _ in range(5)])
    await other.close()
    assert sorted(row.seq for rows in both for row in rows) == [0, 1, 2, 3, 4]
    assert [row.seq for row in await SqlSignals(db).rows("rel-1")] == [0, 1, 2, 3, 4]


async def test_sealing_waits_for_a_batch_under_way_and_counts_it(db: Database, release: Release, store: Store) -> None:
    with store.raw() as connection:
        if store.dialect == "sqlite":
            connection.execute("BEGIN IMMEDIATE")
        else:
            connection.execute("BEGIN")
            connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('rel-1', 0))")
        sealing = asyncio.create_task(seal(db, 1))
        await asyncio.sleep(0.2)
        assert not sealing.done()
        connection.execute(
            "INSERT INTO observation"
            " (source_id, observation_id, batch_id, release_id, signal, arm, event_us, value, late)"
            f" VALUES ('judge', 'slow', 'b', 'rel-1', 'failures', 'candidate', {microseconds(START)}, 1, false)"
        )
        connection.execute("COMMIT")
        (row,) = await sealing
    assert block_of(row, "failures", Arm.candidate).bad == 1


async def test_under_load_every_output_is_counted_in_its_block_or_marked_late(
    db: Database, release: Release, store: Store
) -> None:
    """Two consoles take batches around a boundary that two workers keep moving."""
    block = timedelta(milliseconds=10)
    loop = asyncio.get_running_loop()
    began = loop.time()
    other = Database(store.url)
    batches = 60

    def now() -> timedelta:
        return timedelta(seconds=loop.time() - began)

    async def push(database: Database, console: int) -> None:
        for number in range(batches):
            items = [
                output(observation_id=f"{console}/{number}/{n}", event_time=START + now() - n * block / 4)
                for n in range(10)
            ]
            await add(database, batch(f"{console}/{number}", *items))

    async def watch(database: Database, pushing: asyncio.Future[list[None]]) -> None:
        while not pushing.done():
            await seal(database, 0, block=block, until=START + now() - block)
            await asyncio.sleep(0.002)

    pushing = asyncio.gather(*[push(database, number) for number, database in enumerate((db, other))])
    await asyncio.gather(pushing, watch(db, pushing), watch(other, pushing))
    await seal(db, 0, block=block, until=START + now() + 2 * block)
    await other.close()
    rows = [row for row in await SqlSignals(db).rows("rel-1") if row.late_of is None]
    assert [row.seq for row in rows] == list(range(len(rows)))
    with store.raw() as connection:
        found = connection.execute("SELECT event_us, late FROM observation").fetchall()
    counted: dict[int, int] = {}
    for event_us, late in found:
        if not late and event_us >= microseconds(START):
            seq = (event_us - microseconds(START)) // 10_000
            counted[seq] = counted.get(seq, 0) + 1
    assert len(found) == 2 * batches * 10
    assert any(late for _, late in found), "nothing was late, so this proved nothing"
    assert {row.seq: served for row in rows if (served := block_of(row, "failures", Arm.candidate).served)} == counted


async def test_evaluations_are_kept_once_and_read_in_order(db: Database, sealed_release: str) -> None:
    store = SqlSignals(db)
    await store.put_evaluations("rel-1", {})
    await store.put_evaluations("rel-1", {1: {"word": "ok"}, 0: {"word": "unknown"}})
    await store.put_evaluations("rel-1", {1: {"word": "changed"}, 2: {"word": "watch"}})
    assert await store.evaluations("rel-1") == [
        (0, {"word": "unknown"}),
        (1, {"word": "ok"}),
        (2, {"word": "watch"}),
    ]
    assert await store.evaluations("rel-1", after_seq=0, limit=1) == [(1, {"word": "ok"})]


async def test_a_whole_watch_of_evaluations_fits_into_one_call(db: Database, sealed_release: str) -> None:
    await SqlSignals(db).put_evaluations("rel-1", {seq: {"word": "ok"} for seq in range(20_000)})
    assert len(await SqlSignals(db).evaluations("rel-1")) == 20_000

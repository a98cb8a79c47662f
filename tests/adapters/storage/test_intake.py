"""Batches of labelled outputs: stored whole or not at all, each output once, every refusal said."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from activities.signal_ports import BatchAnswer, BatchConflict, LabelledOutput
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.signals import SqlSignals
from countermand.plan.model import Release
from tests.adapters.storage.releases import BLOCK, START, anywhere, batch, output, registered
from tests.adapters.storage.stores import Store

NOW = START + timedelta(minutes=1)


async def add(db: Database, batch_id: str, *items: LabelledOutput, **changes: Any) -> BatchAnswer:
    body = {"body_sha256": changes.pop("body_sha256", batch_id)}
    arguments = {"source_id": "judge", "now": NOW, "may": anywhere} | changes
    return await SqlSignals(db).add(batch=batch(batch_id, *items, **body), **arguments)


def outputs(store: Store) -> list[tuple[Any, ...]]:
    with store.raw() as connection:
        found = connection.execute(
            "SELECT source_id, observation_id, release_id, signal, arm, value, late FROM observation"
            " ORDER BY source_id, observation_id"
        )
        return [(*row[:6], bool(row[6])) for row in found.fetchall()]


async def test_a_batch_is_stored_and_answered(db: Database, store: Store, release: Release) -> None:
    answer = await add(
        db, "b", output(1), output(2, outcome="bad", arm="baseline"), output(3, outcome=None, signal="refusals")
    )
    assert answer == BatchAnswer(batch_id="b", accepted=3, duplicates=0, late=0, rejected=())
    assert outputs(store) == [
        ("judge", "o-1", "rel-1", "failures", "candidate", 0, False),
        ("judge", "o-2", "rel-1", "failures", "baseline", 1, False),
        ("judge", "o-3", "rel-1", "refusals", "candidate", None, False),
    ]


async def test_the_same_batch_again_gets_the_first_answer_and_stores_nothing(
    db: Database, store: Store, release: Release
) -> None:
    first = await add(db, "b", output(1), output(2, release_id="nobody"))
    again = await add(db, "b", output(1), output(2, release_id="nobody"), now=NOW + timedelta(days=1))
    assert again == first
    assert first.accepted == 1
    assert len(outputs(store)) == 1


async def test_the_same_batch_id_with_another_body_is_a_conflict(db: Database, store: Store, release: Release) -> None:
    await add(db, "b", output(1))
    with pytest.raises(BatchConflict, match="'b' of source 'judge'"):
        await add(db, "b", output(2), body_sha256="other")
    assert len(outputs(store)) == 1


async def test_two_sources_may_use_the_same_ids(db: Database, store: Store, release: Release) -> None:
    await add(db, "b", output(1))
    assert (await add(db, "b", output(1, signal="complaints"), source_id="people")).accepted == 1
    assert len(outputs(store)) == 2


async def test_the_same_batch_from_many_tasks_at_once_is_stored_once(
    db: Database, store: Store, release: Release
) -> None:
    items = [output(number) for number in range(50)]
    answers = await asyncio.gather(*[add(db, "b", *items) for _ in range(10)])
    assert {answer.accepted for answer in answers} == {50}
    assert len(outputs(store)) == 50


async def test_batches_with_outputs_in_common_store_each_once(db: Database, store: Store, release: Release) -> None:
    items = [output(number) for number in range(200)]
    answers = await asyncio.gather(
        *[add(db, str(number), *(items if number % 2 else reversed(items))) for number in range(10)]
    )
    assert sum(answer.accepted for answer in answers) == 200
    assert sum(answer.duplicates for answer in answers) == 1800
    assert len(outputs(store)) == 200


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
async def test_batches_with_the_same_outputs_in_opposite_order_do_not_deadlock(
    db: Database, store: Store, release: Release
) -> None:
    """Another transaction holds the middle output until both batches have begun from their ends."""
    items = [output(number) for number in range(100)]
    with store.raw() as connection:
        connection.execute("BEGIN")
        connection.execute(
            "INSERT INTO observation (source_id, observation_id, batch_id, release_id, signal, arm, event_us, late)"
            " VALUES ('judge', 'o-50', 'x', 'rel-1', 'failures', 'candidate', 0, false)"
        )
        both = asyncio.gather(add(db, "up", *items), add(db, "down", *reversed(items)))
        await asyncio.sleep(0.3)
        connection.execute("ROLLBACK")
        answers = await both
    assert sum(answer.accepted for answer in answers) == 100


async def test_repeated_outputs_count_once_and_changed_ones_are_rejected(
    db: Database, store: Store, release: Release
) -> None:
    await add(db, "first", output(1), output(2), output(3))
    answer = await add(
        db,
        "second",
        output(1),
        output(2, outcome="bad"),
        output(3, event_time=START),
        output(4),
        output(4),
        output(4, arm="baseline"),
    )
    assert (answer.accepted, answer.duplicates) == (1, 2)
    assert [(item.index, item.code) for item in answer.rejected] == [
        (1, "duplicate_id_other_value"),
        (2, "duplicate_id_other_value"),
        (5, "duplicate_id_other_value"),
    ]
    assert [row[1] for row in outputs(store)] == ["o-1", "o-2", "o-3", "o-4"]
    assert {row[5] for row in outputs(store)} == {0}


async def test_each_refused_item_says_why_and_the_others_are_stored(
    db: Database, store: Store, release: Release
) -> None:
    await registered(db, "rel-closed")
    await SqlCatalogue(db).close_release("rel-closed", NOW, "done")
    ahead = NOW + timedelta(minutes=2)
    answer = await add(
        db,
        "b",
        output(0, release_id="nobody"),
        output(1, signal="latency"),
        output(2, event_time=ahead + timedelta(microseconds=1)),
        output(3, event_time=ahead),
        output(4, release_id="rel-closed"),
        output(5),
    )
    assert [(item.index, item.code) for item in answer.rejected] == [
        (0, "unknown_release"),
        (1, "unknown_signal"),
        (2, "future"),
        (4, "release_closed"),
    ]
    assert "'latency' is not in the playbook of release 'rel-1', which defines complaints, failures, refusals" in (
        answer.rejected[1].detail
    )
    assert answer.accepted == 2
    assert [row[1] for row in outputs(store)] == ["o-3", "o-5"]


async def test_outputs_of_several_releases_fit_into_one_batch(db: Database, store: Store, release: Release) -> None:
    await registered(db, "rel-2")
    answer = await add(db, "b", output(1), output(2, release_id="rel-2"))
    assert answer.accepted == 2


async def test_an_empty_batch_is_answered(db: Database) -> None:
    assert (await add(db, "b")).accepted == 0


async def test_outputs_of_a_sealed_block_are_kept_marked_and_counted_as_late(
    db: Database, store: Store, sealed_release: str
) -> None:
    answer = await add(db, "b", output(1), output(2, event_time=START + BLOCK), output(3, event_time=START - BLOCK))
    assert (answer.accepted, answer.late) == (3, 2)
    assert {row[1]: row[6] for row in outputs(store)} == {"o-1": True, "o-2": False, "o-3": True}
    again = await add(db, "c", output(1), output(4))
    assert (again.accepted, again.duplicates, again.late) == (1, 1, 1)


async def test_a_batch_that_fails_half_way_leaves_nothing(db: Database, store: Store, release: Release) -> None:
    with store.raw(store.owner_url) as connection:
        if store.dialect == "sqlite":
            connection.execute(
                "CREATE TRIGGER full_disk BEFORE INSERT ON signal_batch BEGIN SELECT RAISE(ABORT, 'full'); END"
            )
        else:
            connection.execute("ALTER TABLE signal_batch ADD CONSTRAINT full_disk CHECK (answer IS NULL) NOT VALID")
    with pytest.raises(Exception, match="full"):
        await add(db, "b", output(1))
    assert outputs(store) == []
    with store.raw(store.owner_url) as connection:
        if store.dialect == "sqlite":
            connection.execute("DROP TRIGGER full_disk")
        else:
            connection.execute("ALTER TABLE signal_batch DROP CONSTRAINT full_disk")
    assert (await add(db, "b", output(1))).accepted == 1


@pytest.mark.parametrize("bad_id", ["", "a\x00b", "line\nbreak", "x" * 201])
def test_ids_that_a_database_cannot_keep_are_refused_at_the_edge(bad_id: str) -> None:
    with pytest.raises(ValidationError):
        output(observation_id=bad_id)


async def test_repetitions_are_found_in_batches_larger_than_one_statement(
    db: Database, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.delivery._IDS_AT_ONCE", 2)
    await add(db, "first", *[output(n) for n in range(4)])
    answer = await add(db, "second", output(0, outcome="bad"), *[output(n) for n in range(1, 6)])
    assert (answer.accepted, answer.duplicates) == (2, 3)
    assert [refused.code for refused in answer.rejected] == ["duplicate_id_other_value"]

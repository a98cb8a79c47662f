"""One output is found among a million, by an index and nothing else (R70)."""

from __future__ import annotations

from sqlalchemy import text

from adapters.database import Database, run_sql
from adapters.outputs import LOOKUP, SqlOutputs
from adapters.signals import SqlSignals
from countermand.detection.blocks import Arm
from tests.adapters.storage.releases import START, anywhere, batch, output, registered
from tests.adapters.storage.stores import Store

_COLUMNS = "source_id, observation_id, batch_id, release_id, signal, arm, event_us, value, segments, late"
_ROW = (
    "'source-' || (n % 5), 'answer-' || n || '/failures', 'b', 'rel-1', 'failures', 'candidate', n, n % 2, NULL, {no}"
)


async def fill(store: Store, rows: int) -> None:
    if store.dialect == "sqlite":
        numbers = f"WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {rows - 1}) SELECT "
        insert = f"INSERT INTO observation ({_COLUMNS}) {numbers} {_ROW.format(no=0)} FROM c"
    else:
        row = _ROW.format(no="false")
        insert = f"INSERT INTO observation ({_COLUMNS}) SELECT {row} FROM generate_series(0, {rows - 1}) n"
    with store.raw() as connection:
        connection.execute(insert)
        connection.execute("ANALYZE observation")


async def test_the_labels_of_an_output_are_found_whatever_its_source_calls_them(db: Database) -> None:
    await registered(db, "rel-1")
    signals = SqlSignals(db)
    named = ["answer-1/failures", "answer-1-refusals", "answer-1", "answer-11/failures", "answer-1/failures/2"]
    items = [
        output(number, observation_id=name, signal="refusals" if "refusals" in name else "failures")
        for number, name in enumerate(named)
    ]
    await signals.add("judge", batch("b-1", *items), START, may=anywhere)
    people = output(9, observation_id="answer-1", signal="complaints", arm="baseline", outcome="bad")
    await signals.add("people", batch("b-2", people), START, may=anywhere)
    found = await SqlOutputs(db).labels("answer-1")
    assert [(one.source, one.observation_id, one.signal, one.arm, one.value) for one in found] == [
        ("judge", "answer-1/failures", "failures", Arm.candidate, 0),
        ("judge", "answer-1-refusals", "refusals", Arm.candidate, 0),
        ("judge", "answer-1", "failures", Arm.candidate, 0),
        ("people", "answer-1", "complaints", Arm.baseline, 1),
    ]
    assert found[0].at == START


async def test_an_output_nobody_labelled_and_an_empty_store_are_answered_with_nothing(db: Database) -> None:
    assert await SqlOutputs(db).labels("answer-1") == []
    await registered(db, "rel-1")
    await SqlSignals(db).add("judge", batch("b-1", output()), START, may=anywhere)
    assert await SqlOutputs(db).labels("answer-1") == []


async def test_an_id_is_a_value_and_never_a_pattern_or_a_statement(db: Database) -> None:
    await registered(db, "rel-1")
    await SqlSignals(db).add("judge", batch("b-1", output()), START, may=anywhere)
    for hostile in ("o-%", "o-_", "' OR 1=1 --", "o-0') OR ('1'='1", "*"):
        assert await SqlOutputs(db).labels(hostile) == []


async def test_one_output_among_a_million_is_an_index_lookup(db: Database, store: Store) -> None:
    await registered(db, "rel-1")
    await fill(store, 1_000_000)
    (found,) = await SqlOutputs(db).labels("answer-777777")
    assert (found.source, found.observation_id, found.value) == ("source-2", "answer-777777/failures", 1)
    explain = "EXPLAIN QUERY PLAN " if store.dialect == "sqlite" else "EXPLAIN "
    async with db.reading() as session:
        asked = explain + LOOKUP.replace(":ids", "('answer-777777', 'answer-777777/failures')")
        plan = [str(row[-1]) for row in await run_sql(session, text(asked))]
    of_outputs = [line for line in plan if "observation" in line or " o " in f"{line} "]
    assert of_outputs
    assert not [line for line in of_outputs if "Seq Scan" in line or line.strip().startswith("SCAN o")], plan
    if store.dialect == "sqlite":
        assert [line for line in plan if "SEARCH o " in line and "source_id=? AND observation_id=?" in line], plan

"""A whole purge run over the real tables, batch by batch, and a process killed in the middle (OBL-31, OBL-32)."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from sqlmodel import func, select

from adapters import retention, sample_purge
from adapters.database import Database
from adapters.obligation_files import FileDuties
from adapters.retention_run import SqlRetentionRun
from adapters.sample_purge import SqlSamplePurge
from adapters.tables import CountedTable, ObservationTable, ReleaseTable, VaultItemTable
from countermand.ledger.bodies import PurgeCertificate, parse_body
from countermand.ledger.record import Kind
from countermand.plan.model import Release
from tests.adapters.storage.releases import START
from tests.adapters.storage.stores import Store
from tests.adapters.storage.test_every_reason import RUN, hold
from tests.adapters.storage.test_vault import concern
from tests.adapters.storage.test_vault import store as ledger_of
from tests.fakes import FakeDuties

LATE = datetime(2040, 1, 1, tzinfo=UTC)
AT_US = int(START.timestamp() * 1_000_000)


async def samples(db: Database, count: int, *, sealed: int) -> None:
    """Samples one second apart, of which the first `sealed` stand in sealed blocks."""
    async with db.writing() as session:
        watched = await session.get(ReleaseTable, "rel-1")
        assert watched is not None
        watched.sealed_until_us = AT_US + sealed * 1_000_000
        session.add(watched)
        session.add_all(
            ObservationTable(
                source_id="app", observation_id=f"o-{number}", batch_id="b", release_id="rel-1", signal="failures",
                arm="candidate", event_us=AT_US + number * 1_000_000, value=1, late=False,
            )
            for number in range(count)
        )  # fmt: skip


async def left(db: Database) -> tuple[int, int]:
    """(samples, texts)."""
    async with db.reading() as session:
        return (
            (await session.exec(select(func.count()).select_from(ObservationTable))).one(),
            (await session.exec(select(func.count()).select_from(VaultItemTable))).one(),
        )


async def certificates(db: Database) -> list[PurgeCertificate]:
    records = await ledger_of(db).records(kinds=[Kind.purge_certificate])
    return [body for body in map(parse_body, records) if isinstance(body, PurgeCertificate)]


async def test_obl_31_samples_go_batch_by_batch_and_those_of_open_blocks_stay(
    db: Database, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_purge, "BATCH", 3)
    await samples(db, 7, sealed=5)
    purge = SqlSamplePurge(db, ledger_of(db), clock=lambda: LATE)
    assert [await purge.purge_release(RUN, "rel-1") for _ in range(3)] == [(3, 0), (2, 0), (0, 0)]
    assert (await left(db))[0] == 2
    found = await certificates(db)
    assert [(one.what, one.count, one.class_id) for one in found] == [
        ("samples", 3, "evidence_samples"),
        ("samples", 2, "evidence_samples"),
    ]
    assert (found[0].first, found[-1].until) == (START, datetime.fromtimestamp(AT_US / 1e6 + 4, UTC))
    early = SqlSamplePurge(db, ledger_of(db), clock=lambda: START)
    assert await early.purge_release(RUN, "rel-1") == (0, 0)


async def test_obl_31_sums_go_after_the_months_of_their_class(db: Database, release: Release) -> None:
    await samples(db, 0, sealed=5)
    async with db.writing() as session:
        session.add(
            CountedTable(
                source_id="app", release_id="rel-1", signal="failures", arm="candidate", segment="", start_us=AT_US,
                block={}, late=False,
            )
        )  # fmt: skip
    for days, deleted in ((365, 0), (400, 1)):
        purge = SqlSamplePurge(db, ledger_of(db), clock=lambda days=days: START + timedelta(days=days))  # type: ignore[misc]
        assert await purge.purge_release(RUN, "rel-1") == (deleted, 0)


async def whole_run(run: SqlRetentionRun) -> list[int]:
    deleted, at = [], ""
    for _ in range(50):
        done = await run.batch("run-1", "schedule", at)
        deleted.append(done.deleted)
        if done.next is None:
            return deleted
        at = done.next
    raise AssertionError(f"the run does not end: {deleted}")


async def test_obl_32_a_run_takes_texts_and_samples_until_nothing_is_due(
    db: Database, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_purge, "BATCH", 2)
    monkeypatch.setattr(retention, "BATCH", 2)
    await samples(db, 3, sealed=3)
    await ledger_of(db).append(*[concern(number, f"thing {number}") for number in range(5)])
    run = SqlRetentionRun(db, ledger_of(db), FakeDuties(), clock=lambda: LATE)
    assert sum(await whole_run(run)) == 8
    assert await left(db) == (0, 0)
    assert sum(one.count for one in await certificates(db)) == 8
    assert sum(await whole_run(run)) == 0


async def test_obl_29_a_run_ends_and_counts_what_a_hold_keeps(
    db: Database, release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    await samples(db, 3, sealed=3)
    await ledger_of(db).append(*[concern(number, f"thing {number}") for number in range(5)], hold(releases=("rel-1",)))
    run = SqlRetentionRun(db, ledger_of(db), FakeDuties(), clock=lambda: LATE)
    assert sum(await whole_run(run)) == 0
    assert await left(db) == (3, 7), "the words of the hold say no release, so they count as covered"


async def test_obl_28_nothing_is_deleted_while_a_file_shortens_a_period(
    db: Database, release: Release, tmp_path: Path
) -> None:
    shipped = files("countermand.obligations").joinpath("obligations.yaml").read_text("utf-8")
    rows = tmp_path / "obligations.yaml"
    rows.write_text(shipped.replace("id: evidence_samples, keep: {days: 90}", "id: evidence_samples, keep: {days: 9}"))
    await samples(db, 3, sealed=3)
    run = SqlRetentionRun(db, ledger_of(db), FileDuties(rows, tmp_path / "none.yaml"), clock=lambda: LATE)
    with pytest.raises(ValueError, match="at least 90 days is accepted"):
        await whole_run(run)
    assert (await left(db))[0] == 3
    rows.write_text(shipped.replace("evidence_samples, keep: {days: 90}", "evidence_samples, keep: {years: 30}"))
    assert sum(await whole_run(run)) == 0, "a longer period counts at once"


async def test_obl_32_a_process_that_is_killed_before_its_commit_leaves_neither_deletion_nor_certificate(
    db: Database, store: Store, release: Release
) -> None:
    await samples(db, 3, sealed=3)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.adapters.storage.killed_purge", store.url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"deleted and certified, not committed\n"
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert process.returncode == -signal.SIGKILL
    assert (await left(db))[0] == 3
    assert await certificates(db) == []
    run = SqlRetentionRun(db, ledger_of(db), FakeDuties(), clock=lambda: LATE)
    async with asyncio.timeout(30):
        assert sum(await whole_run(run)) == 3
    assert len(await certificates(db)) == 1

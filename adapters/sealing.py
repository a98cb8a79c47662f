"""Sealing: what sources delivered becomes immutable rows, and late samples rows of their own (SRC-2, SRC-3, DET-17)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from adapters.database import run_sql
from adapters.intake import microseconds
from adapters.tables import CountedTable, EventTable, LateTable, ReleaseTable, SealedTable
from countermand.canonical import canonical, instant
from countermand.detection.blocks import Arm, Block, Context, Row
from countermand.detection.sealing import LATE_HORIZON, blocks_of
from countermand.plan.model import Release
from countermand.playbook.signals import SignalSpec

_OUTPUTS = (
    "SELECT (event_us - :start_us) / :block_us, signal, arm, segments, value, count(*) "
    "FROM observation WHERE release_id = :release_id AND event_us >= :from_us AND event_us < :until_us {late}"
    "GROUP BY 1, 2, 3, 4, 5"
)
_Output = tuple[str, str, str | None, int | None, int]


@dataclass(frozen=True)
class Grid:
    """Where the blocks of a release lie, in microseconds since 1970."""

    start: datetime
    block: timedelta
    start_us: int
    block_us: int

    @classmethod
    def of(cls, start: datetime, block: timedelta) -> Grid:
        return cls(start, block, microseconds(start), microseconds(start + block) - microseconds(start))

    def at(self, seq: int) -> int:
        """Where block `seq` begins."""
        return self.start_us + seq * self.block_us


async def seal_due(
    session: AsyncSession, release: ReleaseTable, signals: Mapping[str, SignalSpec], grid: Grid, until: datetime
) -> list[Row]:
    """Seal what is due; the caller holds the release for itself. Rows come in the order in which they are judged.

    Raises ValueError when the release was sealed on another grid before.
    """
    newest = await session.exec(select(func.max(SealedTable.seq)).where(SealedTable.release_id == release.release_id))
    first = 0 if (seq := newest.one()) is None else seq + 1
    if release.sealed_until_us not in (None, grid.at(first)):
        raise ValueError(
            f"release {release.release_id!r} is sealed on another grid than start {grid.start} and block "
            f"{grid.block}; both are fixed by the first sealing"
        )
    end = (microseconds(until) - grid.start_us) // grid.block_us
    if end <= first:
        return []
    delivered = await _delivered(session, release.release_id, grid, range(first, end), late=False)
    contexts = await _contexts(session, release, grid, range(first, end))
    rows = [_row(seq, grid, signals, delivered[seq], contexts[seq]) for seq in range(first, end)]
    late = await _late_rows(session, release, signals, grid, range(first, end))
    session.add_all(_sealed(release.release_id, row) for row in rows)
    session.add_all(
        LateTable(release_id=release.release_id, seq=row.seq, closed_after=after, **_line(row)) for after, row in late
    )
    release.sealed_until_us = grid.at(end)
    return in_order(rows, late)


def in_order(rows: Iterable[Row], late: Iterable[tuple[int, Row]]) -> list[Row]:
    """Each late row behind the row after which it was closed."""
    return [row for _, _, row in sorted([(row.seq, -1, row) for row in rows] + [(a, row.seq, row) for a, row in late],
                                        key=lambda one: one[:2])]  # fmt: skip


async def _late_rows(
    session: AsyncSession, release: ReleaseTable, signals: Mapping[str, SignalSpec], grid: Grid, sealed: range
) -> list[tuple[int, Row]]:
    """(row after which it closes, late row) of the blocks whose time for late samples ends with these rows."""
    closing = range(max(sealed.start - LATE_HORIZON, 0), max(sealed.stop - LATE_HORIZON, 0))
    if not closing:
        return []
    delivered = await _delivered(session, release.release_id, grid, closing, late=True)
    contexts = await _contexts(session, release, grid, closing)
    return [
        (seq + LATE_HORIZON, _row(seq, grid, signals, delivered[seq], contexts[seq], late=True))
        for seq in closing
        if any(delivered[seq])
    ]


async def _delivered(
    session: AsyncSession, release_id: str, grid: Grid, seqs: range, *, late: bool
) -> dict[int, tuple[list[_Output], list[Block]]]:
    """By `seq`: counted outputs, and blocks that sources counted themselves."""
    span = {"from_us": grid.at(seqs.start), "until_us": grid.at(seqs.stop)}
    found: dict[int, tuple[list[_Output], list[Block]]] = defaultdict(lambda: ([], []))
    statement = _OUTPUTS.format(late="AND late " if late else "")
    outputs = await run_sql(
        session, statement, release_id=release_id, start_us=grid.start_us, block_us=grid.block_us, **span
    )
    for seq, *output in outputs:
        found[seq][0].append(tuple(output))
    counted = select(CountedTable.start_us, CountedTable.block).where(
        CountedTable.release_id == release_id,
        col(CountedTable.start_us) >= span["from_us"],
        col(CountedTable.start_us) < span["until_us"],
    )
    if late:
        counted = counted.where(col(CountedTable.late))
    for start_us, block in await session.exec(counted):
        found[(start_us - grid.start_us) // grid.block_us][1].append(Block.model_validate(block))
    return found


async def _contexts(session: AsyncSession, release: ReleaseTable, grid: Grid, seqs: range) -> dict[int, Context]:
    """By `seq`: the bundles, and the external events that overlap the block."""
    about = Release.model_validate(release.release)
    bundles = {Arm.candidate: about.candidate.digest, Arm.baseline: about.baseline.digest}
    query = select(EventTable).where(
        col(EventTable.begins_us) < grid.at(seqs.stop),
        col(EventTable.ends_us) >= grid.at(seqs.start),
        or_(EventTable.release_id == release.release_id, col(EventTable.release_id).is_(None)),
    )
    events = (await session.exec(query.order_by(col(EventTable.begins_us), EventTable.event_id))).all()
    return {
        seq: Context(
            bundles=bundles,
            events=tuple(e.what for e in events if e.begins_us < grid.at(seq + 1) and e.ends_us >= grid.at(seq)),
        )
        for seq in seqs
    }


def _row(
    seq: int,
    grid: Grid,
    signals: Mapping[str, SignalSpec],
    delivered: tuple[list[_Output], list[Block]],
    context: Context,
    *,
    late: bool = False,
) -> Row:
    return Row(
        seq=seq,
        start=grid.start + seq * grid.block,
        block=grid.block,
        late_of=seq if late else None,
        blocks=blocks_of(signals, *delivered),
        context=context,
    )


def _line(row: Row) -> dict[str, Any]:
    line = canonical(row.model_dump(mode="json") | {"start": instant(row.start)})
    return {"row": line.decode(), "digest": row.digest}


def _sealed(release_id: str, row: Row) -> SealedTable:
    return SealedTable(release_id=release_id, seq=row.seq, start=row.start, **_line(row))

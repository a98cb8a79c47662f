"""Finding what was said about one output, among millions, by the ids that sources gave (R70)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, text
from sqlmodel import select

from adapters.database import Database, run_sql
from adapters.tables import ReleaseTable
from countermand.detection.blocks import Arm
from countermand.plan.target import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# The key begins with the source, and an index on the id alone would cost every intake. So: step from source to source
# along the key, and look the ids up in each.
LOOKUP = """WITH RECURSIVE sources(id) AS (
    SELECT min(source_id) FROM observation
    UNION ALL
    SELECT (SELECT min(source_id) FROM observation WHERE source_id > sources.id) FROM sources WHERE id IS NOT NULL
)
SELECT o.source_id, o.observation_id, o.release_id, o.signal, o.arm, o.event_us, o.value, o.segments, o.late
FROM sources CROSS JOIN observation o
WHERE o.source_id = sources.id AND o.observation_id IN :ids
ORDER BY o.event_us, o.source_id, o.observation_id"""


class KeptLabel(Value):
    """One label as it is kept. `value` is as `countermand.detection.sealing` keeps it; None: served, not labelled."""

    source: str
    observation_id: str
    release_id: str
    signal: str
    arm: Arm
    at: datetime
    value: int | None
    groups: tuple[str, ...]
    late: bool


class SqlOutputs:
    """Labels by the id of their output."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def labels(self, output_id: str) -> list[KeptLabel]:
        """Every label whose id is the output's, alone or followed by `/` or `-` and the name of a signal."""
        async with self._db.reading() as session:
            signals = {name for names in await session.exec(select(ReleaseTable.signals)) for name in names}
            statement = text(LOOKUP).bindparams(bindparam("ids", expanding=True))
            found = await run_sql(session, statement, ids=_ids(output_id, sorted(signals)))
            return [
                KeptLabel(
                    source=source,
                    observation_id=observation_id,
                    release_id=release_id,
                    signal=signal,
                    arm=Arm(arm),
                    at=_EPOCH + timedelta(microseconds=event_us),
                    value=value,
                    groups=tuple(segments.split(";")) if segments else (),
                    late=bool(late),
                )
                for source, observation_id, release_id, signal, arm, event_us, value, segments, late in found
            ]


def _ids(output_id: str, signals: Sequence[str]) -> list[str]:
    return [output_id, *(f"{output_id}{mark}{signal}" for mark in "/-" for signal in signals)]

"""Is this database as long as what places outside have seen of it? (STO-14)"""

from __future__ import annotations

import asyncio

from adapters.anchors import Anchor, AnchorFailed
from adapters.checkpoints import SqlCheckpoints
from adapters.ledger import SqlLedger
from countermand.ledger.note import Checkpoint

_SECONDS = 2.0


class OlderThanOutside(Exception):
    """Records that a place outside has seen are missing here: nothing may be appended to this database."""


async def missing_records(ledger: SqlLedger, checkpoints: SqlCheckpoints, anchors: tuple[Anchor, ...]) -> list[str]:
    """A sentence for each place that has seen more records than there are; places that do not answer say nothing."""
    newest = await checkpoints.newest()
    count = await ledger.head() + 1
    if newest is None:
        if not count:
            return []
        newest = Checkpoint(origin=await checkpoints.origin(), size=0, root="", note="")
    found = await asyncio.gather(*[_seen(anchor, newest) for anchor in anchors])
    return [
        f"The {anchor.kind} {anchor.place} has seen {seen} records, this database has {count}: records {count} to "
        f"{seen - 1} are missing. An old copy was restored, or the end was cut off."
        for anchor, seen in zip(anchors, found, strict=True)
        if seen > count
    ]


async def refuse_older(ledger: SqlLedger, checkpoints: SqlCheckpoints, anchors: tuple[Anchor, ...]) -> None:
    """At every start. Raises OlderThanOutside; then the process must not append."""
    if missing := await missing_records(ledger, checkpoints, anchors):
        raise OlderThanOutside(
            f"{' '.join(missing)} Restore the newest copy. If there is none, a person decides to go on without these "
            "records and says so by giving the anchors file new places (docs/ledger.md)."
        )


async def _seen(anchor: Anchor, newest: Checkpoint) -> int:
    try:
        async with asyncio.timeout(_SECONDS):
            return await anchor.seen(newest)
    except (AnchorFailed, TimeoutError):
        return 0

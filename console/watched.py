"""How the watch of a release stands now: a verdict counts only while blocks are being judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from activities.ports import ReleaseStatus
from console.deps import Console
from countermand.detection.blocks import Row
from countermand.messages.facts import in_words
from countermand.playbook.model import Detection

#: Blocks that may be missing, and the least time, before a silent watch is called unknown.
_BLOCKS_LATE = 3
_GRACE = timedelta(seconds=15)


@dataclass(frozen=True)
class Watched:
    """`word` is a verdict, `waiting`, `over` or `closed`; `judged_until` is the end of the last judged block."""

    status: ReleaseStatus
    word: str
    sentence: str
    judged_until: datetime | None


async def rows_in_time(deps: Console, release_id: str, *, after_seq: int = -1) -> list[Row]:
    """Sealed rows for drawing: one per block. Late samples have rows of their own and are not drawn again."""
    rows = await deps.signals.rows(release_id, after_seq=after_seq)
    return [row for row in rows if row.late_of is None]


def watched(status: ReleaseStatus, detection: Detection, newest: Mapping[str, Any] | None, now: datetime) -> Watched:
    """The present verdict. A watch that fell silent is `unknown`, whatever it said last (CON-16)."""
    until = datetime.fromisoformat(newest["start"]) + detection.block if newest else None
    if status.closed_at is not None:
        return Watched(status, "closed", status.closed_why or "The release was closed.", until)
    since = until or status.registered_at
    late = now - since - detection.lateness
    silent = late > max(_BLOCKS_LATE * detection.block, _GRACE)
    if silent and now >= status.registered_at + detection.watch:
        last = f" Its last verdict was {newest['word']}: {newest['sentence']}" if newest else ""
        return Watched(status, "over", f"The watch reached its declared length.{last}", until)
    if silent:
        last = f"its last verdict was {newest['word']}" if newest else "nothing has ever been judged"
        return Watched(
            status, "unknown", f"No block was judged for {in_words(now - since)}; {last}. Is the worker running?", until
        )
    if newest is None:
        return Watched(status, "waiting", "Waiting for the first block of labelled outputs.", None)
    return Watched(status, newest["word"], newest["sentence"], until)

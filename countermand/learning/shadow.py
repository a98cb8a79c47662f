"""What a proposed version would have said about releases that are watched by another one (LRN-11).

The rows are those that the live watches sealed. Nothing here acts, and no error budget is shared with a watch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from countermand.canonical import instant
from countermand.detection.blocks import Row
from countermand.detection.evaluator import Change, changes, fired
from countermand.detection.models import VerdictWord
from countermand.plan.target import Value
from countermand.playbook.model import Detection

#: A release counts as heard when this part of its watch was not blind; as much as of outputs that have to be scored.
_MOST_OF_IT = 0.8


class ShadowChange(Value):
    """The verdict changed at the end of a block. live_at: when the live watch fired, None if it did not."""

    release_id: str
    at: str
    word: str
    triggers: tuple[str, ...]
    live_at: str | None
    sentence: str


class ShadowOf(Value):
    """What was heard of one release since the shadow began.

    rows: judged; known: of those with a verdict other than `unknown`.

    whole: heard for the whole length of a watch, and known for most of it. A blind watch shows nothing.
    """

    changes: tuple[ShadowChange, ...]
    rows: int
    known: int
    whole: bool


def shadow(
    release_id: str,
    detection: Detection,
    rows: Iterable[Row],
    *,
    since: datetime,
    cut_at: datetime | None,
    live_at: datetime | None,
) -> ShadowOf:
    """Judge the rows from the first one on, as a watch by this version would have; say what changed after `since`.

    cut_at: the first effect on users; what was served later is not what would have been served. Raises ValueError for
    rows with blocks of another length.
    """
    known = list(_before(rows, cut_at))
    count = sum(row.late_of is None and row.start + row.block > since for row in known)
    live = instant(live_at) if live_at else None
    heard = list(changes(detection, known))
    seen = _known(heard, known[-1].start + 2 * detection.block, detection.block) if known else 0
    said = tuple(
        ShadowChange(
            release_id=release_id,
            at=instant(one.at),
            word=one.verdict.word.value,
            triggers=tuple(fired(one.verdict)),
            live_at=live,
            sentence=one.verdict.sentence,
        )
        for one in heard
        if one.at > since
    )
    whole = count >= detection.watch_blocks and seen >= _MOST_OF_IT * detection.watch_blocks
    return ShadowOf(changes=said, rows=count, known=seen, whole=whole)


def _known(heard: Sequence[Change], end: datetime, block: timedelta) -> int:
    """Blocks with a verdict that is not `unknown`. Each verdict lasts until the next; end: of the last one."""
    lasted = zip(heard, [*(one.at for one in heard[1:]), end], strict=True)
    return sum((until - one.at) // block for one, until in lasted if one.verdict.word is not VerdictWord.unknown)


def _before(rows: Iterable[Row], cut_at: datetime | None) -> Iterator[Row]:
    for row in rows:
        if row.late_of is None and cut_at is not None and row.start + row.block > cut_at:
            return
        yield row

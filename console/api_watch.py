"""The watch of a release over the API: its evidence in words as its page shows it, and the sealed rows behind it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from activities.ports import ReleaseStatus
from console import charts
from console.auth import api_person
from console.decide import Person
from console.deps import Console, console
from console.problems import Problem
from console.watched import rows_in_time, watched
from console.why import why
from countermand.canonical import instant

router = APIRouter(prefix="/api/v1")

#: Rows in one answer.
PER_PAGE = 500


@router.get("/releases/{release_id}/why")
async def why_(
    release_id: str, deps: Annotated[Console, Depends(console)], _: Annotated[Person, Depends(api_person)]
) -> dict[str, Any]:
    """`countermand.why/v1`: the whole record of the newest verdict, onset and sizes, and the certificate of health."""
    status = await _status(deps, release_id)
    detection = (await deps.catalogue.playbook(status.release.playbook_digest)).detection
    found = await why(deps, status, detection)
    if found is None:
        raise Problem(
            409, "nothing_judged", f"no block of release {release_id!r} was judged yet", "Wait for the first."
        )
    return found.json(release_id)


@router.get("/releases/{release_id}/watch")
async def watch(
    release_id: str, deps: Annotated[Console, Depends(console)], _: Annotated[Person, Depends(api_person)]
) -> dict[str, Any]:
    """`countermand.watch/v1`: the word now, each signal over the last blocks, each trigger's evidence."""
    status = await _status(deps, release_id)
    detection = (await deps.catalogue.playbook(status.release.playbook_digest)).detection
    seq, judged = (await deps.signals.newest_evaluations([release_id])).get(release_id, (-1, None))
    rows = await rows_in_time(deps, release_id, after_seq=max(seq - charts.MEAN_BLOCKS, -1)) if judged else []
    now = watched(status, detection, judged, deps.clock())
    triggers: dict[str, Any] = judged["triggers"] if judged else {}  # type: ignore[assignment]  # JSON as kept
    return {
        "schema": "countermand.watch/v1",
        "release_id": release_id,
        "word": now.word,
        "sentence": now.sentence,
        "judged_until": instant(now.judged_until) if now.judged_until else None,
        "last_word": judged["word"] if judged else None,
        "signals": {
            name: charts.signal_caption(name, spec, rows[-charts.MEAN_BLOCKS :])
            for name, spec in detection.signals.items()
        },
        "evidence": {
            name: {"word": found["word"], "sentence": charts.evidence_caption(name, found)}
            for name, found in triggers.items()
        },
    }


@router.get("/releases/{release_id}/rows")
async def rows(
    release_id: str,
    deps: Annotated[Console, Depends(console)],
    _: Annotated[Person, Depends(api_person)],
    begin: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    end: Annotated[AwareDatetime | None, Query(alias="to")] = None,
    after: int = -1,
) -> dict[str, Any]:
    """`countermand.rows/v1`: sealed rows in the order in which they were judged, and what was said of each then.

    Blocks that begin in [from, to), a page at a time: the next one is `after` = `next_after`, until there is none. A
    row of late samples follows the row after which it was closed.
    """
    status = await _status(deps, release_id)
    block = (await deps.catalogue.playbook(status.release.playbook_digest)).detection.block

    def seq_at(at: datetime) -> int:
        """The first block that begins at or after this instant."""
        return max(-((status.watched_from - at) // block), 0)

    after = max(after, -1 if begin is None else seq_at(begin) - 1)
    limit = PER_PAGE if end is None else min(seq_at(end) - 1 - after, PER_PAGE)
    found = await deps.signals.rows(release_id, after_seq=after, limit=limit) if limit > 0 else []
    judged = dict(await deps.signals.evaluations(release_id, after_seq=after, limit=limit)) if found else {}
    newest = max((row.seq for row in found if row.late_of is None), default=None)
    return {
        "schema": "countermand.rows/v1",
        "release_id": release_id,
        "items": [
            {"row": json.loads(row.model_dump_json()), "judged": judged.get(row.seq) if row.late_of is None else None}
            for row in found
        ],
        "next_after": newest,
    }


async def _status(deps: Console, release_id: str) -> ReleaseStatus:
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise Problem(404, "unknown_release", f"no release {release_id!r}", "List them: GET /api/v1/releases.")
    return status

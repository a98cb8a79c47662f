"""`GET /api/v1/releases/{id}/watch`: the evidence of a release in words, as its page shows it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from console import charts
from console.auth import api_person
from console.decide import Person
from console.deps import Console, console
from console.problems import Problem
from console.watched import rows_in_time, watched
from countermand.canonical import instant

router = APIRouter(prefix="/api/v1")


@router.get("/releases/{release_id}/watch")
async def watch(
    release_id: str, deps: Annotated[Console, Depends(console)], _: Annotated[Person, Depends(api_person)]
) -> dict[str, Any]:
    """`countermand.watch/v1`: the word now, each signal over the last blocks, each trigger's evidence."""
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise Problem(404, "unknown_release", f"no release {release_id!r}", "List them: GET /api/v1/releases.")
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

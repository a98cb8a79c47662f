"""`GET /api/v1/alerts`: alerts of other systems, whom they are about, and why some may never arrive."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends

from activities.ports import ReleaseStatus
from adapters.alertmanager import Unreadable, active_silences, labels_expected
from adapters.alerts import StoredAlert
from adapters.source_settings import AlertmanagerSettings, Matching
from console.auth import api_person
from console.decide import Person
from console.deps import Console, console
from countermand.canonical import instant
from countermand.playbook.model import Playbook

router = APIRouter()

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@router.get("/api/v1/alerts")
async def alerts(
    deps: Annotated[Console, Depends(console)],
    _: Annotated[Person, Depends(api_person)],
    state: Literal["firing", "resolved", "unmatched"] | None = None,
    release_id: str | None = None,
) -> dict[str, Any]:
    """`countermand.alerts/v1`: the newest 200 alerts, every source of alerts, and silences that swallow alerts.

    `state=unmatched`: alerts about no watched release, and payloads that no mapping fits.
    """
    found = await deps.alerts.listed(state=state, release_id=release_id)
    watched = [
        (status, await deps.catalogue.playbook(status.release.playbook_digest))
        for status in await deps.catalogue.releases()
        if status.closed_at is None and release_id in (None, status.release.release_id)
    ]
    sources = [(name, settings) for name, settings in sorted(deps.sources.items()) if isinstance(settings, Matching)]
    silenced = await asyncio.gather(*(_silences(name, settings, watched) for name, settings in sources))
    return {
        "schema": "countermand.alerts/v1",
        "items": [_shown(alert) for alert in found],
        "silences": [silence for silences, _ in silenced for silence in silences],
        "sources": [
            await _source(deps, name, settings) | {"silences": how}
            for (name, settings), (_, how) in zip(sources, silenced, strict=True)
        ],
    }


async def _silences(
    source: str, settings: Matching, watched: list[tuple[ReleaseStatus, Playbook]]
) -> tuple[list[dict[str, Any]], str]:
    """(active silences that swallow alerts about a watched release, whether all of them are known)."""
    if not isinstance(settings, AlertmanagerSettings) or settings.url is None:
        return [], "unknown: the settings of this source name no url to read them from"
    try:
        active = await active_silences(settings)
    except Unreadable as error:
        return [], f"unknown: {error}"
    found = []
    for status, playbook in watched:
        specs = playbook.detection.signals.values()
        signals = [spec for spec in specs if spec.kind == "alert" and spec.source == source]
        expected = labels_expected(settings, status.release, signals)
        found += [
            {
                "source": source,
                "release_id": status.release.release_id,
                "silence_id": silence.id,
                "matchers": [str(matcher) for matcher in silence.matchers],
                "ends_at": instant(silence.ends_at),
                "created_by": silence.created_by,
                "comment": silence.comment,
            }
            for silence in active
            if any(silence.swallows(labels) for labels in expected)
        ]
    return found, "read"


async def _source(deps: Console, name: str, settings: Matching) -> dict[str, Any]:
    """When a source was heard last, and whether what it sent was all there was."""
    last = await deps.alerts.last_heard(name)
    since = deps.clock() - settings.expect_every
    partial_at = None if last is None or last.partial_us is None else _at(last.partial_us)
    return {
        "source": name,
        "heard_at": None if last is None else instant(_at(last.until_us)),
        "silent": last is None or _at(last.until_us) < since,
        "partial": last.partial_why if last is not None and partial_at is not None and partial_at >= since else None,
    }


def _shown(alert: StoredAlert) -> dict[str, Any]:
    shown = alert.model_dump(mode="json", exclude={"starts_us", "ends_us", "first_at", "last_at", "source_id", "key"})
    return shown | {
        "alert_id": alert.key,
        "source": alert.source_id,
        "starts_at": instant(_at(alert.starts_us)),
        "ends_at": None if alert.ends_us is None else instant(_at(alert.ends_us)),
        "first_at": instant(alert.first_at),
        "last_at": instant(alert.last_at),
    }


def _at(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)

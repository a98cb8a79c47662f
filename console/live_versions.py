"""Which version was live when, as the API and the page of a release show it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.ledger.record import Kind
from countermand.plan.live import KINDS, Move, live_at, moves
from countermand.plan.readiness import Readiness, readiness


async def moves_of(deps: Console, service: str, environment: str) -> tuple[Move, ...]:
    """Every known change of the share of users, oldest first."""
    return moves(await deps.ledger.records(kinds=KINDS), service, environment)


async def refuse_unknown(deps: Console, service: str, environment: str) -> None:
    """Raise Problem unless a release of the service was registered in the environment."""
    known = sorted({(one.release.service, one.release.environment) for one in await deps.catalogue.releases()})
    if (service, environment) not in known:
        named = ", ".join(f"{name} in {place}" for name, place in known[:10]) or "none"
        detail = f"no release of {service!r} was registered in {environment!r}; registered are: {named}."
        raise Problem(404, "unknown_service", detail, "List the releases.")


async def readiness_of(deps: Console, release_id: str) -> Readiness:
    """What the last look at the way back of a release says now."""
    records = await deps.ledger.records(release_id=release_id, kinds=[Kind.destination_checked])
    return readiness(records, deps.clock())


def live_json(found: tuple[Move, ...], at: datetime) -> dict[str, Any]:
    """`countermand.live/v1`: what was live at an instant, and every change, newest first."""
    now = live_at(found, at)
    return {
        "schema": "countermand.live/v1",
        "at": instant(at),
        "live": None if now is None else _json(now),
        "items": [_json(one) for one in reversed(found)],
    }


def _json(one: Move) -> dict[str, Any]:
    return one.model_dump(mode="json") | {"at": instant(one.at), "baseline_bp": 10_000 - one.candidate_bp}

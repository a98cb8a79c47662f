"""Reads for pages, API and live updates: the Ledger folded, one query per question."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from console.deps import Console
from countermand.governance import break_glass
from countermand.ledger.bodies import (
    ConcernRaised,
    GlassBroken,
    VerdictChanged,
)
from countermand.ledger.record import Kind, Record
from countermand.messages.ask_card import AskCard, ask_card
from countermand.messages.incident import AskView, IncidentView, incident, incidents

_INCIDENT = TypeAdapter(IncidentView)


async def all_incidents(deps: Console) -> list[IncidentView]:
    """Every incident, newest first."""
    kinds = [kind for kind in Kind if kind not in (Kind.decision, Kind.comms_sent, Kind.check_result)]
    return list(reversed(incidents(await _every(deps, kinds, -1))))


async def recent_incidents(deps: Console, closed: int = 10) -> list[IncidentView]:
    """All open incidents and the newest `closed` ones, newest first, whatever the length of the Ledger."""
    ends = await _every(deps, (Kind.incident_opened, Kind.incident_closed), -1)
    over = [record.incident_id for record in ends if record.kind is Kind.incident_closed]
    old = set(over[: max(len(over) - closed, 0)])
    wanted = {
        record.incident_id: record.seq
        for record in ends
        if record.kind is Kind.incident_opened and record.incident_id not in old
    }
    if not wanted:
        return []
    kinds = tuple(kind for kind in Kind if kind not in (Kind.decision, Kind.comms_sent))
    records = await _every(deps, kinds, min(wanted.values()) - 1)
    return list(reversed(incidents(record for record in records if record.incident_id in wanted)))


def is_over(view: IncidentView, incidents: Sequence[IncidentView]) -> bool:
    """Whether nobody has to look at it any more: closed, or left without work and followed by another one."""
    if view.closed is not None or view.unattended is None:
        return view.closed is not None
    return any(one.release_id == view.release_id and one.opened_at > view.opened_at for one in incidents)


async def incidents_of(deps: Console, release_id: str) -> list[IncidentView]:
    """The incidents of one release, newest first."""
    return list(reversed(incidents(await deps.ledger.records(release_id=release_id))))


async def concerns_of(deps: Console, release_id: str) -> list[tuple[datetime, ConcernRaised]]:
    """What people said about a release, newest first."""
    records = await deps.ledger.records(release_id=release_id, kinds=[Kind.concern_raised])
    return [(record.at, ConcernRaised.model_validate(record.body)) for record in reversed(records)]


async def overuse(deps: Console, view: IncidentView) -> str:
    """The finding about too many uses of break-glass where this incident is; empty when there is none (GOV-40)."""
    if not view.glass:
        return ""
    used = [
        (GlassBroken.model_validate(record.body).environment, record.at)
        for record in await _every(deps, (Kind.glass_broken,), -1)
    ]
    limits = (await deps.people.snapshot()).governance.limits
    return break_glass.overuse(used, view.opened.environment, deps.clock(), limits)


async def _every(deps: Console, kinds: Sequence[Kind], after: int) -> list[Record]:
    """All records of these kinds after `after`, page by page."""
    found: list[Record] = []
    while page := await deps.ledger.records(kinds=kinds, after_seq=after):
        found += page
        after = page[-1].seq
    return found


async def one_incident(deps: Console, incident_id: str) -> IncidentView | None:
    return incident(await deps.ledger.records(incident_id=incident_id))


def find_ask(views: list[IncidentView], ask_id: str) -> tuple[IncidentView, AskView] | None:
    """The ask of that id and its incident."""
    for view in views:
        for ask in view.asks:
            if ask.opened.ask_id == ask_id:
                return view, ask
    return None


async def one_ask(deps: Console, ask_id: str) -> tuple[IncidentView, AskView, AskCard] | None:
    """An ask with its card; the incident's id is the part of the ask's id before `-ask-`."""
    view = await one_incident(deps, ask_id.rpartition("-ask-")[0])
    found = find_ask([view], ask_id) if view else None
    return (*found, ask_card(*found)) if found else None


def waits_for(ask: AskView, subject: str, roles: AbstractSet[str]) -> bool:
    """Whether this ask still needs the vote of this person."""
    voted = any(vote.subject == subject for vote in ask.standing_votes)
    excluded = subject == ask.opened.requester or subject in ask.opened.excluded
    return ask.status == "pending" and not voted and not excluded and bool(roles & set(ask.opened.need_roles))


async def latest_verdicts(deps: Console) -> dict[str, tuple[Record, VerdictChanged]]:
    """The newest verdict of each release's watch."""
    records = await deps.ledger.records(kinds=[Kind.verdict])
    return {
        record.release_id: (record, VerdictChanged.model_validate(record.body))
        for record in records
        if record.release_id and record.incident_id is None
    }


def incident_json(view: IncidentView) -> dict[str, Any]:
    """`countermand.incident/v1`: the whole view plus its status and sentence."""
    body: dict[str, Any] = _INCIDENT.dump_python(view, mode="json")
    body |= {"schema": "countermand.incident/v1", "status": view.status, "sentence": view.sentence}
    for ask, source in zip(body["asks"], view.asks, strict=True):
        ask |= {"status": source.status, "have": source.have, "missing": list(source.missing)}
    return body

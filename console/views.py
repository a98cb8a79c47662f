"""Reads for pages, API and live updates: the Ledger folded, one query per question."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from console.deps import Console
from countermand.ledger.bodies import VerdictChanged
from countermand.ledger.record import Kind, Record
from countermand.messages.ask_card import AskCard, ask_card
from countermand.messages.incident import AskView, IncidentView, incident, incidents

_INCIDENT = TypeAdapter(IncidentView)


async def all_incidents(deps: Console) -> list[IncidentView]:
    """Every incident, newest first."""
    kinds = [kind for kind in Kind if kind not in (Kind.decision, Kind.comms_sent, Kind.check_result)]
    return list(reversed(incidents(await deps.ledger.records(kinds=kinds))))


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

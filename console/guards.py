"""What looks after rollbacks: for the page of a release, `/readyz` and `countermand doctor` (GOV-47)."""

from __future__ import annotations

from dataclasses import dataclass

from console.deps import Console
from countermand.ledger.bodies import GuardState, RequarantineBreach, parse_body
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import utc

WORDS = {"watching": "guarded", "blind": "blind", "over": "guard_over"}


@dataclass(frozen=True)
class GuardView:
    """The guard of one incident, in a word and a sentence."""

    incident_id: str
    release_id: str
    word: str
    sentence: str


def guards_of(records: list[Record]) -> list[GuardView]:
    """The guard of every incident that these records name, oldest first. A breach is the last word of a guard."""
    found: dict[str, GuardView] = {}
    for record in records:
        incident_id, release_id = record.incident_id or "", record.release_id or ""
        match parse_body(record):
            case RequarantineBreach(sentence=sentence):
                found[incident_id] = GuardView(incident_id, release_id, "breach", sentence)
            case GuardState(state=state, sentence=sentence, until=until):
                more = "" if state == "over" else f" Until {utc(until)}."
                found[incident_id] = GuardView(incident_id, release_id, WORDS[state], sentence + more)
            case _:
                pass
    return list(found.values())


async def of_release(deps: Console, release_id: str) -> GuardView | None:
    """The newest guard of a release; None when it was never rolled back."""
    kinds = (Kind.guard_state, Kind.requarantine_breach)
    found = guards_of(await deps.ledger.records(release_id=release_id, kinds=kinds))
    return found[-1] if found else None


async def guards(deps: Console) -> dict[str, object]:
    """One check as `/readyz` shows it: not ok while a guard is blind, or while the incident of a breach is open."""
    kinds = (Kind.guard_state, Kind.requarantine_breach, Kind.incident_opened, Kind.incident_closed)
    records = await deps.ledger.records(kinds=kinds)
    over = {one.incident_id for one in records if one.kind is Kind.incident_closed}
    open_ = {one.release_id for one in records if one.kind is Kind.incident_opened and one.incident_id not in over}
    said = [
        f"{one.release_id}: {one.sentence}"
        for one in guards_of(records)
        if one.word == "blind" or (one.word == "breach" and one.release_id in open_)
    ]
    fine = "no version in quarantine was seen again, and every target that is looked at can be read"
    return {"name": "guards", "ok": not said, "sentence": " ".join(said) or fine}

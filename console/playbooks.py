"""Which playbooks there are, which version is in force since when and by whom, and how its numbers came about."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from console import consents, thresholds
from console.deps import Console
from countermand.governance.past import rehearsed_at
from countermand.learning.review_dates import Flag
from countermand.ledger.bodies import ConsentVote, PlaybookAdopted, ThresholdAdopted, parse_body
from countermand.ledger.record import Kind, Record
from countermand.messages.consent import ConsentView


@dataclass(frozen=True)
class Adopted:
    """One adoption that holds, and its record."""

    body: PlaybookAdopted
    at: datetime
    seq: int


@dataclass(frozen=True)
class Row:
    """One playbook. `in_force` is None where no version was adopted; `used` are digests that watched releases name.
    expired: accepted risks of a text that counts whose day is over."""

    name: str
    in_force: Adopted | None
    asked: tuple[ConsentView, ...]
    rehearsed: datetime | None
    used: tuple[str, ...]
    flag: Flag | None
    expired: tuple[str, ...]


@dataclass(frozen=True)
class Number:
    """One change of one number of the detection."""

    body: ThresholdAdopted
    at: datetime
    seq: int


async def adoptions_of(deps: Console, name: str) -> list[Adopted]:
    """The adoptions of one playbook that hold, the oldest first."""
    holding = list(await deps.adoptions.of(name))
    found = []
    for record in await deps.ledger.records(kinds=[Kind.playbook_adopted]):
        body = parse_body(record)
        if isinstance(body, PlaybookAdopted) and body in holding:
            holding.remove(body)  # the same body written a second time is no second adoption
            found.append(Adopted(body, record.at, record.seq))
    return found


async def rows(deps: Console) -> list[Row]:
    """Every playbook that was adopted, is asked for, or is used by a release that is watched, by name."""
    asked = [view for view in await consents.every(deps.ledger) if view.closed is None and _name(view)]
    bodies = map(parse_body, await deps.ledger.records(kinds=[Kind.playbook_adopted]))
    used: dict[str, list[str]] = {}
    for status in await deps.catalogue.releases():
        if status.closed_at is None:
            digest = status.release.playbook_digest
            used.setdefault((await deps.catalogue.playbook(digest)).name, []).append(digest)
    names = {body.name for body in bodies if isinstance(body, PlaybookAdopted)} | {*map(_name, asked), *used}
    rehearsals = await deps.ledger.records(kinds=[Kind.rehearsal_passed])
    found = []
    for name in sorted(names):
        known = await adoptions_of(deps, name)
        newest = known[-1] if known else None
        found.append(
            Row(
                name=name,
                in_force=newest,
                asked=tuple(view for view in asked if _name(view) == name),
                rehearsed=rehearsed_at(rehearsals, newest.body.digest) if newest else None,
                used=tuple(dict.fromkeys(used.get(name, ()))),
                flag=await thresholds.flag(deps, name),
                expired=await _expired(deps, [*([newest.body.digest] if newest else []), *used.get(name, ())]),
            )
        )
    return found


async def signatures(deps: Console, consent_id: str) -> list[tuple[ConsentVote, datetime, str]]:
    """(signature, when, id of the gateway key under the decision) of those whose vote stands."""
    view = await consents.one(deps.ledger, consent_id)
    if view is None:
        return []
    keys = {
        str(record.body["decision"]["decision_id"]): str(record.body["decision"]["gateway_key_id"])
        for record in await deps.ledger.records(kinds=[Kind.decision])
    }
    return [
        (vote, view.voted_at[vote.decision_id], keys.get(vote.decision_id, ""))
        for vote in view.standing_votes
        if vote.vote == "approve"
    ]


async def asked_for(deps: Console, digest: str) -> list[ConsentView]:
    """Every time that people were asked to adopt exactly this text, the newest first."""
    every = await consents.every(deps.ledger)
    return [view for view in every if _name(view) and view.opened.document.get("digest") == digest]


async def numbers(deps: Console, known: list[Adopted]) -> dict[str, list[Number]]:
    """Changes of numbers of the detection by these adoptions, by the place as people call it, the newest first."""
    valid = {one.body.consent_id for one in known}
    found: dict[str, list[Number]] = {}
    records: list[Record] = await deps.ledger.records(kinds=[Kind.threshold_adopted])
    for record in reversed(records):
        body = parse_body(record)
        if isinstance(body, ThresholdAdopted) and body.consent_id in valid:
            found.setdefault(body.place or body.path, []).append(Number(body, record.at, record.seq))
    return dict(sorted(found.items()))


async def _expired(deps: Console, digests: list[str]) -> tuple[str, ...]:
    """What is overdue in these texts, each once. One that cannot be read is judged where it is used."""
    today, found = deps.clock().date(), []
    for digest in dict.fromkeys(digests):
        with suppress(KeyError, ValueError):
            harms = (await deps.catalogue.playbook(digest)).harms
            found += [one.overdue for one in harms if one.expired(today)]
    return tuple(dict.fromkeys(found))


def _name(view: ConsentView) -> str:
    """Of the playbook that a consent is about; empty for another matter."""
    return str(view.opened.document.get("playbook", ""))

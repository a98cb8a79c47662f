"""The population of a period as the console counts it, and its comparison with the targets' own change logs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from adapters.change_logs import compared_logs
from adapters.settings import SettingsInvalid
from adapters.target_settings import target_settings
from console.decide import Person
from console.deps import Console
from console.handing_out import REDACTED_BY, roles_of
from console.problems import Problem
from countermand.canonical import canonical, instant
from countermand.evidence import reconciliation
from countermand.evidence.population import Population, population
from countermand.evidence.sections.planned import unanswered_in
from countermand.ledger.bodies import PopulationReconciled
from countermand.ledger.record import Kind, Record


@dataclass(frozen=True)
class Counted:
    """A period and the newest comparison of exactly it; None: nobody asked the targets yet."""

    found: Population
    compared: Record | None


async def count(deps: Console, person: Person, since: datetime, until: datetime) -> Counted:
    """Raises Problem for somebody without a role for it, and for a period that ends before it begins."""
    await _allowed(deps, person, since, until)
    records = [record for record in await deps.ledger.records() if since <= record.at < until]
    compared = [
        record
        for record in await deps.ledger.records(kinds=(Kind.population_reconciled,))
        if (record.body["since"], record.body["until"]) == (instant(since), instant(until))
    ]
    return Counted(population(records, unanswered_in(records)), compared[-1] if compared else None)


async def reconcile(deps: Console, person: Person, since: datetime, until: datetime) -> None:
    """Ask each target for its change log of the period, compare, and record what was found. Raises Problem."""
    await _allowed(deps, person, since, until)
    try:
        settings = target_settings(deps.settings.targets)
    except SettingsInvalid as error:
        raise Problem(503, "targets_unknown", str(error), "Repair the targets file, then compare again.") from None
    compared = await compared_logs(await deps.ledger.records(), settings, deps.ledger.put_blob, since, until)
    result = reconciliation.as_json(compared, since, until)
    body = PopulationReconciled(
        since=since, until=until, result=result, clean=all(one.clean for one in compared), asked_by=person.name
    )
    key = hashlib.sha256(canonical([result, person.subject, await deps.ledger.head()])).hexdigest()
    await deps.ledger.append(body.entry(f"population/{key}", person.subject))


async def _allowed(deps: Console, person: Person, since: datetime, until: datetime) -> None:
    roles = await roles_of(deps, person.subject)
    if set(roles).isdisjoint(REDACTED_BY):
        held, needed = ", ".join(roles) or "no role", " or ".join(REDACTED_BY)
        raise Problem(403, "not_your_role", f"This needs the role {needed}; you have {held}.", "Ask somebody with it.")
    if since.tzinfo is None or until.tzinfo is None or not since < until:
        detail = f"{since} to {until} is no period."
        raise Problem(422, "no_period", detail, "Name two instants with a time zone, in order.")

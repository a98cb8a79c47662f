"""What is kept how long, what was deleted under which rule, and erasure for one person."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError
from sqlmodel import col, func, select

from adapters.erasure import Request
from adapters.tables import CountedTable, ObservationTable, VaultItemTable
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.ledger.bodies import ErasureDone, ErasureRefused, PurgeCertificate, parse_body
from countermand.ledger.record import Kind
from countermand.retention.classes import in_force, shipped_classes
from countermand.retention.holding import Scope

#: Who may ask for a run, and who answers a request for erasure.
RUNNERS = ("privacy_officer", "compliance_officer", "legal_counsel")
ERASERS = ("privacy_officer",)
_NEWEST = 20


def scope_or_problem(**fields: tuple[str, ...]) -> Scope:
    """What a hold covers. Raises Problem when it names nothing, or a class that is not known."""
    unknown = sorted(set(fields.get("classes", ())) - set(shipped_classes()))
    if unknown:
        known = ", ".join(sorted(shipped_classes()))
        raise Problem(422, "unknown_class", f"no retention class is called {unknown[0]!r}.", f"Known: {known}.")
    try:
        return Scope.model_validate(fields)
    except ValidationError as error:
        raise Problem(
            422, "schema", "this hold would cover nothing.", "Name an incident, a class, a subject or a digest."
        ) from error


async def overview(deps: Console) -> dict[str, Any]:
    """`countermand.retention/v1`: per class the rule, how many items there are, and when the oldest is due.

    `refused`: why nothing is deleted now; empty while the periods of the organisation can be used.
    """
    classes, refused = shipped_classes(), ""
    try:
        classes = in_force((await deps.duties.read())[0].retention_classes, deps.clock())
    except ValueError as error:
        refused = str(error)
    async with deps.database.reading() as session:
        stored = {
            name: (count, oldest)
            for name, count, oldest in await session.exec(
                select(VaultItemTable.class_, func.count(), func.min(VaultItemTable.created_at)).group_by(
                    col(VaultItemTable.class_)
                )
            )
        }
        samples = (await session.exec(select(func.count()).select_from(ObservationTable))).one()
        sums = (await session.exec(select(func.count()).select_from(CountedTable))).one()
    others = {"evidence_samples": samples, "system_logs": sums}
    items = []
    for name, rule in classes.items():
        count, oldest = stored.get(name, (0, None))
        items.append(
            {
                "class": name,
                "keep": rule.keep.words,
                "purge": rule.purge,
                "texts": count,
                "others": others.get(name, 0),
                "next_due": instant(rule.keep.after(oldest)) if oldest else None,
                "rule_digest": rule.rule_digest,
            }
        )
    kinds = [Kind.purge_certificate, Kind.erasure_done, Kind.erasure_refused]
    records = (await deps.ledger.records(kinds=kinds))[::-1][:_NEWEST]
    certificates = [_certificate(record.seq, record.at, parse_body(record)) for record in records]
    return {"items": items, "certificates": certificates, "refused": refused}


def _certificate(seq: int, at: Any, body: Any) -> dict[str, Any]:
    match body:
        case PurgeCertificate():
            said = f"{body.count} {body.what} of class {body.class_id} deleted, {body.held} kept under a hold"
        case ErasureDone():
            said = f"{body.count} texts of {body.subject} erased, and their words in {body.messages} messages"
        case ErasureRefused():
            said = f"{body.scope} of {body.subject} not erased. {body.basis} Look again on {instant(body.recheck_on)}."
        case _:
            raise TypeError(f"{type(body).__name__} is no certificate")
    return {"seq": seq, "at": instant(at), "says": said}


async def run_now(deps: Console, person: Person) -> dict[str, Any]:
    """Start a run. Raises Problem, OutcomeUnknown."""
    await _refuse_others(deps, person, RUNNERS, "start a purge")
    await deps.workflows.run_retention(person.subject)
    return {"status": "started", "sentence": "What is due is being deleted, with certificates; holds are respected."}


async def erase(
    deps: Console, person: Person, erasure_id: str, subject: str, reason: str, claim: str
) -> dict[str, Any]:
    """Answer a request for erasure. Raises Problem."""
    await _refuse_others(deps, person, ERASERS, "answer a request for erasure")
    people = await deps.people.snapshot()
    if people.principal_of(person.subject) == people.principal_of(subject):
        names = ", ".join(one.name for one in people.holders(*ERASERS) if one.subject != person.subject) or "nobody"
        raise Problem(403, "four_eyes", "nobody erases what they wrote themselves.", f"Ask one of: {names}.")
    answers = await deps.erasure.erase(
        Request(erasure_id=erasure_id, subject=subject, reason=reason, by=person.subject, claim=claim)
    )
    refused = [one for one in answers if isinstance(one, ErasureRefused)]
    done = sum(one.count for one in answers if isinstance(one, ErasureDone))
    said = f"{done} texts of {subject} erased."
    for one in refused:
        said += f" {one.scope} stay. {one.basis} Look again on {instant(one.recheck_on)}."
    return {"status": "refused" if refused else "done", "erased": done, "sentence": said}


async def _refuse_others(deps: Console, person: Person, roles: tuple[str, ...], what: str) -> None:
    directory = await deps.people.snapshot()
    if directory.is_excluded(person.subject) or not set(roles) & set(directory.roles_of(person.subject)):
        names = ", ".join(one.name for one in directory.holders(*roles)) or "nobody"
        raise Problem(403, "not_your_role", f"{person.subject!r} may not {what}.", f"Ask one of: {names}.")

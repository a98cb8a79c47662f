"""From a form to the one `decide()`, and every refusal back as words for the page (GOV-61)."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable

from adapters.directory_file import GovernanceInvalid
from console.decide import Act, Person
from console.deps import Console
from console.problems import Problem, of_refusal, of_unknown
from console.temporal import OutcomeUnknown
from countermand.governance.decision import Refused
from countermand.governance.directory import Directory

MAX_REASON = 2_000


async def submit(deps: Console, act: Act, person: Person) -> Problem | None:
    """Carry out one act from a page; None when it was accepted, else why not and what to do."""
    if len(act.reason) > MAX_REASON:
        detail = f"The reason has {len(act.reason):,} characters; up to {MAX_REASON:,} are accepted."
        return Problem(422, "reason_too_long", detail, "Say the essence here and link to the rest.")
    return await problem_of(deps.gate.decide(act, person, "web"))


async def problem_of(work: Awaitable[object]) -> Problem | None:
    """None when the work of a page was done, else why not and what to do."""
    try:
        await work
    except Refused as refusal:
        return of_refusal(refusal)
    except OutcomeUnknown as error:
        return of_unknown(error)
    except GovernanceInvalid as error:
        return Problem(503, "directory_unavailable", str(error), "Nobody can decide until this file is repaired.")
    return None


async def directory(deps: Console) -> Directory | None:
    """Who holds which role now; None when the governance file cannot be used. Pages still show what happens."""
    try:
        return await deps.people.snapshot()
    except GovernanceInvalid:
        return None


def form_id(sent: str, problem: Problem | None) -> str:
    """The decision id of a form: kept while its outcome is unknown, so that sending it again counts once."""
    if problem is not None and problem.code == "outcome_unknown":
        return sent
    return str(uuid.uuid4())


def known_id(sent: str) -> str | None:
    """A decision id as our forms make them, or None."""
    try:
        return str(uuid.UUID(sent))
    except ValueError:
        return None

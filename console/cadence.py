"""Duties as people see them: what is overdue, doing one, leaving one out, and what readiness costs."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Literal

from activities.cadence import newest_playbook, subjects_in_use
from adapters.cadence_file import FileCadence
from console.decide import Act, Person
from console.deps import Console
from console.problems import Problem
from countermand.cadence import acts
from countermand.cadence.balance import KINDS as BALANCE_KINDS
from countermand.cadence.balance import Balance, balance
from countermand.cadence.criteria import THRESHOLD_REVIEW, undecided_criteria
from countermand.cadence.duty import Planned
from countermand.cadence.state import KINDS, DutyState, states
from countermand.canonical import instant
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.units import format_duration
from workflows.cadence_run import CadenceInput
from workflows.decisions import Answer


@dataclass(frozen=True)
class Board:
    """Every duty as it stands, what is overdue first. refused: why the organisation's file is not used."""

    states: tuple[DutyState, ...]
    planned: dict[str, Planned]
    refused: str

    @property
    def overdue(self) -> tuple[DutyState, ...]:
        return tuple(one for one in self.states if one.word == "overdue")


async def board(deps: Console) -> Board:
    """All duties now."""
    planned, refused = await FileCadence(deps.settings.cadence).read()
    found = states(
        [one.duty for one in planned],
        await deps.ledger.records(kinds=KINDS),
        await subjects_in_use(deps.ledger, deps.catalogue),
        deps.clock(),
    )
    return Board(found, {one.duty.id: one for one in planned}, refused)


async def balance_now(deps: Console, found: Board) -> Balance:
    """Cost beside readiness."""
    return balance(await deps.ledger.records(kinds=BALANCE_KINDS), found.states, deps.clock())


async def undecided(deps: Console, playbook: str) -> tuple[str, ...]:
    """Criteria of the newest version of a playbook that nobody decided on in its newest threshold review."""
    found = await newest_playbook(deps.ledger, deps.catalogue, playbook)
    return undecided_criteria(await deps.ledger.records(kinds=(Kind.cadence_done,)), found) if found else ()


async def criteria_asked(deps: Console, state: DutyState) -> tuple[str, ...]:
    """What a threshold review decides on; nothing for every other duty."""
    if state.duty.id != THRESHOLD_REVIEW:
        return ()
    found = await newest_playbook(deps.ledger, deps.catalogue, state.subject)
    return acts.criteria_of(found) if found else ()


async def begin(deps: Console, person: Person, duty: str, subject: str) -> str:
    """Start a run now, due or not; what happens, in a sentence. Raises Problem, OutcomeUnknown."""
    planned = (await board(deps)).planned
    if duty not in planned:
        raise Problem(404, "unknown_duty", f"no duty is called {duty!r}.", f"Known: {', '.join(planned)}.")
    row = planned[duty].duty
    names = [one.name for one in await subjects_in_use(deps.ledger, deps.catalogue)]
    if subject and (row.per is None or subject not in names):
        known = ", ".join(names) if row.per else "none; it is not about a playbook"
        raise Problem(404, "unknown_playbook", f"{subject!r} is no playbook of this duty.", f"Known: {known}.")
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    request = CadenceInput(duty=duty, subject=subject, asked_by=person.subject)
    await deps.workflows.start_duty(request, uuid.uuid4().hex[:8])
    if row.by == "machine":
        return f"{row.title} is begun; the result is on /cadence."
    return f"People are asked ({', '.join(row.asks)}): one of them says what became of it."


async def say(
    deps: Console,
    person: Person,
    channel: Literal["web", "api"],
    said: dict[str, str],
    reason: str,
    decision_id: str | None,
) -> Answer:
    """Sign that it is done, or why it is left out. said: `acts.terms`. Raises Refused, OutcomeUnknown."""
    act = Act(
        kind=DecisionKind.do_duty,
        approval_digest=acts.terms_digest(said),
        reason=reason,
        decision_id=decision_id,
        terms=said,
    )
    return await deps.gate.decide(act, person, channel)


def state_json(state: DutyState, planned: Planned) -> dict[str, Any]:
    """One item of `countermand.cadence/v1`."""
    duty = state.duty
    return {
        "duty": duty.id,
        "title": duty.title,
        "subject": state.subject,
        "state": state.word,
        "by": duty.by,
        "every": format_duration(duty.every),
        "longer_than_shipped": planned.longer,
        "asks": list(duty.asks),
        "last": None
        if state.last is None
        else {
            "at": instant(state.last.at),
            "result": state.last.what,
            "sentence": state.last.sentence,
            "record": state.last.seq,
        },
        "due": instant(state.due) if state.due else None,
        "asked_until": instant(state.asked.deadline) if state.asked else None,
        "if_missed": duty.if_missed,
    }

"""Rollouts as the console sees them: begin one, what people decide about it, and how it stands."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from activities.ports import Ledger
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.governance.directory import Directory
from countermand.governance.shipped import rights_in_force
from countermand.plan.model import Release
from countermand.rollout.authority import KINDS, right_to
from countermand.rollout.plan import Kind
from countermand.rollout.view import RolloutView, rollouts
from workflows.decisions import Answer
from workflows.release_rollout import RolloutInput


async def of_release(ledger: Ledger, release_id: str) -> list[RolloutView]:
    """The rollouts of a release, the newest first."""
    return rollouts(await ledger.records(release_id=release_id))[::-1]


@dataclass(frozen=True)
class May:
    """What somebody may do about rollouts here, and who else may start or stop one, by name."""

    start: bool
    stop: bool
    starters: tuple[str, ...]
    stoppers: tuple[str, ...]


def may(people: Directory, subject: str) -> May:
    """By the table of rights in force; the workflow judges it again."""
    table, roles = rights_in_force(people.governance), set(people.roles_of(subject))
    start, stop = (bool(roles & set(right_to(kind, table).roles)) for kind in KINDS)
    starters, stoppers = (
        tuple(person.name for person in people.holders(*right_to(kind, table).roles)) for kind in KINDS
    )
    return May(start=start, stop=stop, starters=starters, stoppers=stoppers)


async def known(deps: Console, release_id: str) -> Release:
    """The release of this id. Raises Problem."""
    status = await deps.catalogue.release(release_id)
    if status is None:
        raise Problem(404, "unknown_release", f"there is no release {release_id!r}.", "List the releases.")
    return status.release


def refuse_others(people: Directory, person: Person) -> None:
    """Raises Problem unless this person may begin a rollout."""
    allowed = may(people, person.subject)
    if not (allowed.start or allowed.stop):
        names = ", ".join(allowed.starters) or "nobody"
        raise Problem(403, "not_your_role", f"{person.subject!r} may not begin a rollout.", f"Ask one of: {names}.")


async def begin(deps: Console, person: Person, release_id: str, kind: Kind) -> Answer:
    """Plan a rollout, and start it where no person has to. Raises Problem, OutcomeUnknown."""
    release = await known(deps, release_id)
    refuse_others(await deps.people.snapshot(), person)
    rollout = RolloutInput(rollout_id=f"rollout-{uuid.uuid4().hex[:8]}", release_id=release_id, kind=kind)
    answer = await deps.workflows.start_rollout(release, rollout)
    if answer.status == "running":
        raise Problem(409, "wrong_state", answer.sentence, f"`countermand release rollout status {release_id}`")
    if answer.status == "impossible":
        another = "Nothing was changed. Another `--kind` may be possible; docs/rollouts.md says what each needs."
        raise Problem(409, "wrong_state", answer.sentence, another)
    return answer

"""A sandbox again and again, as the console sees it: who may begin and end that, and how it stands."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console import rollouts
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.ledger.bodies import RolloutScheduled
from countermand.ledger.record import Kind
from countermand.messages.facts import utc
from countermand.plan.model import Release
from countermand.playbook.units import format_duration
from countermand.rollout.schedule import ScheduleView, schedule
from workflows.decisions import Answer

_KINDS = (Kind.rollout_scheduled, Kind.rollout_skipped)


@dataclass(frozen=True)
class Recurring:
    """The schedule of a release, and when the next sandbox is due; None where the service does not say."""

    view: ScheduleView
    next: datetime | None

    @property
    def lines(self) -> tuple[str, ...]:
        """What people read."""
        view = self.view
        due = f"Next at {utc(self.next)}." if self.next else "When next is not known now: Temporal does not say."
        starts = f"A sandbox starts every {format_duration(view.every)}, as {view.name} wanted at {utc(view.since)}."
        skipped = () if view.skipped is None else (f"{utc(view.skipped[0])}: {view.skipped[1]}",)
        return (f"{starts} {due}", *skipped)

    def json(self) -> dict[str, Any]:
        """Part of `countermand.rollout/v1`."""
        view = self.view
        return {
            "every": format_duration(view.every),
            "by": view.name,
            "since": instant(view.since),
            "next": instant(self.next) if self.next else None,
            "lines": list(self.lines),
        }


async def of_release(deps: Console, release: Release) -> Recurring | None:
    """None when the release has no schedule."""
    view = schedule(await deps.ledger.records(release_id=release.release_id, kinds=_KINDS))
    return None if view is None else Recurring(view, await deps.workflows.next_sandbox(release))


async def put(deps: Console, person: Person, release_id: str, every: timedelta) -> Answer:
    """Start a sandbox again and again. Raises Problem, OutcomeUnknown."""
    release, name = await _allowed(deps, person, release_id)
    status = await deps.catalogue.release(release_id)
    if status is not None and status.closed_at is not None:
        raise Problem(409, "wrong_state", f"this release is closed: {status.closed_why}.", "Register it anew.")
    rollout = (await deps.catalogue.playbook(release.playbook_digest)).rollout
    if rollout is None or rollout.sandbox is None or not rollout.sandbox.without_asking:
        raise Problem(
            409,
            "wrong_state",
            "the playbook of this release lets no sandbox start without a person, so none would ever start.",
            "Write `without_asking: true` below `rollout: sandbox:`, and register a release with that playbook.",
        )
    await deps.workflows.schedule_sandbox(release, every)
    sentence = f"A sandbox of {release_id} starts every {format_duration(every)} from now on, as {name} wants."
    return await _recorded(
        deps,
        person,
        release,
        RolloutScheduled(environment=release.environment, every=every, name=name, sentence=sentence),
    )


async def remove(deps: Console, person: Person, release_id: str) -> Answer:
    """Start no more of them. Raises Problem, OutcomeUnknown."""
    release, name = await _allowed(deps, person, release_id)
    await deps.workflows.unschedule_sandbox(release)
    if schedule(await deps.ledger.records(release_id=release_id, kinds=_KINDS)) is None:
        return Answer(status="accepted", sentence=f"No sandbox of {release_id} starts by a schedule; there was none.")
    sentence = f"No sandbox of {release_id} starts by a schedule any more, as {name} wants."
    return await _recorded(
        deps,
        person,
        release,
        RolloutScheduled(environment=release.environment, every=None, name=name, sentence=sentence),
    )


async def _allowed(deps: Console, person: Person, release_id: str) -> tuple[Release, str]:
    """The release, and the person's name. Raises Problem."""
    release, people = await rollouts.known(deps, release_id), await deps.people.snapshot()
    rollouts.refuse_others(people, person)
    return release, people.name_of(person.subject)


async def _recorded(deps: Console, person: Person, release: Release, body: RolloutScheduled) -> Answer:
    await deps.ledger.append(body.entry(f"schedule/{uuid.uuid4()}", person.subject, release_id=release.release_id))
    return Answer(status="accepted", sentence=body.sentence)

"""What was rehearsed and what was not: read from the Ledger and from the scenario files that come with the product."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from console.deps import Console
from console.problems import Problem
from console.submit import directory
from countermand.ledger.bodies import PlaybookAdopted, parse_body
from countermand.ledger.record import Kind
from countermand.rehearsal.coverage import Cell, coverage
from countermand.rehearsal.freshness import FRESH_FOR, Freshness, freshness
from countermand.rehearsal.loading import load_scenario
from countermand.rehearsal.past_runs import PastRun, past_runs
from countermand.rehearsal.scenario import Branch, Fault, Scenario
from countermand.rehearsal.trend import Trend, trend

SCENARIOS = Path(__file__).parents[1] / "rehearsals"


@dataclass(frozen=True)
class Row:
    """One scenario, its newest run and what changed since the one before it."""

    scenario: Scenario
    last: PastRun | None
    runs: int
    since: Trend | None


@dataclass(frozen=True)
class Practice:
    """Everything the page shows. heat: runs by branch and fault; `never`: cells that a scenario leads to, never run."""

    stale: tuple[Freshness, ...]
    fresh: tuple[Freshness, ...]
    rows: tuple[Row, ...]
    others: tuple[PastRun, ...]
    heat: dict[tuple[str, str], int]
    never: tuple[Cell, ...]


@cache
def shipped() -> tuple[Scenario, ...]:
    """The scenarios that come with the product, by id; a file that does not load fails the start of nothing."""
    return tuple(load_scenario(path) for path in sorted(SCENARIOS.glob("*.yaml")))


async def practice(deps: Console) -> Practice:
    """What was practised, what never was, and what is too long ago; stale and never practised come first."""
    runs = past_runs(await deps.ledger.records(kinds=[Kind.rehearsal_finished]))
    people = await directory(deps)
    roles = {role for one in people.governance.people for role in one.roles} if people else set()
    fresh_for = people.governance.limits.rehearsed_within if people else FRESH_FOR
    bodies = map(parse_body, await deps.ledger.records(kinds=[Kind.playbook_adopted]))
    in_force = {body.name: body.digest for body in bodies if isinstance(body, PlaybookAdopted)}
    playbooks = {digest: name for name, digest in in_force.items()}
    looked = freshness(runs, deps.clock(), playbooks=playbooks, roles=roles, fresh_for=fresh_for)
    cells = coverage(runs, shipped())
    known = {one.id for one in shipped()}
    return Practice(
        stale=tuple(one for one in looked if one.stale),
        fresh=tuple(one for one in looked if not one.stale),
        rows=tuple(sorted((_row(one, runs) for one in shipped()), key=lambda row: (row.last is not None, row.runs))),
        others=tuple(one for one in runs if one.body.scenario not in known),
        heat={
            (branch, fault): sum(cell.runs for cell in cells if (cell.branch, cell.fault) == (branch, fault))
            for branch in Branch
            for fault in Fault
        },
        never=tuple(cell for cell in cells if not cell.runs and cell.scenarios),
    )


def _row(scenario: Scenario, runs: list[PastRun]) -> Row:
    own = [run for run in runs if run.body.scenario == scenario.id]
    last = own[-1] if own else None
    since = trend(last.body, [run.body for run in own[:-1]]) if last else None
    return Row(scenario=scenario, last=last, runs=len(own), since=since)


async def one_run(deps: Console, run_id: str) -> tuple[PastRun, Trend]:
    """A finished run and what changed since the one before it. Raises Problem."""
    runs = past_runs(await deps.ledger.records(kinds=[Kind.rehearsal_finished]))
    place = next((index for index, run in enumerate(runs) if run.body.run_id == run_id), None)
    if place is None:
        raise Problem(404, "unknown_rehearsal", f"no rehearsal {run_id!r}", "List them: GET /api/v1/rehearsals.")
    return runs[place], trend(runs[place].body, [run.body for run in runs[:place]])


async def report(deps: Console, digest: str) -> str | None:
    """A stored report; None where it was not kept."""
    stored = await deps.ledger.get_blob(digest)
    return stored[0].decode() if stored else None


def run_json(run: PastRun) -> dict[str, Any]:
    """One run as the API says it."""
    return {**run.body.model_dump(mode="json"), "passed": run.body.passed, "record": run.seq}

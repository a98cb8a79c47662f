"""Which branches were practised under which faults and on which shift; what never was comes first (LRN-24)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from countermand.plan.target import Value
from countermand.rehearsal.past_runs import PastRun
from countermand.rehearsal.scenario import Branch, Fault, Scenario, Shift


class Cell(Value):
    """One branch under one fault on one shift. scenarios: those that lead there; runs: how often it was practised."""

    branch: Branch
    fault: Fault
    shift: Shift
    scenarios: tuple[str, ...]
    runs: int
    last: datetime | None


def coverage(runs: Iterable[PastRun], scenarios: Iterable[Scenario]) -> tuple[Cell, ...]:
    """Every cell, those that were never practised first, of them those that a scenario leads to; then the oldest."""
    practised: dict[tuple[str, str, str], list[datetime]] = {}
    for run in runs:
        for fault in run.body.faults:
            practised.setdefault((run.body.branch, fault, run.body.shift), []).append(run.at)
    leading: dict[tuple[str, str, str], list[str]] = {}
    for scenario in scenarios:
        for one in scenario.faults:
            leading.setdefault((scenario.branch, one, scenario.shift), []).append(scenario.id)
    cells = [
        Cell(
            branch=branch,
            fault=fault,
            shift=shift,
            scenarios=tuple(leading.get((branch, fault, shift), ())),
            runs=len(practised.get((branch, fault, shift), ())),
            last=max(practised.get((branch, fault, shift), ()), default=None),
        )
        for branch in Branch
        for fault in Fault
        for shift in Shift
    ]
    return tuple(
        sorted(cells, key=lambda one: (one.runs > 0, not one.scenarios, one.last.timestamp() if one.last else 0.0))
    )

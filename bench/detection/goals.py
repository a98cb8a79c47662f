"""The goals of the design sheet against what a run measured, and comparisons worded as measured."""

from __future__ import annotations

from dataclasses import dataclass

from bench.detection.columns import Cell
from bench.detection.measure import Results
from bench.detection.rules.catalogue import OURS, RULES
from bench.detection.scenarios import STRESS

#: False alarms per 1,000 watch-days at most, in every stress; and minutes at most, in the median, per harm.
MOST_FALSE = 10.0
MOST_MINUTES = {"2x": 20.0, "3x": 8.0, "5x": 6.0}

#: Million signal-blocks a second of the vectorised twin at 10,000 signals, at least.
LEAST_SPEED = 3.0

#: A rival is of comparable delay if its median at 3x is at most so many minutes.
COMPARABLE = 15.0

EVERY = tuple(scenario.name for scenario in STRESS)
SPIKES = tuple(scenario.name for scenario in STRESS if scenario.spikes and not scenario.spikes.shared)
WRONG = tuple(scenario.name for scenario in STRESS if not scenario.tolerated)


@dataclass(frozen=True)
class Goal:
    """measured: in the goal's own unit, None if a watch of that rank never fired."""

    says: str
    measured: float | None
    met: bool


def goals(results: Results, rule: str = OURS) -> list[Goal]:
    found = [
        Goal(f"false alarms, {scenario.name}: ≤ {MOST_FALSE:g} per 1,000 watch-days", false, false <= MOST_FALSE)
        for scenario in STRESS
        for false in (results[rule, scenario.name].false_per_1000,)
    ]
    for name, most in MOST_MINUTES.items():
        median = results[rule, name].median
        found.append(Goal(f"median delay at {name}: ≤ {most:g} minutes", median, median is not None and median <= most))
    return found


def rivals() -> list[str]:
    return [rule.name for rule in RULES if not rule.ours]


def comparable(results: Results) -> list[str]:
    """Rivals that find 3x about as soon as the product."""
    return [name for name in rivals() if (results[name, "3x"].median or COMPARABLE + 1) <= COMPARABLE]


def worst(results: Results, rule: str, columns: tuple[str, ...] = EVERY) -> Cell:
    """The stress in which a rule fires most."""
    return max((results[rule, column] for column in columns), key=lambda cell: cell.false_per_1000)


def best_rival(results: Results, column: str) -> Cell | None:
    """The rival of comparable delay that fires least in a stress."""
    cells = [results[name, column] for name in comparable(results)]
    return min(cells, key=lambda cell: cell.false_per_1000, default=None)


def sentences(results: Results) -> list[str]:
    """What may be said of the product beside its rivals, and what must be."""
    near = comparable(results)
    group = f"Of the {len(near)} rivals with a median of at most {COMPARABLE:g} minutes at 3x"
    return [
        _staying(results, group, near, EVERY, "in every column"),
        _staying(results, group, near, WRONG, "in the columns where the candidate is no worse than the baseline"),
        *(_spikes(results, near) if near else []),
        _calm(results),
        _sooner(results, "3x"),
        _sooner(results, "3x late"),
    ]


def _staying(results: Results, group: str, near: list[str], columns: tuple[str, ...], where: str) -> str:
    kept = [name for name in near if worst(results, name, columns).false_per_1000 <= MOST_FALSE]
    if kept:
        stay = "stays" if len(kept) == 1 else "stay"
        return f"{group}, {_listed(kept)} {stay} at or under {MOST_FALSE:g} false alarms per 1,000 watch-days {where}."
    cells = sorted((worst(results, name, columns) for name in near), key=lambda cell: cell.false_per_1000)
    if not cells:
        return "No rival has a comparable delay."
    return (
        f"{group}, none stays at or under {MOST_FALSE:g} false alarms per 1,000 watch-days {where}. The best of them, "
        f"{cells[0].rule}, reaches {figure(cells[0].false_per_1000)} ({cells[0].scenario})."
    )


def _spikes(results: Results, near: list[str]) -> list[str]:
    """Canary-only spikes, one sentence per column."""
    said = []
    for column in SPIKES:
        first, *rest = sorted((results[name, column] for name in near), key=lambda cell: cell.false_per_1000)
        others = f"; all others exceed {_below(rest[0].false_per_1000)}" if rest else ""
        said.append(
            f"Under {column} alone, {first.rule} has the fewest of them: {figure(first.false_per_1000)} per "
            f"1,000{others}. "
            f"{OURS} has {figure(results[OURS, column].false_per_1000)}."
        )
    return said


def _calm(results: Results) -> str:
    calm = [name for name in rivals() if worst(results, name).false_per_1000 <= MOST_FALSE]
    if not calm:
        return f"No rival, of whatever delay, stays at or under {MOST_FALSE:g} in every column."
    each = _listed([f"{name} ({found(results[name, '3x'])} at 3x)" for name in calm])
    return f"Rivals that stay at or under {MOST_FALSE:g} in every column, of whatever delay: {each}."


def _sooner(results: Results, column: str) -> str:
    """Where the product is slower must be said too."""
    ours = results[OURS, column].median
    if ours is None:
        return f"{OURS} does not find {column} in the median."
    cells = [results[name, column] for name in rivals()]
    sooner = sorted((cell.median, cell.rule) for cell in cells if cell.median is not None and cell.median < ours)
    if not sooner:
        return f"No rival finds {column} sooner than {OURS} does ({ours:,.0f} minutes in the median)."
    calmest = min((worst(results, name, WRONG) for _, name in sooner), key=lambda cell: cell.false_per_1000)
    names = _listed([f"{name} ({median:,.0f})" for median, name in sooner])
    return (
        f"Rivals that find {column} sooner than {OURS} does ({ours:,.0f} minutes in the median, without watches that "
        f"had fired wrongly before): {names}. The calmest of them, {calmest.rule}, reaches "
        f"{figure(calmest.false_per_1000)} false alarms per 1,000 watch-days ({calmest.scenario})."
    )


def found(cell: Cell) -> str:
    """The median and p95 delay in words."""
    if cell.median is None:
        return f"found in {100 * (cell.power or 0):.0f} % of watches"
    return f"{cell.median:,.0f} minutes in the median"


def figure(value: float) -> str:
    """A number per 1,000: one decimal below 10."""
    return f"{value:.1f}".removesuffix(".0") if value < 10 else f"{value:,.0f}"


def _below(value: float) -> str:
    """A round number that is exceeded."""
    step = 10 if value > 20 else 1
    return f"{(-(-value // step) - 1) * step:,.0f}"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]

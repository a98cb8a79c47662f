"""docs/detection-benchmark.md and its result file, written from the figures of one run."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from bench.detection.columns import Cell
from bench.detection.goals import COMPARABLE, LEAST_SPEED, Goal, best_rival, figure, goals, sentences
from bench.detection.measure import CHUNK, Form, Results
from bench.detection.rules.catalogue import OURS, RULES, SHIPPED
from bench.detection.scenarios import HARM, LATE, SEED, STRESS
from bench.detection.speed import Speed

PAGE, RESULTS = "detection-benchmark.md", "detection-benchmark.json"


@dataclass(frozen=True)
class Run:
    """All figures of a run.

    compared, furthest: watches judged by twin and product, and the largest difference of their evidence in nats.
    """

    form: Form
    results: Results
    speed: Speed
    compared: int
    furthest: float
    versions: dict[str, str]


def write(run: Run, folder: Path) -> None:
    """The page and the figures it was written from."""
    (folder / PAGE).write_text(page(run))
    (folder / RESULTS).write_text(as_json(run))


def as_json(run: Run) -> str:
    """One line per cell, so that two runs can be compared line by line."""
    head = {
        "seed": SEED,
        "chunk": CHUNK,
        "form": asdict(run.form),
        "versions": run.versions,
        "twin": {"watches": run.compared, "furthest_nats": run.furthest},
        "speed": asdict(run.speed),
    }
    cells = ",\n".join(json.dumps(asdict(cell), ensure_ascii=False) for cell in run.results.values())
    return json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}") + f',\n "cells": [\n{cells}\n]}}\n'


def versions() -> dict[str, str]:
    return {"python": platform.python_version(), **{name: version(name) for name in ("numpy", "scipy", "river")}}


def page(run: Run) -> str:
    return "\n\n".join([_opening(run), _goals(run), _false(run), _delays(run), _speed(run), _how(run)]) + "\n"


def _opening(run: Run) -> str:
    said = "\n".join(f"* {sentence}" for sentence in sentences(run.results))
    return f"""# How often it is wrong, how late it is right

Simulated releases, judged by the detection core and by the rules that people use today, on the same traffic: 1,000
outputs a minute on each arm, of which 0.5 % are bad, ± 50 % over the day. This page is written by
`make bench-detection`; every figure stands in [{RESULTS}]({RESULTS}).

![False alarms under the worst stress against the delay at three times the harm](images/detection-tradeoff.svg)

{said}

"Rival" means our own implementation of a published rule, with the settings below; it is not a vendor's product. A
simulation shows how rules differ on traffic of this shape, not how your traffic behaves."""


def _goals(run: Run) -> str:
    lines = [
        f"| {ours.says} | {_measured(ours)} | {_measured(shipped)} |"
        for ours, shipped in zip(goals(run.results), goals(run.results, SHIPPED), strict=True)
    ]
    return "\n".join(
        [
            "## Goals",
            "",
            f'"{OURS}" has the recommended settings, with `dispersion: 1` and one lane; "as shipped" is what a',
            "playbook gets that states the tolerance alone.",
            "",
            f"| goal | {OURS} | as shipped |",
            "|---|---|---|",
            *lines,
        ]
    )


def _measured(goal: Goal) -> str:
    value = "never" if goal.measured is None else figure(goal.measured)
    return f"{value}, met" if goal.met else f"{value}, **missed**"


def _false(run: Run) -> str:
    beside = [
        f"| {stress.name} | {_false_cell(run.results[OURS, stress.name])} |"
        f" {_false_cell(run.results[SHIPPED, stress.name])} | {_rival(run, stress.name)} |"
        for stress in STRESS
    ]
    heads = [stress.name + (" *" if stress.tolerated else "") for stress in STRESS]
    lines = [
        f"| {rule.name} | "
        + " | ".join(_false_cell(run.results[rule.name, stress.name]) for stress in STRESS)
        + f" | {run.results[rule.name, 'flat'].watches:,} |"
        for rule in RULES
    ]
    return "\n".join(
        [
            "## False alarms per 1,000 watch-days",
            "",
            "With 95 % intervals. Beside the core stands the best rival of comparable delay in each row (median ≤",
            f"{COMPARABLE:g} minutes at 3x).",
            "",
            f"| stress | {OURS} | as shipped | best rival of comparable delay |",
            "|---|---|---|---|",
            *beside,
            "",
            "All rules. In the columns with * the candidate is a little worse: a rule without a tolerance is not",
            "*wrong* there, only unwanted.",
            "",
            "| rule | " + " | ".join(heads) + " | watches |",
            "|---" * (len(STRESS) + 2) + "|",
            *lines,
        ]
    )


def _delays(run: Run) -> str:
    def table(cells: str, show: str) -> list[str]:
        return [
            f"| {cells} | " + " | ".join(scenario.name for scenario in HARM) + " |",
            "|---" * (len(HARM) + 1) + "|",
            *(
                f"| {rule.name} | " + " | ".join(_shown(run.results[rule.name, s.name], show) for s in HARM) + " |"
                for rule in RULES
            ),
        ]

    return "\n".join(
        [
            "## Delays",
            "",
            "![Minutes until harm is found](images/detection-delay.svg)",
            "",
            "Minutes until the rule fired, median / 95th percentile; – for a watch of that rank that never fired; pN:",
            f'only N % of the watches found the harm. "late" begins at minute {LATE}; eN: N % had fired before, and',
            "wrongly; these are left out.",
            "",
            *table("delay", "delay"),
            "",
            "Expected bad outputs served beyond the usual until then, or in all if it never fired, median / 95th",
            "percentile:",
            "",
            *table("excess", "excess"),
        ]
    )


def _speed(run: Run) -> str:
    speed = run.speed
    costs = [
        f"| {rule.name} | {1e3 * run.results[rule.name, 'flat'].seconds:.2f} |"
        f" {run.results[rule.name, '3x'].watches:,} |"
        for rule in RULES
    ]
    return "\n".join(
        [
            "## Speed",
            "",
            "One thread, best of three, same run. These do different work: the core and its twin read one sum per",
            "block, the others raw windows or single numbers.",
            "",
            "| operation | measured |",
            "|---|---|",
            f"| `step`: one rate criterion, one block; its record is made when it is read | {speed.step:.0f} µs |",
            f"| `advance`: the state alone | {speed.advance:.0f} µs |",
            f"| vectorised twin, 10,000 signals a call | {speed.many:.1f} M signal-blocks/s; goal ≥ {LEAST_SPEED:g}:"
            f" {'met' if speed.many >= LEAST_SPEED else '**missed**'} |",
            f"| vectorised twin, 100 signals a call | {speed.few:.1f} M signal-blocks/s |",
            f"| scipy `mannwhitneyu`, 60 + 60 | {speed.mann_whitney:,.0f} windows/s; the twin judges"
            f" {1e6 * speed.many / speed.mann_whitney:,.0f} times as many blocks |",
            f"| river ADWIN | {speed.adwin / 1e6:.1f} M numbers/s; the twin"
            f" {1e6 * speed.many / speed.adwin:.2f} times |",
            f"| river Page–Hinkley | {speed.page_hinkley / 1e6:.1f} M numbers/s; the twin"
            f" {1e6 * speed.many / speed.page_hinkley:.2f} times |",
            "",
            "| rule, as the benchmark runs it | ms per watch-day (flat) | watches per harm |",
            "|---|---|---|",
            *costs,
        ]
    )


def _how(run: Run) -> str:
    named = ", ".join(f"{name} {number}" for name, number in run.versions.items())
    agreed = "in every micronat" if run.furthest == 0 else f"within {run.furthest:.1e} nats"
    return "\n".join(
        [
            "## How it was measured",
            "",
            f"Form `{run.form.name}`: {run.form.stress:,} watches of 24 hours per stress, {run.form.harm:,} per harm,",
            f"at most {run.form.slow:,} for rules that take long (the number stands beside each rule). Seed {SEED},",
            f"{named}.",
            f"The core is judged by a vectorised twin; on {run.compared:,} watches of this run it agreed with",
            f"`countermand.detection.watch.advance` {agreed}.",
            "",
            "| rule | what it does |",
            "|---|---|",
            *(f"| {rule.name} | {rule.says} |" for rule in RULES),
            "",
            "Fixed limits are twice the usual rate: 1 % where 0.5 % is usual, 60 % where 30 % is. The sources of each",
            "rule stand in `bench/detection/rules/`.",
            "",
            "| scenario | meaning |",
            "|---|---|",
            *(f"| {scenario.name} | {scenario.meaning} |" for scenario in (*STRESS, *HARM)),
            "",
            "Not measured here: scores, latency, gaps, mixes of categories, triggers of several criteria, watches",
            "without a concurrent baseline. Within a minute outputs are independent, and who gets the candidate is",
            "random; what happens where that is not so stands in [limits.md](limits.md).",
        ]
    )


def _rival(run: Run, column: str) -> str:
    best = best_rival(run.results, column)
    return "none" if best is None else f"{best.rule}: {_false_cell(best)}"


def _false_cell(cell: Cell) -> str:
    return f"{figure(cell.false_per_1000)} ({figure(cell.low)}–{figure(cell.high)})"


def _shown(cell: Cell, show: str) -> str:
    median, p95 = (cell.median, cell.p95) if show == "delay" else (cell.excess, cell.excess_p95)
    text = " / ".join("–" if value is None else f"{value:,.0f}" for value in (median, p95))
    if show == "delay":
        if cell.power is not None and cell.power < 0.95:
            text += f" p{100 * cell.power:.0f}"
        if cell.false_per_1000 >= 5:
            text += f" e{cell.false_per_1000 / 10:.0f}"
    return text

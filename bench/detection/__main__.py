"""`python -m bench.detection`: false alarms and delays of detection rules on simulated releases.

--short takes about a minute, the plain form about five minutes on one core, --full about ten on two. Figures are
printed; `--out docs` writes the page, its result file and its pictures.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.detection import page, plots
from bench.detection.agreement import furthest
from bench.detection.goals import figure, goals, sentences, worst
from bench.detection.measure import Form, chunks, measure
from bench.detection.rules.catalogue import RULES
from bench.detection.scenarios import SCENARIOS, SEED
from bench.detection.settings import as_shipped, recommended
from bench.detection.speed import measure_speed
from bench.detection.traffic import DAY

FORMS = {
    "short": Form("short", stress=500, harm=500, slow=100, agreement=1),
    "plain": Form("plain", stress=2_000, harm=1_000, slow=500, agreement=3),
    "full": Form("full", stress=8_000, harm=2_000, slow=4_000, agreement=15),
}

#: Scenarios that lead the twin through all of its branches.
_COMPARED = ("diurnal", "noise .6", "20 % unknown", "5:95 traffic", "base 30 %", "canary spikes ×20", "2x late")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.detection", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", dest="form", action="store_const", const="short", default="plain")
    size.add_argument("--full", dest="form", action="store_const", const="full")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="default: all cores")
    parser.add_argument("--out", type=Path, help="folder for the page, its figures and pictures, e.g. docs")
    chosen = parser.parse_args()
    console = Console()
    run = measured(FORMS[chosen.form], chosen.processes, console)
    show(run, console)
    if chosen.out:
        page.write(run, chosen.out)
        plots.draw(run.results, chosen.out / "images")
        console.print(f"written: {chosen.out / page.PAGE}, {chosen.out / page.RESULTS}, {chosen.out / 'images'}")


def measured(form: Form, processes: int, console: Console) -> page.Run:
    console.print(f"detection benchmark, form {form.name!r}, seed {SEED}")
    speed = measure_speed()
    worst_difference = max(
        furthest(build(SCENARIOS[name].usual), SCENARIOS[name], form.agreement, DAY)
        for name in _COMPARED
        for build in (recommended, as_shipped)
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("judging", total=len(chunks(form)))
        results = measure(form, processes, lambda: progress.advance(task))
    return page.Run(form, results, speed, 2 * form.agreement * len(_COMPARED), worst_difference, page.versions())


def show(run: page.Run, console: Console) -> None:
    table = Table("rule", "worst stress", "false/1,000", "2x", "3x", "5x", "3x late", title="detection")
    for rule in RULES:
        most = worst(run.results, rule.name)
        delays = [
            "–" if median is None else f"{median:,.0f}"
            for median in (run.results[rule.name, harm].median for harm in ("2x", "3x", "5x", "3x late"))
        ]
        table.add_row(rule.name, most.scenario, figure(most.false_per_1000), *delays)
    console.print(table)
    console.print(
        f"step {run.speed.step:.0f} µs, advance {run.speed.advance:.0f} µs per rate criterion and block; twin "
        f"{run.speed.many:.1f} M signal-blocks/s at 10,000 signals, {run.speed.few:.1f} M at 100; furthest from the "
        f"product on {run.compared:,} watches: {run.furthest:g} nats"
    )
    for sentence in sentences(run.results):
        console.print(f"• {sentence}")
    for goal in goals(run.results):
        measured_value = "–" if goal.measured is None else figure(goal.measured)
        console.print(f"{'met   ' if goal.met else 'MISSED'} {goal.says}: {measured_value}", highlight=False)


if __name__ == "__main__":
    main()

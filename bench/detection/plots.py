"""The two pictures of the page, as SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.detection.goals import MOST_FALSE, MOST_MINUTES, WRONG, worst
from bench.detection.measure import Results
from bench.detection.rules.catalogue import OURS, RULES, Rival
from bench.detection.traffic import DAY

_OURS, _RIVAL, _GOAL = "#0b6e4f", "#5b6470", "#d8efe4"
_LEAST, _NEVER = 0.05, 2.2 * DAY
_CROWDED = 300
_STYLE = {
    "svg.hashsalt": "detection",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(results: Results, folder: Path) -> None:
    """detection-tradeoff.svg and detection-delay.svg."""
    folder.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(_STYLE):
        for name, figure in (("tradeoff", _tradeoff(results)), ("delay", _delay(results))):
            figure.savefig(folder / f"detection-{name}.svg", metadata={"Date": None}, bbox_inches="tight")


def _tradeoff(results: Results) -> Figure:
    figure = Figure(figsize=(9, 5))
    axes: Axes = figure.subplots()
    axes.set(xscale="log", yscale="log", xlim=(0.7, 1.4 * _NEVER), ylim=(_LEAST / 1.6, 1_800))
    axes.fill_between([0.7, MOST_MINUTES["3x"]], _LEAST / 1.6, MOST_FALSE, color=_GOAL, linewidth=0, zorder=0)
    axes.text(0.76, MOST_FALSE / 1.5, "goal", color=_OURS)
    points = sorted((results[rule.name, "3x"].median or _NEVER, _height(results, rule), rule.name) for rule in RULES)
    ours = {rule.name for rule in RULES if rule.ours}
    place = 0.0
    for x, y, name in points:
        colour = _OURS if name in ours else _RIVAL
        axes.plot(x, y, "D" if name in ours else "o", color=colour, markersize=8 if name in ours else 6, zorder=3)
        if y < _CROWDED:
            side = -1 if x > DAY or name == OURS else 1
            align = "left" if side > 0 else "right"
            axes.annotate(name, (x, y), (7 * side, 9), textcoords="offset points", ha=align, va="center", color=colour)
            continue
        # Near the top many points coincide: their names stand side by side above the plot.
        place = max(place + 0.032, float(axes.transLimits.transform((np.log10(x), 0))[0]))
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "relpos": (0, 0)}
        label = axes.annotate(name, (x, y), (place, 1.05), textcoords="axes fraction", color=colour, arrowprops=line)
        label.set(rotation=45, rotation_mode="anchor", ha="left", va="bottom")
    axes.set_xlabel("median minutes until three times the harm is found")
    axes.set_ylabel("false alarms per 1,000 watch-days, worst stress\n(candidate no worse than the baseline)")
    _minutes(axes)
    axes.set_yticks([_LEAST, 0.1, 1, 10, 100, 1_000], ["0", "0.1", "1", "10", "100", "1,000"])
    axes.minorticks_off()
    return figure


def _height(results: Results, rule: Rival) -> float:
    return max(worst(results, rule.name, WRONG).false_per_1000, _LEAST)


def _delay(results: Results) -> Figure:
    figure = Figure(figsize=(9, 6.6))
    axes: Axes = figure.subplots()
    ordered = sorted(RULES, key=lambda rule: -(results[rule.name, "3x"].median or _NEVER))
    marks = {"2x": ("o", "#c2410c"), "3x": ("s", "#7c3aed"), "5x": ("^", "#1d4ed8")}
    for place, rule in enumerate(ordered):
        for shift, (harm, (mark, colour)) in enumerate(marks.items()):
            cell, y = results[rule.name, harm], place + 0.24 * (1 - shift)
            median, p95 = cell.median or _NEVER, cell.p95 or _NEVER
            axes.plot([median, p95], [y, y], color=colour, linewidth=1.2, alpha=0.6)
            axes.plot(median, y, mark, color=colour, markersize=5, label=harm if place == 0 else None)
    axes.set(xscale="log", xlim=(0.7, 1.4 * _NEVER))
    axes.set_yticks(range(len(ordered)), [rule.name for rule in ordered])
    for label, rule in zip(axes.get_yticklabels(), ordered, strict=True):
        label.set(color=_colour(rule), fontweight="bold" if rule.ours else "normal")
    _minutes(axes)
    axes.set_xlabel("minutes until found: median (mark) to 95th percentile (line), harm from the first minute")
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return figure


def _minutes(axes: Axes) -> None:
    axes.set_xticks([1, 5, 15, 60, 240, DAY, _NEVER], ["1", "5", "15", "60", "240", "1,440", "never"])
    axes.minorticks_off()


def _colour(rule: Rival) -> str:
    return _OURS if rule.ours else _RIVAL

"""The picture of a run: the candidate's share, failed requests and latency, second by second."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import quantiles

import matplotlib as mpl
from countermand.detection.models import Arm
from countermand.plan.target import WHOLE
from matplotlib.figure import Figure

from examples.envoy.load import Request
from examples.envoy.result import Measured

_SEEN, _WANTED, _FAILED, _SLOW = "#0b6e4f", "#5b6470", "#b3261e", "#8a6d1d"
_STYLE = {"svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9, "axes.spines.top": False}


def draw(m: Measured, file: Path) -> None:
    """Write the picture as SVG."""
    zero = m.requests[0].due
    by_second: dict[int, list[Request]] = defaultdict(list)
    for request in m.requests:
        by_second[int(request.due - zero)].append(request)
    seconds = sorted(second for second, group in by_second.items() if len(group) > 1)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 5))
        share, failed = figure.subplots(2, 1, sharex=True)
        seen = [100 * sum(r.arm == Arm.candidate for r in by_second[s]) / len(by_second[s]) for s in seconds]
        share.plot(seconds, seen, ".", color=_SEEN, label="seen by users, each second")
        steps = [(one.since - zero, 100 * one.candidate / WHOLE) for one in m.weights]
        steps.append((m.requests[-1].due - zero, steps[-1][1]))
        share.step(*zip(*steps, strict=True), where="post", color=_WANTED, label="in force in Envoy")
        share.set(ylabel="candidate, %", ylim=(-3, 103), title="A rollback over Envoy, with live traffic")
        for name, at in _marks(m):
            share.axvline(at - zero, color=_WANTED, linewidth=0.6, linestyle=":")
            share.text(at - zero, 103, name, fontsize=7, rotation=30, va="bottom")
        share.legend(loc="center right", frameon=False)
        lost = [sum(request.failed for request in by_second[s]) for s in seconds]
        failed.bar(seconds, lost, color=_FAILED, label="failed requests")
        failed.set(xlabel="seconds", ylabel="failed requests", ylim=(0, max([*lost, 4]) * 1.1))
        slow = failed.twinx()
        p99 = [1_000 * quantiles([request.latency for request in by_second[s]], n=100)[98] for s in seconds]
        slow.plot(seconds, p99, color=_SLOW, linewidth=0.8)
        slow.set_ylabel("p99 latency, ms", color=_SLOW)
        slow.set_ylim(bottom=0)
        figure.savefig(file, bbox_inches="tight")


def _marks(m: Measured) -> list[tuple[str, float]]:
    marks = [("incident", m.view.opened_at.timestamp())]
    ask = m.view.ask
    if ask is not None and ask.closed_at is not None:
        marks.append((ask.status, ask.closed_at.timestamp()))
    if m.view.closed_at is not None:
        marks.append(("healthy again", m.view.closed_at.timestamp()))
    return marks

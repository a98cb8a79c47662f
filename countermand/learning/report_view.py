"""A backtest report as facts for pages: sentences, rows of tables, and places on a line of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from countermand.detection.figures import plural, span
from countermand.learning.report import BacktestReport, Fired, IncidentRow, QuietRow, Rate
from countermand.playbook.plain_words import spoken, words

#: Width of a line of time.
WIDTH = 1_000


class Mark(NamedTuple):
    """An instant on a line of time. shape: which of the signs of the legend; x: 0 … WIDTH."""

    shape: str
    x: int
    text: str


class Line(NamedTuple):
    """One stretch of time. harm_x: where harm begins, None if it does not or nobody knows."""

    name: str
    title: str
    begins: str
    ends: str
    harm_x: int | None
    marks: tuple[Mark, ...]
    sentences: tuple[str, ...]


class Facts(NamedTuple):
    """Everything a page shows; `verdict` is what a person reads in ten seconds."""

    digest: str
    current: str
    proposed: str
    change: tuple[str, ...]
    verdict: tuple[str, ...]
    honesty: tuple[str, ...]
    incidents: tuple[Line, ...]
    quiet: tuple[Line, ...]
    figures: tuple[tuple[str, str, str], ...]
    sensitivity: tuple[tuple[str, str, str, str, str], ...]
    leave_one_out: tuple[tuple[str, str, str], ...]
    detectable: tuple[str, ...]


def facts(report: BacktestReport) -> Facts:
    """The facts of one report, in the order in which they are read."""
    return Facts(
        digest=report.digest,
        current=report.current_digest,
        proposed=report.proposed_digest,
        change=report.change,
        verdict=report.sentences,
        honesty=report.honesty.sentences,
        incidents=tuple(_incident(row) for row in report.incidents),
        quiet=tuple(_quiet(row) for row in report.quiet),
        figures=tuple(_figures(report)),
        sensitivity=tuple(
            (
                row.place,
                f"{row.percent:+} %",
                row.value,
                row.refused or (f"misses {spoken(list(row.missed))}" if row.missed else "catches all"),
                "–" if row.refused else str(row.false_alarms),
            )
            for row in report.sensitivity
        ),
        leave_one_out=tuple(
            (row.episode_id, "caught" if row.caught else "missed", row.sentence) for row in report.leave_one_out
        ),
        detectable=tuple(_detectable(report)),
    )


def _incident(row: IncidentRow) -> Line:
    # The hours before harm began say nothing here: the line begins a little before it.
    begins = row.begins
    if row.harm_start is not None:
        begins = max(begins, row.harm_start - (row.cut_at - row.harm_start) / 8)
    whole = row.cut_at - begins
    marks = [
        Mark(shape, _x(at, begins, whole), f"{text} {_clock(at)}")
        for shape, text, at in (
            ("harm", "harm began", row.harm_start),
            ("actual", "the live watch fired", row.actual_at),
            ("current", "current version", row.current.at),
            ("proposed", "proposed version", row.proposed.at),
        )
        if at is not None and at >= begins
    ]
    said = [_said("Current version", row.current), _said("Proposed version", row.proposed)]
    for bad in row.bad_served:
        least = "at least " if bad.at_least else ""
        said.append(
            f"Bad outputs of {words(bad.signal)} until then: {bad.current:,} with the current version, "
            f"{least}{bad.proposed:,} with the proposed one."
        )
    return Line(
        name=row.episode_id,
        title=f"{row.episode_id}: {words(row.kind)}, {row.source}",
        begins=_clock(begins),
        ends=_clock(row.cut_at),
        harm_x=None if row.harm_start is None else _x(row.harm_start, begins, whole),
        marks=tuple(marks),
        sentences=tuple(said),
    )


def _said(name: str, side: Fired) -> str:
    unknown = f" {side.unknown_rows} blocks before were unknown." if side.unknown_rows else ""
    if side.at is None:
        return f"{name}: would have missed it.{unknown}"
    signals = list(dict.fromkeys(words(one.signal) for one in side.carried_by))
    parts = [f"{name}: {spoken([words(one.replace('-', '_')) for one in side.triggers])} at {_clock(side.at)}"]
    if side.after_harm_s is not None:
        parts.append(f"{minutes(side.after_harm_s)} after harm began")
    if side.after_actual_s is not None:
        late = side.after_actual_s
        parts.append(
            "when the live watch fired"
            if not late
            else f"{minutes(late)} {'later' if late > 0 else 'earlier'} than the live watch"
        )
    brought = f" Brought by {spoken(signals)}." if signals else ""
    return f"{', '.join(parts)}.{brought}{unknown}"


def _quiet(row: QuietRow) -> Line:
    whole = row.ends - row.begins
    sides = (("current", "current version", row.current), ("proposed", "proposed version", row.proposed))
    marks = tuple(
        Mark(
            shape,
            _x(alarm.at, row.begins, whole),
            f"{text}: {words(alarm.trigger.replace('-', '_'))} {_clock(alarm.at)}",
        )
        for shape, text, side in sides
        for alarm in side.alarms
    )
    said = [
        f"{text.capitalize()}: {side.asks} {'ask' if side.asks == 1 else plural('ask')} for nothing"
        + (f" ({', '.join(_clock(at) for at in sorted({alarm.at for alarm in side.alarms}))})" if side.alarms else "")
        + (f", ramp held {side.flaps} times, at most {minutes(side.longest_hold_s)}" if side.flaps else "")
        + (f", {side.unknown_rows} blocks unknown" if side.unknown_rows else "")
        + "."
        for _, text, side in sides
    ]
    return Line(
        name=row.episode_id,
        title=f"{row.episode_id}: {span(whole)}, {row.source}",
        begins=_clock(row.begins),
        ends=_clock(row.ends),
        harm_x=None,
        marks=marks,
        sentences=tuple(said),
    )


def _figures(report: BacktestReport) -> Iterator[tuple[str, str, str]]:
    """(what, current, proposed), counts before rates."""
    now, then = report.honesty.current, report.honesty.proposed
    incidents = [row for row in report.incidents if row.kind == "incident"]
    yield (
        "incidents caught",
        f"{sum(row.current.at is not None for row in incidents)} of {len(incidents)}",
        f"{sum(row.proposed.at is not None for row in incidents)} of {len(incidents)}",
    )
    yield f"asks for nothing in {now.weeks} quiet weeks", str(now.asks), str(then.asks)
    yield "false alarms, every trigger counted", str(now.alarms), str(then.alarms)
    yield "asks for nothing a week", _rate(now), _rate(then)
    cost = report.cost
    yield "bad outputs before the trigger", f"{cost.current.bad_served:,}", f"{cost.proposed.bad_served:,}"
    yield "ramps held for nothing", str(cost.current.held_ramps), str(cost.proposed.held_ramps)


def _rate(rate: Rate) -> str:
    if rate.asks_per_week is None:
        return "not known"
    spread = f", bootstrap {rate.from_boot} to {rate.to_boot}" if rate.from_boot else ""
    return f"{rate.asks_per_week} (95 %: at most {rate.upper_per_week}{spread})"


def _detectable(report: BacktestReport) -> Iterator[str]:
    for row in report.honesty.detectable:
        name = f"{words(row.trigger.replace('-', '_'))}, {words(row.signal)}"
        if row.why is not None:
            yield f"{name}: {row.why}."
            continue
        double = "" if row.blocks_to_double is None else f"; twice is found after about {row.blocks_to_double} blocks"
        yield f"{name}: the smallest harm found within the watch is {row.smallest_times} times the usual{double}."


def minutes(seconds: int) -> str:
    """A length in minutes as people say it; below two minutes in seconds."""
    length = abs(seconds)
    return f"{length} s" if length < 120 else f"{length // 60} min"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at.second else f"{at:%Y-%m-%d %H:%M} UTC"


def _x(at: datetime, begins: datetime, whole: timedelta) -> int:
    return min(max(round((at - begins) / whole * WIDTH), 0), WIDTH)

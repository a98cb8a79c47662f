"""`criteria test`: does each criterion fire on planted harm and on nothing else. `criteria replay`: judge the past.

Both judge as a live watch does. Random numbers come from a stated seed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from countermand.cli import criteria_rows
from countermand.cli.criteria_rows import From, To
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import (
    Column,
    Format,
    FormatOption,
    JsonObject,
    detail,
    items,
    on_terminal,
    print_json,
    print_json_line,
    say,
    sign,
    spoken,
)
from countermand.cli.playbook_commands import PlaybookFile, traffic_of, usable

if TYPE_CHECKING:
    from countermand.detection.blocks import Row
    from countermand.detection.evaluator import Change
    from countermand.detection.trial import Setting, TriggerTrial
    from countermand.playbook.criteria import Detection

app = typer.Typer(no_args_is_help=True, help="Criteria: try them before trusting them, judge the past with them.")

#: Outputs per minute and arm of synthetic rows, where nobody says.
_PER_MINUTE = 1_000
#: Synthetic rows, if the watch is longer.
_MOST_ROWS = 3_000
_AT = timedelta(minutes=30)
_SPIKE = timedelta(minutes=2)
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)

_COLUMNS = (
    Column("TRIGGER", "trigger"),
    Column("CRITERION", "criterion"),
    Column("PLANTED", "planted"),
    Column("FOUND AFTER", "found"),
    Column("FORECAST", "forecast"),
    Column("RESULT", "state", state=True),
)

RowsFile = Annotated[Path | None, typer.Option("--rows", metavar="FILE", help="Rows that `release rows` wrote.")]
Release = Annotated[str | None, typer.Option("--release", metavar="ID", help="The sealed rows of this release.")]


@app.command("test")
def try_out(
    file: PlaybookFile,
    trigger: Annotated[str | None, typer.Option("--trigger", metavar="T", help="Only this trigger.")] = None,
    times: Annotated[
        float | None, typer.Option("--times", min=1, max=1_000, help="Plant this multiple of the usual badness.")
    ] = None,
    points: Annotated[
        str | None,
        typer.Option("--points", metavar="N", help="Plant this much more: 0.02 or 2%; scores in their units."),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="When the harm begins: 0s at deploy. Default 30m, or a quarter."),
    ] = None,
    spike: Annotated[
        str | None, typer.Option("--spike", metavar="'10x for 2m'", help="The burst that must not fire.")
    ] = None,
    rows: RowsFile = None,
    release: Release = None,
    per_minute: Annotated[
        str | None, typer.Option("--per-minute", metavar="N[:M]", help="Synthetic outputs per minute on each arm.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed plants the same outputs.")] = 1,
    output: FormatOption = Format.table,
) -> None:
    """Plant harm, a burst and nothing: each criterion must fire in time on the first only. Exit 5 if one does not."""
    from random import Random

    from countermand.detection import harm
    from countermand.detection.synthetic import synthetic
    from countermand.detection.trial import trials
    from countermand.playbook.planning import traffic_of as stated

    detection = _chosen(usable(file).detection, trigger)

    def draws(name: str) -> Iterator[float]:
        return iter(Random(f"{seed}/{name}").random, None)  # noqa: S311  # a trial, not a secret

    if rows is None and release is None:
        given = traffic_of(per_minute)
        assumed = {name: (_PER_MINUTE, _PER_MINUTE) for name in detection.signals}
        minutes = detection.block.total_seconds() / 60
        traffic = {name: (round(n * minutes), round(m * minutes)) for name, (n, m) in assumed.items()}
        traffic |= stated(detection, given)
        count = min(detection.watch_blocks, _MOST_ROWS)
        known = list(synthetic(detection, traffic, count, _BEGIN, draws("rows")))
        usual = harm.expected(detection)
        where = f"{count:,} synthetic blocks, seed {seed}"
    else:
        if per_minute is not None:
            raise Failure(Exit.usage, "recorded rows have their own traffic", accepted="--per-minute without them")
        known = _recorded(rows, release)
        usual, traffic = harm.observed(detection, known), harm.traffic_seen(detection, known)
        where = f"{len(known):,} recorded rows"
    setting = _setting(detection, len(known), times, points, at, spike)
    found: list[TriggerTrial] = []
    with _progress(len(detection.triggers), quiet=output is not Format.table) as advance:
        try:
            for one in trials(detection, known, usual, traffic, setting, draws):
                found.append(one)
                advance()
        except ValueError as error:
            raise Failure(Exit.usage, str(error)) from None
    _print_trials(detection, found, where, output)
    if not all(one.as_promised for one in found):
        raise typer.Exit(Exit.failed)


@app.command()
def replay(
    file: PlaybookFile,
    rows: RowsFile = None,
    release: Release = None,
    begin: From = None,
    end: To = None,
    output: FormatOption = Format.table,
) -> None:
    """Judge a past stretch of time with this playbook: every change of the verdict, and where it would have fired."""
    from countermand.detection.blocks import Row
    from countermand.detection.evaluator import changes, fired

    detection = usable(file).detection
    _one_source(rows, release)
    judged: list[JsonObject] = []
    if rows is not None:
        known = criteria_rows.of_file(rows, begin, end)
    else:
        fetched = list(criteria_rows.of_release(release or "", begin, end))
        known = [Row.model_validate(item["row"]) for item in fetched]
        judged = [item["judged"] for item in fetched if item["judged"]]
    if not known:
        raise Failure(Exit.usage, "there are no sealed rows in this time", accepted="a time in which it was watched")
    try:
        told = list(changes(detection, known))
    except ValueError as error:
        raise Failure(
            Exit.usage, str(error), accepted="rows of one release in order, in blocks of the playbook"
        ) from None
    first = next((change for change in told if fired(change.verdict)), None)
    shown = [_change(change) for change in told]
    body = {
        "schema": "countermand.criteria_replay/v1",
        "rows": len(known),
        "items": shown,
        "first_trigger": _change(first) if first else None,
        "fired_then": _fired_then(judged, known[0].block) if release is not None else None,
    }
    lines = [f"{change['at']}  {sign(change['word'])} {change['word']}: {change['sentence']}" for change in shown]
    detail(body, [*lines, "", *_summary(body)], output)


# --- criteria test ------------------------------------------------------------------------------------------------


def _chosen(detection: Detection, trigger: str | None) -> Detection:
    """The playbook's detection with only this trigger; its part of the budget stays what it was."""
    if trigger is None:
        return detection
    chosen = tuple(one for one in detection.triggers if one.id == trigger)
    if not chosen:
        known = ", ".join(one.id for one in detection.triggers)
        raise Failure(Exit.usage, f"no trigger {trigger!r} in this playbook", accepted=known)
    return detection.model_copy(update={"triggers": chosen})


def _recorded(rows: Path | None, release: str | None) -> list[Row]:
    from countermand.detection.blocks import Row

    _one_source(rows, release)
    if rows is not None:
        return criteria_rows.of_file(rows)
    return [Row.model_validate(item["row"]) for item in criteria_rows.of_release(release or "", None, None)]


def _one_source(rows: Path | None, release: str | None) -> None:
    if (rows is None) == (release is None):
        raise Failure(Exit.usage, "which rows?", accepted="exactly one of --release ID and --rows FILE")


def _setting(
    detection: Detection, rows: int, times: float | None, points: str | None, at: str | None, spike: str | None
) -> Setting:
    from countermand.detection.trial import Setting
    from countermand.playbook.units import parse_duration, parse_number

    if times is not None and points is not None:
        raise Failure(Exit.usage, "a multiple and a difference at once", accepted="one of --times and --points")
    burst = re.fullmatch(r"\s*(\d+(?:\.\d+)?)x for (\w+)\s*", spike) if spike is not None else None
    if spike is not None and burst is None:
        raise Failure(Exit.usage, f"{spike!r} is not a burst", accepted="how bad and how long: '10x for 2m'")
    usual_burst = min(_SPIKE, 2 * detection.sustain / 5)
    try:
        return Setting(
            times=times,
            points=float(parse_number(points)) if points is not None else None,
            at=min(_AT, rows * detection.block / 4) if at is None else parse_duration(at),
            spike_times=float(burst[1]) if burst else 10,
            spike=parse_duration(burst[2]) if burst else usual_burst,
        )
    except ValueError as error:
        raise Failure(Exit.usage, str(error)) from None


def _print_trials(detection: Detection, found: list[TriggerTrial], where: str, output: Format) -> None:
    dumped = [one.model_dump(mode="json") for one in found]
    match output:
        case Format.json:
            print_json({"schema": "countermand.criteria_test/v1", "on": where, "items": dumped})
        case Format.jsonl:
            for body in dumped:
                print_json_line(body)
        case _:
            items({"items": [line for one in found for line in _flat(detection, one)]}, _COLUMNS, output)
            say(f"On {where}.", *(f"{'✓' if one.as_promised else '✗'} {one.sentence}" for one in found))
            say(*(f"  {spoken(c.signal)} of {one.trigger}: {c.why}" for one in found for c in one.criteria if c.why))


def _flat(detection: Detection, one: TriggerTrial) -> Iterator[JsonObject]:
    from countermand.detection.figures import span

    def long(blocks: int | None) -> str | None:
        return None if blocks is None else span(blocks * detection.block)

    for criterion in one.criteria:
        forecast = f"{long(criterion.median)}, 19 of 20 within {long(criterion.p95)}" if criterion.p95 else None
        yield {
            "trigger": one.trigger,
            "criterion": spoken(criterion.signal),
            "planted": criterion.planted,
            "found": long(criterion.after),
            "forecast": forecast,
            "state": criterion.state,
        }


def _progress(total: int, *, quiet: bool) -> Any:
    """A context that gives a function to call after each trigger; shows a bar on a terminal."""
    if quiet or not on_terminal():
        return nullcontext(lambda: None)
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import Progress

    @contextmanager
    def bar() -> Iterator[Any]:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("trying triggers", total=total)
            yield lambda: progress.advance(task)

    return bar()


# --- criteria replay ----------------------------------------------------------------------------------------------


def _change(change: Change) -> JsonObject:
    from countermand.canonical import instant
    from countermand.detection.evaluator import fired

    verdict = change.verdict
    return {
        "at": instant(change.at),
        "word": verdict.word.value,
        "sentence": verdict.sentence,
        "triggers": fired(verdict),
    }


def _fired_then(judged: list[JsonObject], block: timedelta) -> JsonObject | None:
    """When the live watch of the release first said that a trigger fired, in these rows; None if it never did."""
    from countermand.canonical import instant, parse_instant

    for record in judged:
        triggers = sorted(name for name, found in record["triggers"].items() if found["word"] == "trigger")
        if triggers:
            return {"at": instant(parse_instant(record["start"]) + block), "triggers": triggers}
    return None


def _summary(body: JsonObject) -> Iterator[str]:
    first, then = body["first_trigger"], body["fired_then"]
    rows = f"{body['rows']:,} rows, judged as if the watch had begun with the first"
    if first is None:
        yield f"Nothing would have fired. {rows}."
    else:
        yield f"{', '.join(map(spoken, first['triggers']))} would have fired at {first['at']}. {rows}."
    if then is not None:
        yield f"Then, {', '.join(map(spoken, then['triggers']))} fired at {then['at']}."
    elif first is not None and "fired_then" in body:
        yield "Then, nothing is known to have fired."

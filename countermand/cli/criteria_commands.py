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

from countermand.cli import criteria_replay, criteria_rows
from countermand.cli.criteria_report import print_trials
from countermand.cli.criteria_rows import Release, RowsFile, one_source
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, on_terminal
from countermand.cli.playbook_commands import PlaybookFile, traffic_of, usable

if TYPE_CHECKING:
    from countermand.detection.blocks import Row
    from countermand.detection.tried import Setting, TriggerTrial
    from countermand.playbook.criteria import Detection

app = typer.Typer(no_args_is_help=True, help="Criteria: try them before trusting them, judge the past with them.")
app.command("replay")(criteria_replay.replay)

#: Outputs per minute and arm of synthetic rows, where nobody says.
_PER_MINUTE = 1_000
#: Synthetic rows, if the watch is longer.
_MOST_ROWS = 3_000
_AT = timedelta(minutes=30)
_SPIKE = timedelta(minutes=2)
_BEGIN = datetime(2026, 1, 5, tzinfo=UTC)


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
        where, unlike = f"{count:,} synthetic blocks, seed {seed}", []
    else:
        if per_minute is not None:
            raise Failure(Exit.usage, "recorded rows have their own traffic", accepted="--per-minute without them")
        known = _recorded(rows, release)
        usual, traffic = harm.observed(detection, known), harm.traffic_seen(detection, known)
        where, unlike = f"{len(known):,} recorded rows, seed {seed}", list(harm.differences(detection, known))
    setting = _setting(detection, len(known), times, points, at, spike)
    found: list[TriggerTrial] = []
    with _progress(len(detection.triggers), quiet=output is not Format.table) as advance:
        try:
            for one in trials(detection, known, usual, traffic, setting, draws):
                found.append(one)
                advance()
        except ValueError as error:
            raise Failure(Exit.usage, str(error)) from None
    print_trials(detection, found, where, unlike, output)
    if not all(one.as_promised for one in found):
        raise typer.Exit(Exit.failed)


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

    one_source(rows, release)
    if rows is not None:
        return criteria_rows.of_file(rows)
    return [Row.model_validate(item["row"]) for item in criteria_rows.of_release(release or "", None, None)]


def _setting(
    detection: Detection, rows: int, times: float | None, points: str | None, at: str | None, spike: str | None
) -> Setting:
    from countermand.detection.tried import Setting
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

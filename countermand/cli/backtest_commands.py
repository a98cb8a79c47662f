"""`backtest run|check|list|label|export|import`: a proposed playbook on the past. It adopts nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from countermand.cli import client, criteria_rows
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, on_terminal, say, sign
from countermand.cli.output import spoken as readable

if TYPE_CHECKING:
    from countermand.learning.backtest import Found
    from countermand.learning.processes import Progress

app = typer.Typer(no_args_is_help=True, help="Backtests: a proposed playbook on the labelled past. They adopt nothing.")

_COLUMNS = (
    Column("episode", "episode_id"),
    Column("was", "kind"),
    Column("begins", "begins"),
    Column("ends", "ends"),
    Column("label", "label_version"),
    Column("by", "labelled_by"),
)

Folder = Annotated[
    Path, typer.Option("--episodes", metavar="DIR", help="Files *.episode.jsonl, as `backtest export` writes them.")
]


@app.command()
def run(
    current: Annotated[Path, typer.Option("--current", metavar="FILE", help="The playbook in force.")],
    proposed: Annotated[Path, typer.Option("--proposed", metavar="FILE", help="The playbook that is proposed.")],
    episodes: Folder,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same report.")] = 1,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the whole report as Markdown.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Judge every episode with both versions, by the function that judges live. Exit 5 if a caught incident is missed.

    Runs on this machine in two processes; Ctrl-C ends them.
    """
    from countermand.learning.report_markdown import markdown as written

    found = _found(current, proposed, episodes, seed, quiet=output is not Format.table)
    report = found.report
    if markdown is not None:
        markdown.write_text(written(report), encoding="utf-8")
    body = {
        "digest": report.digest,
        "report": report.model_dump(mode="json"),
        "suggestions": [one.model_dump(mode="json") for one in found.suggestions],
    }
    lines = [*report.sentences, "", *report.honesty.sentences, "", f"Backtest digest {report.digest}"]
    detail(body, lines, output)
    if report.missed:
        raise typer.Exit(Exit.failed)


def _found(current: Path, proposed: Path, folder: Path, seed: int, *, quiet: bool) -> Found:
    from random import Random

    from countermand.canonical import digest_bytes
    from countermand.learning.backtest import report
    from countermand.learning.episode_file import header
    from countermand.learning.processes import BacktestStopped, Limits, judge
    from countermand.learning.versions import Versions
    from countermand.playbook.load import PlaybookErrors, parse

    def draws(name: str) -> Iterator[float]:
        return iter(Random(f"{seed}/{name}").random, None)  # noqa: S311  # a bootstrap, not a secret

    files = _files(folder)
    try:
        texts = [file.read_bytes() for file in (current, proposed)]
        versions = Versions(parse(texts[0], str(current)), parse(texts[1], str(proposed)))
        episodes = [(header(file).episode, file) for file in files]
        with _progress(quiet=quiet) as told:
            tried = judge(versions, episodes, Limits(), told)
        return report(versions, (digest_bytes(texts[0]), digest_bytes(texts[1])), tried, seed, draws)
    except OSError as error:
        raise Failure(
            Exit.usage, f"{error.filename!r} cannot be read: {error.strerror}", accepted="a playbook"
        ) from None
    except (PlaybookErrors, ValueError, BacktestStopped) as error:
        raise Failure(Exit.usage, str(error), accepted="two playbooks and episodes of one service") from None


def _files(folder: Path) -> list[Path]:
    from countermand.learning.episode_file import SUFFIX

    found = sorted(folder.glob(f"*{SUFFIX}"))
    if not found:
        raise Failure(Exit.usage, f"no episode in {str(folder)!r}", accepted=f"a directory with files *{SUFFIX}")
    return found


def _progress(*, quiet: bool) -> Any:
    """A context that gives a function to tell the progress to; shows a bar on a terminal."""
    if quiet or not on_terminal():
        return nullcontext(_silent)
    return _bar()


def _silent(_: Progress) -> None:
    return


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("judging", total=None)
        yield lambda now: bar.update(task, description=now.phase, completed=now.done, total=now.total)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Episode files.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Read episode files line by line and say what is wrong. Exit 5 if one cannot be used."""
    from countermand.learning.episode_file import EpisodeFault
    from countermand.learning.episode_file import check as checked

    told: list[JsonObject] = []
    for file in files:
        try:
            episode = checked(file)
            told.append({"file": str(file), "state": "ok", "said": f"{episode.episode_id}, {readable(episode.kind)}"})
        except EpisodeFault as error:
            told.append({"file": str(file), "state": "failed", "said": str(error)})
    lines = [f"{sign('verified' if one['state'] == 'ok' else 'failed')} {one['file']}: {one['said']}" for one in told]
    detail({"schema": "countermand.episode_check/v1", "items": told}, lines, output)
    if any(one["state"] == "failed" for one in told):
        raise typer.Exit(Exit.failed)


@app.command("list")
def list_(
    service: Annotated[str | None, typer.Option("--service", help="Only this service.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Every watch of the past as an episode, and what people said it was."""
    query = {} if service is None else {"service": service}
    body = client.Api.signed_in().get("/api/v1/episodes", **query)
    items(body, _COLUMNS, output)


@app.command()
def label(
    episode_id: Annotated[str, typer.Argument(help="For example watch-support-assistant-v7.", show_default=False)],
    kind: Annotated[
        Literal["incident", "near_miss", "quiet", "unknown"],
        typer.Option("--kind", help="What it was: incident, near_miss, quiet or unknown."),
    ],
    version: Annotated[int, typer.Option("--version", min=1, help="One above the newest label, as `list` prints it.")],
    harm_start: Annotated[
        str | None, typer.Option("--harm-start", metavar="TIME", help="When harm began: 2026-11-20T03:00Z.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    output: FormatOption = Format.table,
) -> None:
    """Say what an episode was. Backtests use the newest label; the Ledger keeps all of them."""
    from datetime import UTC, datetime

    said: JsonObject = {"kind": kind, "version": version, "note": note}
    if harm_start is not None:
        said["harm_start"] = criteria_rows.instant_of(harm_start, datetime.now(UTC)).isoformat()
    body = client.Api.signed_in().post(f"/api/v1/episodes/{episode_id}/labels", said)
    episode = body["episode"]
    line = (
        f"{sign('accepted')} {episode['episode_id']} is {readable(episode['kind'])}, label {episode['label_version']}"
    )
    detail(body, [line], output)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write one file per episode.", show_default=False)],
    service: Annotated[str | None, typer.Option("--service", help="Only this service.")] = None,
) -> None:
    """Write every episode with its sealed rows as a portable file `countermand.episode/v1`."""
    from countermand.detection.blocks import Row
    from countermand.learning.episode import Episode
    from countermand.learning.episode_file import SUFFIX, written
    from countermand.learning.feeding import fed

    query = {} if service is None else {"service": service}
    found = client.Api.signed_in().get("/api/v1/episodes", **query)["items"]
    folder.mkdir(parents=True, exist_ok=True)
    for one in map(Episode.model_validate, found):
        rows = (Row.model_validate(item["row"]) for item in criteria_rows.of_release(one.release_id, None, None))
        file = folder / f"{one.episode_id}{SUFFIX}"
        try:
            file.write_bytes(written(one, list(fed(one, rows))))
        except ValueError as error:
            raise Failure(
                Exit.failed, f"{one.episode_id!r} cannot be written: {error}", accepted="sealed rows"
            ) from None
        say(f"{sign('accepted')} {file}")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="A folder of episode files.", show_default=False)],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The console's data directory: COUNTERMAND_DATA.")
    ],
) -> None:
    """Check a folder of episode files and copy them where the console finds them. All of them, or none."""
    from shutil import copyfile

    from countermand.learning.episode_file import IMPORTED, SUFFIX, EpisodeFault
    from countermand.learning.episode_file import check as checked

    if not data.is_dir():
        raise Failure(Exit.usage, f"there is no directory {str(data)!r}", accepted="the console's data directory")
    to = data / IMPORTED
    copies: dict[Path, Path] = {}
    for file in _files(folder):
        try:
            kept = to / f"{checked(file).episode_id}{SUFFIX}"
        except EpisodeFault as error:
            raise Failure(Exit.failed, str(error), accepted="files as `backtest export` writes them") from None
        if kept in copies or (kept.exists() and kept.read_bytes() != file.read_bytes()):
            raise Failure(
                Exit.failed,
                f"{str(file)!r} says otherwise than {str(copies.get(kept, kept))!r}, an episode of the same name",
                accepted="one file per episode; remove the one that is wrong",
            )
        copies[kept] = file
    to.mkdir(exist_ok=True)
    for kept, file in copies.items():
        copyfile(file, kept)
        say(f"{sign('accepted')} {kept}")

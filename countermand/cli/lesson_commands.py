"""`lessons list|write|answer|use|export`: what was learned, where it applies, and what became of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Column, Format, FormatOption, detail, items, sign

app = typer.Typer(no_args_is_help=True, help="Lessons: find, write, say whether one applies, use, export.")

LessonArgument = Annotated[str, typer.Argument(help="For example lesson-7f3a2c1d.", show_default=False)]
TagOption = Annotated[
    list[str] | None, typer.Option("--tag", metavar="GROUP:WORD", help="For example family:safety; may be given again.")
]
WhyOption = Annotated[str, typer.Option("--reason", help="Why, in one sentence.")]
_COLUMNS = (Column("LESSON", "lesson_id"), Column("TITLE", "title"), Column("TAGS", "tags"), Column("FROM", "source"))


class Use(StrEnum):
    """What can be made of a lesson."""

    scenario = "scenario"
    criterion = "criterion"
    accepted_risk = "accepted_risk"


class Source(StrEnum):
    """Where a lesson is learned."""

    incident = "incident"
    near_miss = "near_miss"
    rehearsal = "rehearsal"
    sandbox = "sandbox"


class Place(StrEnum):
    """Where a lesson is shown."""

    playbook = "playbook"
    release = "release"
    rehearsal = "rehearsal"


@app.command("list")
def list_(
    words: Annotated[str, typer.Argument(help="Words that stand in it.")] = "",
    tag: TagOption = None,
    output: FormatOption = Format.table,
) -> None:
    """The lessons with these words and tags, newest first."""
    body = client.Api.signed_in().get("/api/v1/lessons", q=words or None, tag=tag or None)
    items({**body, "items": [one | {"tags": ", ".join(one["tags"])} for one in body["items"]]}, _COLUMNS, output)


@app.command()
def write(
    title: Annotated[str, typer.Option(help="The lesson in one sentence.", show_default=False)],
    text: Annotated[str, typer.Option(help="What others should do differently; no names.", show_default=False)],
    source: Annotated[Source, typer.Option(help="Where it was learned.", show_default=False)],
    about: Annotated[str, typer.Option(help="Id of that incident, rehearsal or sandbox.", show_default=False)],
    tag: TagOption = None,
    public: Annotated[bool, typer.Option("--public", help="It may be exported, without names.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Write one: one to three for each review, rehearsal or sandbox."""
    said = {"title": title, "text": text, "tags": tag or [], "source": source.value, "about": about}
    body = client.Api.signed_in().post("/api/v1/lessons", {**said, "share": "public" if public else "internal"})
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


@app.command()
def answer(
    lesson_id: LessonArgument,
    place: Annotated[Place, typer.Option(help="Where it was shown.", show_default=False)],
    about: Annotated[str, typer.Option(help="Digest of the playbook, or id of the release.", show_default=False)],
    applies: Annotated[bool, typer.Option("--applies/--does-not-apply", help="Does it apply there?")],
    reason: WhyOption = "",
    output: FormatOption = Format.table,
) -> None:
    """Say whether a lesson applies where it was shown; where it does not, say why."""
    said = {"place": place.value, "about": about, "applies": applies, "reason": reason}
    body = client.Api.signed_in().post(f"/api/v1/lessons/{lesson_id}/answers", said)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


@app.command()
def use(
    lesson_id: LessonArgument,
    as_: Annotated[Use, typer.Option("--as", help="What is made of it.", show_default=False)],
    link: Annotated[str, typer.Option(help="Where it is kept, if it is anywhere yet.")] = "",
    reason: WhyOption = "",
    output: FormatOption = Format.table,
) -> None:
    """Begin a rehearsal scenario or a criterion in the shadow with it, or accept the risk. Prints the beginning."""
    said = {"use": as_.value, "link": link, "reason": reason}
    body = client.Api.signed_in().post(f"/api/v1/lessons/{lesson_id}/uses", said)
    detail(body, [f"{sign('accepted')} {body['sentence']}", *str(body["text"]).splitlines()], output)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the pages go.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Static pages, an Atom feed and a JSON feed of the lessons marked public. Names and incidents stay out."""
    files: dict[str, str] = client.Api.signed_in().get("/api/v1/lessons/export")["files"]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / Path(name).name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(Exit.failed, f"{folder}: {error.strerror}", next="Name a folder that can be written.") from error
    listed = {"schema": "countermand.lesson_export/v1", "folder": str(folder), "files": sorted(files)}
    detail(listed, [f"{sign('accepted')} {len(files)} files in {folder}"], output)

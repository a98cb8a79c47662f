"""Sealed rows for trying and judging criteria: from a file, or from the console, for a stretch of time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject, print_json_line

if TYPE_CHECKING:
    from countermand.detection.blocks import Row

From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="First block: 2026-11-20T03:00Z or 2h ago.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Blocks before this; the same forms, or now.")]

RowsFile = Annotated[Path | None, typer.Option("--rows", metavar="FILE", help="Rows that `release rows` wrote.")]
Release = Annotated[str | None, typer.Option("--release", metavar="ID", help="The sealed rows of this release.")]


def rows(
    release_id: Annotated[str, typer.Argument(help="For example support-assistant-v7.", show_default=False)],
    begin: From = None,
    end: To = None,
) -> None:
    """Write the sealed rows of a release, one JSON object per line, for `criteria test` and `criteria replay`."""
    for item in of_release(release_id, begin, end):
        print_json_line(item["row"])


def of_release(release_id: str, begin: str | None, end: str | None) -> Iterator[JsonObject]:
    """`{"row": …, "judged": …}` in the order in which they were judged, page by page. Raises Failure."""
    api, now = client.Api.signed_in(), datetime.now(UTC)
    query = {"from": _written(begin, now), "to": _written(end, now)}
    after: int | None = -1
    while after is not None:
        page = api.get(f"/api/v1/releases/{release_id}/rows", after=after, **query)
        yield from page["items"]
        after = page["next_after"]


def of_file(file: Path, begin: str | None = None, end: str | None = None) -> list[Row]:
    """The rows of a file that `release rows` wrote, whose blocks begin in [begin, end). Raises Failure."""
    from pydantic import ValidationError

    from countermand.detection.blocks import Row

    now = datetime.now(UTC)
    first, last = (instant_of(text, now) if text else None for text in (begin, end))
    found: list[Row] = []
    try:
        with file.open(encoding="utf-8") as lines:
            found.extend(Row.model_validate_json(line) for line in lines if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error})", accepted=_ACCEPTED) from None
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise Failure(
            Exit.usage, f"row {len(found) + 1} of {str(file)!r} is not one ({why})", accepted=_ACCEPTED
        ) from None
    return list(_between(found, first, last))


def _between(rows: list[Row], first: datetime | None, last: datetime | None) -> Iterator[Row]:
    """Rows that begin in [first, last), and of their late samples those that were there by then."""
    for row in rows:
        if row.late_of is None and last is not None and row.start >= last:
            return
        if first is None or row.start >= first:
            yield row


def one_source(rows: Path | None, release: str | None) -> None:
    """Raises Failure unless exactly one of the two is given."""
    if (rows is None) == (release is None):
        raise Failure(Exit.usage, "which rows?", accepted="exactly one of --release ID and --rows FILE")


_ACCEPTED = "sealed rows, one per line, as `countermand release rows ID` writes them"


def instant_of(text: str, now: datetime) -> datetime:
    """`2026-11-20T03:00Z`, `2h ago` or `now`; a time without a zone is UTC. Raises Failure."""
    from countermand.playbook.units import parse_duration

    if text.strip() == "now":
        return now
    try:
        if ago := re.fullmatch(r"\s*(\S+)\s+ago\s*", text):
            return now - parse_duration(ago[1])
        at = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        accepted = "an ISO time such as 2026-11-20T03:00Z, or 90m ago, 2h ago, 3d ago, now"
        raise Failure(Exit.usage, f"{text!r} is not a time", accepted=accepted) from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _written(text: str | None, now: datetime) -> str | None:
    return None if text is None else instant_of(text, now).isoformat()

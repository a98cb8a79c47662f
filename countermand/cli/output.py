"""What commands print: tables for people on a terminal, tab-separated lines on a pipe, the API's JSON on demand."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

JsonObject = dict[str, Any]


class Format(StrEnum):
    """`table` is for people: aligned on a terminal, tab-separated on a pipe."""

    table = "table"
    json = "json"
    jsonl = "jsonl"


FormatOption = Annotated[Format, typer.Option("-o", "--output", help="table for people, json or jsonl for programs.")]

_GOOD, _WAITING, _BAD = ("✓", "green"), ("…", "yellow"), ("▲", "red")
_UNKNOWN, _OVER = ("?", "magenta"), ("■", "dim")
_SIGNS = {
    **dict.fromkeys(
        ["ok", "pass", "approve", "approved", "completed", "reverted", "verified", "signed", "accepted"], _GOOD
    ),
    **dict.fromkeys(["done", "ready", "found", "given", "in_force"], _GOOD),
    **dict.fromkeys(["trigger", "fail", "failed", "reject", "rejected", "stopped", "aborted", "not_verified"], _BAD),
    **dict.fromkeys(["reverted_not_verified", "unresolved", "error", "late", "silent", "refused", "not_ready"], _BAD),
    **dict.fromkeys(["unknown", "missing", "stale", "expired", "untried", "tolerated"], _UNKNOWN),
    **dict.fromkeys(["closed", "over", "withdrawn", "lapsed", "revoked"], _OVER),
}


class Column(NamedTuple):
    """A table column: its heading and the key of the item; `state` columns get their glyph."""

    heading: str
    key: str
    state: bool = False


def sign(state: str) -> str:
    """The glyph of a state word; `…` for states that are still going on."""
    return _SIGNS.get(state, _WAITING)[0]


def state_text(state: str) -> Text:
    """A state as glyph and word, coloured where colours are shown."""
    from rich.text import Text

    glyph, style = _SIGNS.get(state, _WAITING)
    return Text(f"{glyph} {spoken(state)}", style=style)


def spoken(word: str) -> str:
    """`not_verified` → `not verified`."""
    return word.replace("_", " ")


def on_terminal() -> bool:
    return sys.stdout.isatty()


@cache
def screen() -> Console:
    """Rich on standard output; it leaves colours out with NO_COLOR."""
    from rich.console import Console

    return Console(highlight=False)


def items(body: JsonObject, columns: Sequence[Column], output: Format) -> None:
    """Print a list answer of the API (`{"items": […]}`)."""
    rows: list[JsonObject] = body["items"]
    match output:
        case Format.json:
            print_json(body)
        case Format.jsonl:
            for row in rows:
                print_json_line(row)
        case _ if on_terminal():
            _table(rows, columns)
        case _:
            print("\t".join(column.heading for column in columns))
            for row in rows:
                print(tab_separated(row, columns))


def tab_separated(item: JsonObject, columns: Sequence[Column]) -> str:
    """One item as a line for `cut` and `awk`."""
    return "\t".join(" ".join(_plain(item.get(column.key)).split()) for column in columns)


def detail(body: JsonObject, lines: Sequence[str | Text], output: Format) -> None:
    """Print one thing: the API's answer, or these lines for people."""
    match output:
        case Format.json:
            print_json(body)
        case Format.jsonl:
            print_json_line(body)
        case _:
            say(*lines)


def say(*lines: str | Text) -> None:
    """Lines for people; nothing in them is taken for markup."""
    for line in lines:
        if on_terminal():
            screen().print(line, markup=False)
        else:
            print(line, flush=True)


def print_json(body: Any) -> None:
    print(json.dumps(body, ensure_ascii=False, indent=2))


def print_json_line(body: Any) -> None:
    print(json.dumps(body, ensure_ascii=False, separators=(",", ":")), flush=True)


def _table(rows: Sequence[JsonObject], columns: Sequence[Column]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    if not rows:
        say("Nothing here.")
        return
    table = Table(*(column.heading for column in columns), box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        cells = [
            state_text(_plain(row.get(column.key))) if column.state else Text(_plain(row.get(column.key)))
            for column in columns
        ]
        table.add_row(*cells)
    screen().print(table)


def _plain(value: Any) -> str:
    match value:
        case None:
            return "–"
        case list() | tuple():
            return ", ".join(map(_plain, value)) or "–"
        case _:
            return str(value)

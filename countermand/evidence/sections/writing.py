"""How sections are written: the same values give the same bytes, and no cell of a table can act in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

#: What makes a spreadsheet take a cell for a formula (EVD-18).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # spreadsheets take the wide ones too


class Section(NamedTuple):
    """Files by path, and why each file is not there for which there are no facts."""

    files: dict[str, bytes]
    missing: dict[str, str]


def pretty(value: Any) -> bytes:
    """JSON for people: sorted keys, two spaces, a newline at the end."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"


def lines(values: Iterable[Any]) -> bytes:
    """One JSON value per line."""
    dumped = (json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for value in values)
    return "".join(f"{line}\n" for line in dumped).encode()


def table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """CSV (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(heading)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def present(files: dict[str, bytes], reasons: dict[str, str]) -> Section:
    """Empty files leave; their reasons stand instead. Raises KeyError for an empty file without a reason."""
    empty = {path: reasons[path] for path, content in files.items() if not content}
    return Section({path: content for path, content in files.items() if content}, empty)


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text

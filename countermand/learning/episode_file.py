"""Episodes as portable files `countermand.episode/v1`: JSON Lines, the episode first, then its rows as they were seen.

A file that is cut short, changed or out of order is refused with the number of the line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from pydantic import Field, ValidationError

from countermand.canonical import canonical
from countermand.detection.blocks import Row
from countermand.learning.episode import Episode
from countermand.learning.row_lines import checked, line_of, sealed
from countermand.plan.target import Value

SUFFIX = ".episode.jsonl"

#: Directory of imported episodes, below the data directory.
IMPORTED = "episodes"

#: Longest line that is read: a row of some thousand blocks.
_MOST_BYTES = 4_000_000


class Header(Value):
    """The first line. rows: how many lines follow; rows_sha256: over their bytes."""

    schema_: Literal["countermand.episode/v1"] = Field("countermand.episode/v1", alias="schema")
    episode: Episode
    rows: int = Field(ge=1)
    rows_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class EpisodeFault(ValueError):
    """A file is no episode; the message names the file and the line."""


def written(episode: Episode, rows: Iterable[Row]) -> bytes:
    """The bytes of an episode file. Raises ValueError without rows."""
    return of_lines(episode, [line_of(row) + b"\n" for row in rows])


def of_lines(episode: Episode, lines: Sequence[bytes]) -> bytes:
    """The same from lines that `line_of` wrote, each with its end. Raises ValueError without lines."""
    if not lines:
        raise ValueError(f"{episode.episode_id!r} has no sealed row before its cut")
    head = Header(episode=episode, rows=len(lines), rows_sha256=hashlib.sha256(b"".join(lines)).hexdigest())
    return canonical(head.model_dump(mode="json", by_alias=True)) + b"\n" + b"".join(lines)


def header(path: Path) -> Header:
    """The first line of a file. Raises EpisodeFault."""
    with _opened(path) as file:
        return _header(path, file)


def rows_of(path: Path, signals: Container[str]) -> Iterator[Row]:
    """The rows of a file that was read in full before, with the blocks of these signals; nothing is checked again."""
    with path.open("rb") as file:
        file.readline()
        for line in file:
            yield sealed(line.rstrip(b"\n"), signals)


def any_late(path: Path) -> bool:
    """Does a file that was read in full before hold rows of late samples?"""
    with path.open("rb") as file:
        file.readline()
        return any(b'"late_of":null' not in line for line in file)


def read(path: Path) -> tuple[Episode, list[Row]]:
    """The episode and its rows, every count checked. Raises EpisodeFault with the number of the line."""
    with _opened(path) as file:
        head = _header(path, file)
        return head.episode, list(_checked(path, head, file))


def check(path: Path) -> Episode:
    """The episode of a file whose rows were all checked. Raises EpisodeFault."""
    with _opened(path) as file:
        head = _header(path, file)
        for _ in _checked(path, head, file):
            pass
        return head.episode


def _opened(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise EpisodeFault(f"{str(path)!r} is no regular file; accepted are files as `backtest export` writes them")
    try:
        return path.open("rb")
    except OSError as error:
        raise EpisodeFault(f"{str(path)!r} cannot be read: {error.strerror}") from None


def _header(path: Path, file: BinaryIO) -> Header:
    try:
        return Header.model_validate_json(file.readline(_MOST_BYTES))
    except ValidationError as error:
        first = error.errors()[0]
        where = "/".join(map(str, first["loc"]))
        raise EpisodeFault(
            f"{str(path)!r}, line 1: {where or 'header'}: {first['msg']}; accepted is a header "
            "{schema: countermand.episode/v1, episode, rows, rows_sha256}"
        ) from None


def _checked(path: Path, head: Header, file: BinaryIO) -> Iterator[Row]:
    seen, number, newest = hashlib.sha256(), 1, None
    late: set[int] = set()
    for line in iter(lambda: file.readline(_MOST_BYTES), b""):
        number += 1
        seen.update(line)
        try:
            row = checked(line.rstrip(b"\n"))
            _follows(head.episode, newest, late, row)
        except ValueError as error:
            raise EpisodeFault(f"{str(path)!r}, line {number}: {error}") from None
        newest = row if row.late_of is None else newest
        yield row
    if number - 1 != head.rows:
        raise EpisodeFault(f"{str(path)!r}: the header promises {head.rows!r} rows, the file has {number - 1!r}")
    if seen.hexdigest() != head.rows_sha256:
        raise EpisodeFault(f"{str(path)!r}: the rows are not those that the header was written for")


def _follows(episode: Episode, newest: Row | None, late: set[int], row: Row) -> None:
    if row.late_of is not None:
        if newest is None or row.seq > newest.seq or row.seq in late:
            raise ValueError(f"late samples of row {row.seq!r}; accepted once, after that row")
        late.add(row.seq)
        return
    if not episode.begins <= row.start < episode.ends:
        raise ValueError(f"row {row.seq!r} begins at {row.start.isoformat()!r}, outside the episode")
    if newest is not None and (row.seq != newest.seq + 1 or row.start != newest.start + newest.block):
        raise ValueError(f"row {row.seq!r} does not follow row {newest.seq!r}")
    if newest is not None and row.block != newest.block:
        raise ValueError(f"row {row.seq!r} has blocks of another length than the row before")

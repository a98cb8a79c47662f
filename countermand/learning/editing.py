"""Another value at one place of the text of a playbook; everything else keeps its bytes, comments too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from countermand.playbook.load import parse
from countermand.playbook.source import Path, Written, read

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_NUMBER = re.compile(r"-?[0-9][0-9.]*(ms|s|m|h|d|w|%)?")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.%_-]*")


def path_of(place: str) -> Path:
    """`detection.triggers[0].any[0].tolerate.ratio` as a path. Raises ValueError."""
    if not re.fullmatch(r"[^.\[\]]+(\.[^.\[\]]+|\[\d+\])*", place):
        raise ValueError(
            f"{place!r} is no place; accepted is, for example, detection.triggers[0].any[0].tolerate.ratio"
        )
    return tuple(int(number) if number else name for name, number in _STEP.findall(place))


def pointer_of(place: str) -> str:
    """The same as a JSON pointer, as differences between versions name it. Raises ValueError."""
    return "".join(f"/{part}" for part in path_of(place))


def with_value(raw: bytes, place: str, value: str) -> bytes:
    """The text with another value at a place where one stands. Raises ValueError when none does, or it is no plain
    value; the result still has to be parsed."""
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"{value!r} is no plain value; accepted are numbers, lengths and words: 1.3, 5m, 2%")
    written, _ = read(raw)
    here = written.at(path_of(place)) if written else None
    if here is None or here.text is None:
        raise ValueError(f"nothing stands at {place!r} that could be replaced; name a place that the text has")
    lines = raw.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    line, start = lines[here.line - 1], here.column - 1
    for quote in ("", '"', "'"):
        before = f"{quote}{here.text}{quote}"
        if line.startswith(before, start):
            lines[here.line - 1] = f"{line[:start]}{quote}{value}{quote}{line[start + len(before) :]}"
            return "\n".join(lines).encode()
    raise ValueError(f"what stands at {place!r} is written over several lines; change the file by hand")


def places(raw: bytes) -> tuple[tuple[str, str], ...]:
    """(place, value as written) of every number and length below `detection`, in the order of the text."""
    written, _ = read(raw)
    detection = written.at(("detection",)) if written else None
    return tuple(_below("detection", detection)) if detection else ()


def _below(place: str, here: Written) -> Iterator[tuple[str, str]]:
    if here.text is not None and _NUMBER.fullmatch(here.text):
        yield place, here.text
    for part, below in here.parts.items():
        yield from _below(f"{place}[{part}]" if isinstance(part, int) else f"{place}.{part}", below)


def renumbered(raw: bytes, version: int) -> bytes:
    """The text as another version. Raises PlaybookErrors when it is no playbook, ValueError."""
    parse(raw)
    return with_value(raw, "version", str(version))

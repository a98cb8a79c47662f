"""What differs between two versions of one part, so that a person can read it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from difflib import unified_diff
from typing import Any, NamedTuple

from countermand.playbook.source import MAX_DEPTH, MAX_VALUES, read

#: Longer texts are not compared line by line: the effort grows with the square.
MAX_LINES = 4_000
#: Lines of a difference that are shown.
MAX_SHOWN = 400
#: Characters of one line that are shown.
MAX_WIDTH = 400
#: Longer YAML is compared line by line: reading it takes seconds.
MAX_YAML = 64 * 1024

_CONTEXT = 3


class Change(NamedTuple):
    """How two contents differ. `how`: `text` (a unified diff), `keys` (`path: old → new`), `bytes` (not to be read)."""

    how: str
    lines: tuple[str, ...]
    more: int = 0
    why: str = ""


def change(a: bytes, b: bytes, *, yaml: bool = False) -> Change:
    """The readable difference of two contents: keys of JSON objects (and of YAML, if said), else lines of text."""
    try:
        text_a, text_b = a.decode(), b.decode()
    except UnicodeDecodeError:
        return Change("bytes", (), why="at least one of them is no text")
    keyed = _yaml if yaml else _json
    try:
        lines = list(_keys(keyed(text_a), keyed(text_b)))
        return _cut("keys", lines or ["only the way it is written differs"])
    except ValueError:  # nothing with keys, or too large to go through by key
        return _of_text(text_a, text_b)


def _of_text(a: str, b: str) -> Change:
    lines_a, lines_b = a.splitlines(), b.splitlines()
    if max(len(lines_a), len(lines_b)) > MAX_LINES:
        return Change("bytes", (), why=f"over {MAX_LINES:,} lines; fetch both parts to compare them")
    lines = list(unified_diff(lines_a, lines_b, lineterm="", n=_CONTEXT))[2:]  # without the names of files
    return _cut("text", lines or ["only the ends of lines differ"])


def _cut(how: str, lines: list[str]) -> Change:
    shown = tuple(line if len(line) <= MAX_WIDTH else f"{line[:MAX_WIDTH]}…" for line in lines[:MAX_SHOWN])
    return Change(how, shown, more=max(len(lines) - MAX_SHOWN, 0))


def _json(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError for everything else, and for what is too deep or has too many values."""
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError(f"{type(value).__name__} has no keys")
    _measure(value)
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("a key is written twice: which one counts is up to the reader")
    return found


def _yaml(text: str) -> dict[str, Any]:
    """A YAML mapping. Raises ValueError as `_json` does."""
    if len(text) > MAX_YAML:
        raise ValueError("too long")
    written, flaws = read(text.encode())
    if written is None or flaws:
        raise ValueError("not plain values")
    value: dict[str, Any] = written.value
    return value


def _measure(value: Any) -> None:
    left, level = MAX_VALUES, [value]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in _parts(one)]
        left -= len(level)
        if left < 0:
            raise ValueError("too many values")
        if not level:
            return
    raise ValueError("nested too deep")


def _parts(value: Any) -> list[Any]:
    match value:
        case dict():
            return list(value.values())
        case list():
            return value
        case _:
            return []


def _keys(a: Any, b: Any, where: str = "") -> Iterator[str]:
    """`path: old → new` for each value that differs; lists of plain values as what came and what went."""
    match a, b:
        case dict(), dict():
            for key in sorted({*a, *b}):
                path = f"{where}.{key}" if where else key
                if key not in b:
                    yield f"- {path}: {_said(a[key])}"
                elif key not in a:
                    yield f"+ {path}: {_said(b[key])}"
                else:
                    yield from _keys(a[key], b[key], path)
        case list(), list():
            yield from _lists(a, b, where)
        case _ if type(a) is not type(b) or a != b:
            yield f"~ {where}: {_said(a)} → {_said(b)}"


def _lists(a: list[Any], b: list[Any], where: str) -> Iterator[str]:
    said_a, said_b = [_said(item) for item in a], [_said(item) for item in b]
    if said_a == said_b:
        return
    gone, come = Counter(said_a) - Counter(said_b), Counter(said_b) - Counter(said_a)
    if not gone and not come:
        yield f"~ {where}: the same {len(a):,} values in another order"
        return
    yield f"~ {where}: {len(a):,} values → {len(b):,} values"
    known = set(said_a)
    yield from (f"- {where}[]: {item}" for item in _in_order(said_a, gone))
    yield from (f"+ {where}[]: {item}{' (once more)' if item in known else ''}" for item in _in_order(said_b, come))


def _in_order(items: list[str], wanted: Counter[str]) -> Iterator[str]:
    left = Counter(wanted)
    for item in items:
        if left[item]:
            left[item] -= 1
            yield item


def _said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)

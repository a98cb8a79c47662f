"""Labelled outputs from a newline-delimited JSON file: which field is the label, and which value means bad."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any, Literal

from countermand.cli.exits import Exit, Failure
from countermand.detection.models import Arm

Outcome = Literal["ok", "bad"] | None


@dataclass(frozen=True)
class Mapping:
    """Field names or JSON pointers (`/scores/0/label`). Exactly one of `arm` and `arm_field` is set.

    allow_missing: a line without the label's field is an answer that nobody labelled; else it is refused.
    """

    label: str
    bad: Sequence[str]
    arm: Literal["baseline", "candidate"] | None
    arm_field: str | None
    id_field: str | None
    allow_missing: bool = False


@dataclass(frozen=True)
class Item:
    """One answer of the file."""

    observation_id: str
    arm: Arm
    outcome: Outcome


def read(file: Path, mapping: Mapping) -> Iterator[Item]:
    """Every line as an item. Raises Failure with the line number for anything that does not fit."""
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8", newline="\n") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _item(json.loads(line), number, mapping)
    except (OSError, EOFError) as error:
        raise Failure(
            Exit.usage, f"{str(file)!r} cannot be read ({error})", accepted="a .jsonl or .jsonl.gz file"
        ) from None
    except ValueError as error:
        raise Failure(
            Exit.usage, f"{str(file)!r} is not newline-delimited JSON ({error})", accepted="one JSON object per line"
        ) from None


def resampled(items: Sequence[Item], bad_share: float, seed: int) -> Iterator[Item]:
    """Draw with replacement, without end, so that `bad_share` of the labelled answers are bad.

    Each draw gets an id of its own. Raises Failure when the file has no answer of a kind that is needed.
    """
    pools: dict[str, list[Item]] = {"bad": [], "ok": []}
    for item in items:
        if item.outcome is not None:
            pools[item.outcome].append(item)
    for outcome, needed in (("bad", bad_share > 0), ("ok", bad_share < 1)):
        if needed and not pools[outcome]:
            raise Failure(
                Exit.usage,
                f"no answer of the file is {outcome}: a share of {bad_share:g} cannot be drawn",
                accepted="a --label and --bad that tell good from bad answers",
            )
    dice = Random(seed)  # noqa: S311  # a rehearsal, not a secret
    for number in count():
        item = dice.choice(pools["bad" if dice.random() < bad_share else "ok"])
        yield Item(f"{item.observation_id}/{number}", item.arm, item.outcome)


def batches(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while batch := list(islice(items, size)):
        yield batch


def _item(fields: Any, number: int, mapping: Mapping) -> Item:
    absent = mapping.allow_missing and not _has(fields, mapping.label)
    label = None if absent else _text(_find(fields, mapping.label, number))
    arm = Arm(mapping.arm) if mapping.arm else None
    if arm is None:
        written = _text(_find(fields, mapping.arm_field or "", number))
        if written not in tuple(Arm):
            raise Failure(
                Exit.usage, f"line {number}: {mapping.arm_field!r} is {written!r}", accepted="baseline or candidate"
            )
        arm = Arm(written)
    identity = _text(_find(fields, mapping.id_field, number)) if mapping.id_field else str(number)
    return Item(str(identity), arm, None if label in (None, "") else "bad" if label in mapping.bad else "ok")


def _find(fields: Any, field: str, number: int) -> Any:
    """The value of a field name or JSON pointer (RFC 6901). Raises Failure when the line has no such field."""
    try:
        return _at(fields, field)
    except (KeyError, IndexError, ValueError, TypeError):
        known = ", ".join(map(str, fields)) if isinstance(fields, dict) else type(fields).__name__
        raise Failure(Exit.usage, f"line {number}: there is no field {field!r}", accepted=f"one of: {known}") from None


def _has(fields: Any, field: str) -> bool:
    try:
        _at(fields, field)
    except (KeyError, IndexError):
        return False
    except (ValueError, TypeError):
        return True  # not absent but of another shape: refused like any other line that does not fit
    return True


def _at(fields: Any, field: str) -> Any:
    value = fields
    for part in [_unescaped(part) for part in field.split("/")[1:]] if field.startswith("/") else [field]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _text(value: Any) -> str | None:
    """How a label is compared: true, false, 1 and 0.5 as JSON writes them."""
    return value if value is None or isinstance(value, str) else json.dumps(value)

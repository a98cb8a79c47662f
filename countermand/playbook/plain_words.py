"""Names, lists and lengths of time as people say them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from textwrap import fill

from countermand.playbook.units import format_duration, plain

WIDTH = 100
_UNITS = {"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day"}


def in_words(span: timedelta) -> str:
    """The exact duration as people say it: `90 minutes`, `1 day`."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", format_duration(span)).groups()  # type: ignore[union-attr]  # its own form
    return f"{number} {_UNITS[unit]}{'' if number == '1' else 's'}"


def every(span: timedelta) -> str:
    """`every 5 minutes`, `every hour`."""
    return f"every {in_words(span).removeprefix('1 ')}"


def percent(share: Decimal) -> str:
    """Decimal('0.06') → `6 %`."""
    return f"{plain(share * 100)} %"


def spoken(names: Sequence[str]) -> str:
    """`a, b and c`."""
    names = [words(name) for name in names]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nobody"


def words(name: str) -> str:
    """A name of the playbook without its underscores."""
    return name.replace("_", " ")


def wrapped(text: str, first: int, more: int | None = None) -> str:
    """The text in lines of at most 100 columns, indented by `first`, further lines by `more`."""
    rest = first if more is None else more
    return fill(text, WIDTH, initial_indent=" " * first, subsequent_indent=" " * rest, break_on_hyphens=False)

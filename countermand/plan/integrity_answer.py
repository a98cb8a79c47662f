"""Questions to data sources and their answers: rows of plain values, never more than they say. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from uuid import UUID

from pydantic import StrictBool, StrictInt, StrictStr

from countermand.messages.fencing import fenced
from countermand.plan.target import Value
from countermand.playbook.data_questions import Get

#: Decimals, instants and bytes come as text, so that every row has one canonical form.
Cell = StrictBool | StrictInt | StrictStr | None
_WHOLE = 2**53
#: Most characters of a number that anybody means.
_DIGITS = 100


class Unanswered(Exception):
    """There is no answer that anything can be judged by; the message says why, for people. Never a pass."""


class Question(Value):
    """What a source is asked: one query with its bind parameters, or one GET with the parameters of its address."""

    query: str | None = None
    get: Get | None = None
    values: Mapping[str, str] = {}


class Answer(Value):
    """All rows of an answer, and the digest under which its raw bytes were kept before anybody judged them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    raw_sha256: str

    def only_row(self) -> dict[str, Cell]:
        """The one row by column. Raises Unanswered when there is none or more than one."""
        if len(self.rows) != 1:
            raise Unanswered(f"the source gave {len(self.rows) or 'no'} rows where one is needed.")
        return dict(zip(self.columns, self.rows[0], strict=True))

    def number(self) -> Decimal:
        """The only value there is. Raises Unanswered when it is no finite number, or not alone."""
        row = self.only_row()
        if len(row) != 1:
            raise Unanswered(f"the source gave {len(row)} values where one number is needed.")
        return number(*row.values())

    def column(self, name: str) -> tuple[Cell, ...]:
        """Raises Unanswered when there is no such column."""
        if name not in self.columns:
            got = fenced(", ".join(self.columns)) or "none"
            raise Unanswered(f"the source gave no column {name!r}; it gave {got}.")
        place = self.columns.index(name)
        return tuple(row[place] for row in self.rows)


def number(cell: Cell) -> Decimal:
    """Raises Unanswered for NULL, NaN, infinity, true, false and text that is no number."""
    if cell is None:
        raise Unanswered("the source gave NULL where a number is needed.")
    try:
        found = Decimal(str(cell))
    except InvalidOperation:
        found = Decimal("NaN")
    if isinstance(cell, bool) or not found.is_finite() or max(len(str(cell)), abs(found.adjusted())) > _DIGITS:
        raise Unanswered("the source gave a value that is no number.")
    return found


def cell(value: object) -> Cell:
    """The plain form of one value. Raises Unanswered for lists, mappings and other things that are no single value."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < _WHOLE else str(value)
        case float() | Decimal() | UUID():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return bytes(value).hex()
        case _:
            raise Unanswered(f"the source gave a {type(value).__name__} where a single value is needed.")

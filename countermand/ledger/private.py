"""Free text of people in and out of lines: the line gets commitments, whoever may read gets the words (EVD-26).

A decision is the one body whose words are signed: what binds them (`Bound`) travels with it, and is left out of the
line, where the commitments stand themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from countermand.ledger.commitment import commitment, committed
from countermand.ledger.record import Entry, Kind, Record

#: What stands where a text was erased.
ERASED = "[erased]"


class Secret(NamedTuple):
    """One text that leaves a line: what stands there instead, and what opens it. salt: 64 hex digits."""

    pointer: str
    commit: str
    salt: str
    value: str


class Opened(NamedTuple):
    """What opens one commitment. salt: 64 hex digits."""

    salt: str
    value: str


def sealed(entry: Entry, draw: Callable[[], bytes]) -> tuple[Entry, tuple[Secret, ...]]:
    """The entry as its line holds it, and every text that was taken out. `draw` gives 32 random bytes.

    Raises KeyError for a pointer to nothing, ValueError for one to something else than text.
    """
    if not entry.private:
        return entry, ()
    body = deepcopy(entry.body)
    secrets = []
    for pointer, given in sorted(entry.private.items()):
        holder, key = _place(body, pointer)
        value = holder[key]
        if not isinstance(value, str):
            raise ValueError(f"{entry.kind.value} {pointer!r} holds {value!r}; only text can be committed to")
        salt = given or draw().hex()
        commit = commitment(value, bytes.fromhex(salt))
        holder[key] = {"commit": commit}
        secrets.append(Secret(pointer, commit, salt, value))
    if entry.kind is Kind.decision:
        body["decision"].pop("bound", None)
    return entry.model_copy(update={"body": body, "private": {}}), tuple(secrets)


def commitments(body: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(JSON pointer, commitment) of everything in a body that is committed to, in order."""
    if (commit := committed(body)) is not None:
        yield where, commit
    elif isinstance(body, dict):
        for key in sorted(body):
            yield from commitments(body[key], f"{where}/{key}")
    elif isinstance(body, list):
        for index, item in enumerate(body):
            yield from commitments(item, f"{where}/{index}")


def opened(record: Record, answers: Mapping[str, Opened]) -> Record:
    """The record with its words; `[erased]` stands where the vault has none. `line` stays as it is."""
    found = list(commitments(record.body))
    if not found:
        return record
    body = deepcopy(record.body)
    bound = []
    for pointer, commit in found:
        answer = answers.get(commit)
        holder, key = _place(body, pointer)
        holder[key] = answer.value if answer else ERASED
        salt = answer.salt if answer else ""
        bound.append({"pointer": pointer.removeprefix("/decision"), "commit": commit, "salt": salt})
    if record.kind is Kind.decision:
        body["decision"]["bound"] = bound
    return record.model_copy(update={"body": body})


def text_at(body: Any, pointer: str) -> Any:
    """What stands at a JSON pointer."""
    holder, key = _place(body, pointer)
    return holder[key]


def put_text(body: Any, pointer: str, text: str) -> None:
    """Put a text there."""
    holder, key = _place(body, pointer)
    holder[key] = text


def _place(body: Any, pointer: str) -> tuple[Any, Any]:
    """The object or list that a JSON pointer leads into, and the key there. Keys of records need no escapes."""
    *way, last = pointer.removeprefix("/").split("/")
    for step in way:
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body, int(last) if isinstance(body, list) else last

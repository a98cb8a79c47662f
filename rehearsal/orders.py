"""What a facilitator can type while a rehearsal runs (LRN-22)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, NamedTuple

from countermand.playbook.units import parse_duration

Do = Literal["pause", "resume", "skip", "inject", "note", "kill-worker", "stop"]
#: What is printed at the start and after a line that is none of these.
SHOWN = (
    "pause | resume | skip 5m | inject TEXT to ROLE | note TEXT | kill-worker | stop (everything is down within 5 s)"
)
_LONGEST_SKIP = timedelta(hours=24)
_ALONE: tuple[Do, ...] = ("pause", "resume", "kill-worker", "stop")


class OrderInvalid(ValueError):
    """Nothing was done; the message quotes what was typed and says what is accepted."""


class Order(NamedTuple):
    """One order. words: of a note or an inject. role: whom an inject goes to. seconds: to skip."""

    do: Do
    words: str = ""
    role: str = ""
    seconds: float = 0.0


def order_of(line: str, roles: frozenset[str]) -> Order:
    """The order in a line that was typed; roles: those of the scenario. Raises OrderInvalid."""
    word, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    for alone in _ALONE:
        if word == alone and not rest:
            return Order(alone)
    match word:
        case "note" if rest:
            return Order("note", words=rest)
        case "skip":
            return Order("skip", seconds=_seconds(rest))
        case "inject":
            words, _, role = rest.rpartition(" to ")
            role = role.strip().replace(" ", "_")
            if not words or role not in roles:
                raise OrderInvalid(
                    f"{line.strip()!r} is not accepted; write inject TEXT to {' or '.join(sorted(roles))}"
                )
            return Order("inject", words=words.strip(), role=role)
    raise OrderInvalid(f"{line.strip()!r} is not accepted; write {SHOWN}")


def _seconds(text: str) -> float:
    try:
        span = parse_duration(text)
    except ValueError as error:
        raise OrderInvalid(f"{text!r} is no duration; write skip 5m") from error
    if not timedelta() < span <= _LONGEST_SKIP:
        raise OrderInvalid(f"{text!r} is not accepted; write more than 0s and up to {_LONGEST_SKIP.days * 24}h")
    return span.total_seconds()

"""What a new version of a playbook changes, and whether watch and governance get stricter or laxer (LRN-10, GOV §1).

What governs outside the detection is weighed in `weakening.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from countermand.plan.target import Value
from countermand.playbook import weakening
from countermand.playbook.model import Playbook
from countermand.playbook.places import place
from countermand.playbook.weakening import Direction, number

#: Inside `detection`, numbers that fire earlier when they are smaller.
_LAXER_WHEN_LARGER = frozenset(
    {"absolute", "relative", "slower_by", "above", "hold_for", "sustain", "limit", "blind_after", "dispersion"}
)
#: … and those that fire earlier when they are larger. A watch that allows fewer false alarms needs more evidence.
#: Asking for more labels is not among them: a watch that is never sure fires later, or never.
_LAXER_WHEN_SMALLER = frozenset({"below", "per_release", "share"})


class Difference(Value):
    """One place that differs; `before` or `after` is empty where there is nothing.

    path: a JSON pointer; place: the same as people call it.
    """

    path: str
    place: str
    before: str
    after: str
    direction: Direction


class Comparison(Value):
    """All places, and what they come to: `loosened` wins over everything, `other` over `tightened`."""

    change: Literal["new", "tightened", "loosened", "other"]
    changes: tuple[Difference, ...]


def compare(before: Playbook | None, after: Playbook) -> Comparison:
    """What adopting `after` changes; `before` is the adopted version, None where there is none.

    A change of the detection that is not known to make it stricter counts as loosened: more people sign then.
    """
    if before is None:
        return Comparison(change="new", changes=())
    found = _differences(before.model_dump(mode="json"), after.model_dump(mode="json"), "")
    changes = tuple(
        Difference(
            path=path,
            place=place(before if value is None else after, path),
            before=_text(old),
            after=_text(value),
            direction=_direction(path, old, value),
        )
        for path, old, value in found
    )
    directions = {one.direction for one in changes if one.path != "/version"}
    for word in ("loosened", "other", "tightened"):
        if word in directions:
            return Comparison(change=word, changes=changes)
    return Comparison(change="other", changes=changes)


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """(path, before, after) of every place that differs."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _differences(one, other, f"{path}/{index}")
    elif before != after:
        yield path, before, after


def _direction(path: str, before: Any, after: Any) -> Direction:
    if not path.startswith("/detection/"):
        return weakening.direction(path, before, after)
    name, one, other = path.rpartition("/")[2], number(before), number(after)
    if one is None or other is None:
        return "loosened"
    if name == "ratio":  # 1.2 tolerates more than 1.1, and 0.8 more than 0.9
        closer = (one - 1) * (other - 1) >= 0 and abs(other - 1) < abs(one - 1)
        return "tightened" if closer else "loosened"
    if name in _LAXER_WHEN_LARGER:
        return "tightened" if other < one else "loosened"
    if name in _LAXER_WHEN_SMALLER:
        return "tightened" if other > one else "loosened"
    return "loosened"


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() if all(isinstance(one, str) for one in value):
            return ", ".join(value)
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)

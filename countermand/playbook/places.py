"""A place in a playbook as people call it: by the names that stand in it instead of numbers of rows."""

from __future__ import annotations

from typing import Any

from countermand.playbook.model import Playbook
from countermand.playbook.plain_words import words

#: Fields that name the row in which they stand, the first one found wins.
_NAMES = ("id", "signal", "role", "step", "target", "do", "family")


def place(playbook: Playbook, path: str) -> str:
    """`/detection/triggers/0/any/0/tolerate/ratio` → `detection, trigger truth, any hallucinations, tolerate ratio`.

    A row without a name, or one that this version does not have, is called by its number from 1.
    """
    here: Any = playbook.model_dump(mode="json", by_alias=True)
    said: list[str] = []
    for part in path.split("/")[1:]:
        if isinstance(here, list):
            here = here[int(part)] if int(part) < len(here) else None
            said[-1] = f"{said[-1].removesuffix('s')} {_name(here) or int(part) + 1}"
        else:
            here = here.get(part) if isinstance(here, dict) else None
            said.append(words(part))
    return ", ".join(said)


def _name(row: Any) -> str:
    named = (row.get(field) for field in _NAMES) if isinstance(row, dict) else ()
    return next((words(one) for one in named if isinstance(one, str)), "")

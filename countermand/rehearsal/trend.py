"""A run beside earlier ones of the same scenario: what got faster, slower, better or worse (LRN-23)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from countermand.ledger.bodies import RehearsalFinished
from countermand.plan.target import Value


class Change(Value):
    """One number then and now. word: `new` and `gone`: it was not there, or is not there any more."""

    name: str
    before: int | None
    now: int | None
    word: Literal["better", "worse", "same", "new", "gone"]


class Trend(Value):
    """Changes since the last comparable run; `note` says why they have to be read with care, or why there are none."""

    since: str | None
    changes: tuple[Change, ...]
    note: str


def trend(now: RehearsalFinished, earlier: Sequence[RehearsalFinished]) -> Trend:
    """What changed since the newest of `earlier` (oldest first) with the same scenario and mode.

    Less time and fewer failed lines are better.
    """
    same = [one for one in earlier if (one.scenario, one.mode) == (now.scenario, now.mode) and one.run_id != now.run_id]
    if not same:
        return Trend(since=None, changes=(), note="This is the first run of this scenario in this form.")
    last = same[-1]
    changes = [_change("failed lines", last.failed, now.failed)]
    for name in dict.fromkeys((*last.seconds, *now.seconds)):
        changes.append(_change(name.replace("_", " "), last.seconds.get(name), now.seconds.get(name)))
    notes = []
    if last.scenario_digest != now.scenario_digest:
        notes.append("The scenario was changed since then.")
    if last.playbook_digest != now.playbook_digest:
        notes.append("The playbook was changed since then.")
    if len(same) < 3:
        notes.append(f"{len(same) + 1} runs show no trend yet.")
    return Trend(since=last.run_id, changes=tuple(changes), note=" ".join(notes))


def _change(name: str, before: int | None, now: int | None) -> Change:
    if before is None or now is None:
        word: Literal["same", "new", "gone"] = "same" if before == now else ("new" if before is None else "gone")
        return Change(name=name, before=before, now=now, word=word)
    judged: Literal["better", "worse", "same"] = "same" if now == before else ("better" if now < before else "worse")
    return Change(name=name, before=before, now=now, word=judged)

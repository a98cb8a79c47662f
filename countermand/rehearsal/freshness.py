"""What was practised too long ago, and which right that lowers (LRN-24, GOV-24, GOV-28)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from countermand.plan.target import Value
from countermand.rehearsal.past_runs import PastRun
from countermand.rehearsal.scenario import Branch, Shift

FRESH_FOR = timedelta(days=90)

What = Literal["playbook", "branch", "role", "shift"]


class Freshness(Value):
    """When one thing was last practised. `lowers`: what does not hold while it is stale; empty while it is fresh."""

    what: What
    name: str
    last: datetime | None
    stale: bool
    lowers: str


def freshness(
    runs: Sequence[PastRun],
    now: datetime,
    *,
    playbooks: dict[str, str],
    roles: Collection[str],
    fresh_for: timedelta = FRESH_FOR,
) -> tuple[Freshness, ...]:
    """Every playbook in force, branch, role and shift: stale ones first, of them what was never practised.

    playbooks: name by digest. fresh_for: `limits.rehearsed_within` of the governance file. A playbook and a branch
    count as practised by a run that passed; a role and a shift only by one that real people took part in.
    """

    passed = [run for run in runs if run.body.passed]
    human = [run for run in runs if run.body.mode != "scripted"]
    last: list[tuple[What, str, datetime | None, str]] = [
        ("playbook", name, _newest(run.at for run in passed if run.body.playbook_digest == digest), _STANDING)
        for digest, name in playbooks.items()
    ]
    last += [("branch", one.value, _newest(run.at for run in passed if run.body.branch == one), _DUE) for one in Branch]
    last += [("role", role, _newest(run.at for run in human if role in run.body.roles), _DUE) for role in sorted(roles)]
    last += [("shift", one.value, _newest(run.at for run in human if run.body.shift == one), _DUE) for one in Shift]
    found = []
    for what, name, at, lowers in last:
        stale = at is None or now - at > fresh_for
        found.append(Freshness(what=what, name=name, last=at, stale=stale, lowers=lowers if stale else ""))
    return tuple(sorted(found, key=lambda one: (not one.stale, one.last is not None, one.last or now)))


_STANDING = "No standing authorisation holds: nothing starts by itself, and people are asked."
_DUE = "Lowers no right by itself; a rehearsal of it is due."


def _newest(times: Iterable[datetime]) -> datetime | None:
    return max(times, default=None)

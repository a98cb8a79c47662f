"""How much hangs on the exact value: the proposed version with each changed value moved (LRN-9)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from countermand.learning.outcome import Outcome
from countermand.learning.report import SweepRow
from countermand.learning.versions import Trial
from countermand.playbook.plain_words import spoken


def sweep(outcomes: Mapping[Trial, Outcome]) -> tuple[SweepRow, ...]:
    """One row per moved value, in the order of the places and then of the percentages."""
    moved = [(trial, found) for trial, found in outcomes.items() if trial.percent is not None]
    return tuple(
        SweepRow(
            path=trial.place.path,
            place=trial.place.place,
            percent=trial.percent or 0,
            value=trial.value,
            caught=tuple(sorted(found.caught)),
            missed=tuple(sorted(found.missed)),
            false_alarms=found.asks,
            refused=trial.refused,
        )
        for trial, found in moved
    )


def cliffs(rows: Sequence[SweepRow], proposed: Outcome) -> Iterator[str]:
    """Where a small step loses an incident or brings false alarms: one sentence per place."""
    for path in dict.fromkeys(row.path for row in rows):
        own = [row for row in rows if row.path == path and row.refused is None]
        lost = {row.percent: sorted(set(row.missed) - set(proposed.missed)) for row in own}
        worse = {row.percent: row.false_alarms - proposed.asks for row in own}
        said = []
        for percent in sorted((p for p in lost if lost[p]), key=abs)[:1]:
            said.append(f"{percent:+} % misses {spoken(lost[percent])}")
        for percent in sorted((p for p in worse if worse[p] > 0), key=abs)[:1]:
            said.append(f"{percent:+} % brings {worse[percent]} more false alarms")
        place = next(row.place for row in rows if row.path == path)
        if said:
            yield f"{place}: close to a cliff: {'; '.join(said)}."
        elif own:
            yield f"{place}: moving it by up to 20 % changes neither what is caught nor the false alarms."
        else:
            yield f"{place}: no other value within 20 % can be written, so nothing is known about a cliff."

"""All triggers of a playbook over the rows of one release: the live watch and every replay step this one (LRN-7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from countermand.detection import health
from countermand.detection.blocks import Row
from countermand.detection.explanation import Explanation, explain
from countermand.detection.models import Verdict, VerdictWord, WatchVerdict
from countermand.detection.rule import Rule
from countermand.detection.rules import compile_rules
from countermand.detection.sealing import LATE_HORIZON
from countermand.detection.watch import combine, start, step
from countermand.playbook.criteria import Detection


def signature(verdict: WatchVerdict) -> str:
    """What about a verdict is material: its word and which triggers have fired (GOV-9)."""
    return f"{verdict.word.value}:{','.join(fired(verdict))}"


def fired(verdict: WatchVerdict) -> list[str]:
    """The triggers that have fired, by name."""
    return sorted(v.trigger for v in verdict.verdicts if v.word is VerdictWord.trigger)


class Evaluator:
    """All triggers of one detection stepped together, and its certificate of health; the same function object as any
    replay (LRN-7). `certificate`: after the newest row; None when the playbook asks for none, and before the first.

    rules: of a backtest, which judges a rule that two versions share once and needs no certificate. late: whether late
    samples may come; where it is known that none do, nothing is kept for them."""

    def __init__(self, detection: Detection, rules: Sequence[Rule] | None = None, *, late: bool = True) -> None:
        self._rules = compile_rules(detection) if rules is None else tuple(rules)
        self._states = [start(rule) for rule in self._rules]
        self._health = health.compile_health(detection) if rules is None else None
        self._shown = None if self._health is None else health.start(self._health)
        self.certificate: health.Certificate | None = None
        # What late samples of a row are judged beside: the verdicts of that row.
        self._late, self._judged = late, dict[int, list[Verdict]]()

    def judge(self, row: Row) -> WatchVerdict:
        """The verdict after the row; rows come in the order in which they are stored, late ones included."""
        verdict = combine(self.each(row))
        if row.late_of is None and self._health is not None and self._shown is not None:
            self._shown, self.certificate = health.step(self._health, self._shown, row, verdict.word)
        return verdict

    def each(self, row: Row) -> list[Verdict]:
        """The first half of `judge`: the verdict of every trigger, for replays that need no sentence for the watch."""
        originals = self._judged.pop(row.seq) if row.late_of is not None else [None] * len(self._rules)
        verdicts = []
        for index, (rule, original) in enumerate(zip(self._rules, originals, strict=True)):
            self._states[index], one = step(rule, self._states[index], row, original)
            verdicts.append(one)
        if self._late and row.late_of is None:
            self._judged[row.seq] = verdicts
            self._judged.pop(row.seq - LATE_HORIZON - 1, None)
        return verdicts

    def explained(self, rows: Sequence[Row]) -> tuple[Explanation, ...]:
        """Onset and sizes per trigger, as they look now. `rows`: all that were judged."""
        return tuple(explain(rule, state, rows) for rule, state in zip(self._rules, self._states, strict=True))


class Change(NamedTuple):
    """A verdict that differs in substance from the one before; `at` is the end of the block that brought it."""

    at: datetime
    verdict: WatchVerdict


def changes(detection: Detection, rows: Iterable[Row]) -> Iterator[Change]:
    """What a watch that begins with the first of these rows would have said, whenever that changed.

    Late samples of rows before the first are left out. Raises ValueError for rows that do not follow each other or
    have blocks of another length than the playbook's.
    """
    evaluator, said = Evaluator(detection), ""
    first: int | None = None
    at: datetime | None = None
    for row in rows:
        if row.late_of is None:
            at = row.start + row.block
            first = row.seq if first is None else first
        elif first is None or row.seq < first:
            continue
        verdict = evaluator.judge(row)
        if at is not None and signature(verdict) != said:
            said = signature(verdict)
            yield Change(at, verdict)

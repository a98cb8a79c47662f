"""Rows of one episode fed to rules as a live watch was fed them (LRN-7, LRN-8).

In the order in which they arrived, late samples and unknown blocks included, and nothing that was served after the
first effect. Every rule is judged by itself, so that a rule which two versions share is judged once.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import islice

from countermand.detection.blocks import BlockState, Row
from countermand.detection.evaluator import Evaluator
from countermand.detection.models import Verdict, VerdictWord
from countermand.detection.rule import Rule
from countermand.learning.episode import Episode
from countermand.learning.report import Carrier
from countermand.plan.target import Value
from countermand.playbook.criteria import Detection

#: [from, to) of an unbroken stretch of blocks.
Stretch = tuple[datetime, datetime]

#: Rows that a rule is fed at once.
_BATCH = 64

# Reading a member of an enum is a slow detour.
_OK, _FINE = BlockState.ok, VerdictWord.ok


class RuleAlarm(Value):
    """A rule fired: the end of the block that brought it, and whose evidence was there."""

    at: datetime
    carried_by: tuple[Carrier, ...]


class Trace(Value):
    """What one rule did in one episode. held, unknown: when its verdict was `watch`, and when it was `unknown`."""

    alarms: tuple[RuleAlarm, ...] = ()
    held: tuple[Stretch, ...] = ()
    unknown: tuple[Stretch, ...] = ()


class Heard(Value):
    """What all rules did in one episode, and what was served.

    traces: by the rule's name in the backtest. bad: bad outputs of the candidate by signal since harm began, as counted
    by each instant. scored: outputs by signal on (candidate, baseline) over all rows. rows_digest: of the judged rows.
    """

    episode_id: str
    rows: int
    rows_digest: str
    traces: dict[str, Trace]
    bad: tuple[tuple[datetime, dict[str, int]], ...]
    scored: dict[str, tuple[int, int]]


def fed(episode: Episode, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows that a watch could judge: those of the episode whose block ended before the first effect.

    Late samples are left out when their row was before the episode. Nothing is read after the cut.
    """
    first: int | None = None
    for row in rows:
        if row.late_of is None:
            if row.start < episode.begins:
                continue
            if row.start + row.block > episode.cut_at:
                return
            first = row.seq if first is None else first
        elif first is None or row.seq < first:
            continue
        yield row


def hear(
    episode: Episode,
    detection: Detection,
    rules: Mapping[str, Rule],
    rows: Iterable[Row],
    tick: Callable[[], None] = lambda: None,
    *,
    late: bool = True,
) -> Heard:
    """Every rule on the rows of one episode. `tick` is called after each row that was judged. late: see `Evaluator`.

    A rule is done with an incident once it has fired after harm began. An alarm before that, or in a quiet stretch, is
    a false one: the rule goes on with empty evidence, as a watch that begins then. Raises ValueError for rows that do
    not follow each other or have blocks of another length than the rules.
    """
    ears = {name: _Ear(episode, detection, rule, late) for name, rule in rules.items()}
    signals = sorted({own.reads for rule in rules.values() for own in rule.criteria})
    bad: Counter[str] = Counter()
    scored: dict[str, list[int]] = {}
    at: list[tuple[datetime, dict[str, int]]] = []
    read, count, harmed = hashlib.sha256(), 0, episode.harm_start or episode.begins
    # Rule by rule over some rows: what one rule keeps stays close at hand, which row by row it does not.
    for some in _batches(fed(episode, rows)):
        fired = {place for ear in ears.values() for place, row in enumerate(some) if ear.hear(row)}
        for place, row in enumerate(some):
            end = row.start + row.block
            read.update(row.digest.encode())
            count += row.late_of is None
            _count(row, signals, bad if end > harmed else None, scored)
            if place in fired:
                at.append((end, dict(bad)))
            tick()
    at.append((episode.cut_at, dict(bad)))
    return Heard(
        episode_id=episode.episode_id,
        rows=count,
        rows_digest=f"sha256:{read.hexdigest()}",
        traces={name: ear.trace() for name, ear in ears.items()},
        bad=tuple(at),
        scored={name: (both[0], both[1]) for name, both in scored.items()},
    )


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while some := list(islice(rows, _BATCH)):
        yield some


def _count(row: Row, signals: Iterable[str], bad: Counter[str] | None, scored: dict[str, list[int]]) -> None:
    for name in signals:
        for place, block in enumerate(row.both(name)):
            if block is not None and block.state is _OK:
                scored.setdefault(name, [0, 0])[place] += block.scored
                if bad is not None and place == 0:
                    bad[name] += block.bad


class _Ear:
    """One rule listening to one episode."""

    def __init__(self, episode: Episode, detection: Detection, rule: Rule, late: bool) -> None:
        self._harmed = None if episode.kind == "quiet" else episode.harm_start or episode.begins
        self._afresh = partial(Evaluator, detection, (rule,), late=late)
        self._evaluator = self._afresh()
        self._first: int | None = None
        self._last: datetime | None = None
        self._done = False
        self._alarms: list[RuleAlarm] = []
        self._held: list[Stretch] = []
        self._unknown: list[Stretch] = []

    def hear(self, row: Row) -> bool:
        """Did the rule fire with this row?"""
        if self._done:
            return False
        if row.late_of is not None:
            # Its row was judged before the last alarm; the watch that began then does not know it.
            if self._first is None or row.seq < self._first or self._last is None:
                return False
            end = self._last
        else:
            self._first = row.seq if self._first is None else self._first
            end = self._last = row.start + row.block
        (verdict,) = self._evaluator.each(row)
        word = verdict.word
        if word is _FINE:
            return False
        if word is not VerdictWord.trigger:
            if row.late_of is None:
                _extend(self._held if word is VerdictWord.watch else self._unknown, row)
            return False
        self._alarms.append(RuleAlarm(at=end, carried_by=_carriers(verdict)))
        self._done = self._harmed is not None and end > self._harmed
        self._evaluator, self._first = self._afresh(), None
        return True

    def trace(self) -> Trace:
        return Trace(alarms=tuple(self._alarms), held=tuple(self._held), unknown=tuple(self._unknown))


def _extend(stretches: list[Stretch], row: Row) -> None:
    if stretches and stretches[-1][1] == row.start:
        stretches[-1] = (stretches[-1][0], row.start + row.block)
    else:
        stretches.append((row.start, row.start + row.block))


def _carriers(verdict: Verdict) -> tuple[Carrier, ...]:
    """The signals of the lane that fired, whose evidence was there, the strongest first."""
    own = [
        one
        for one in verdict.criteria
        if one.lane == verdict.lane and (one.breached or ((one.micronats or 0) > 0 and one.gate != "shut"))
    ]
    own.sort(key=lambda one: (-(one.micronats or 0), one.signal))
    return tuple(Carrier(trigger=verdict.trigger, signal=one.signal, odds=one.odds) for one in own)

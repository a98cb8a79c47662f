"""From what was heard in every episode to the report (LRN-9). Pure: the same episodes and seed give the same bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from countermand.canonical import digest
from countermand.detection.figures import count
from countermand.detection.forecast import Traffic
from countermand.detection.models import CORE
from countermand.learning import honesty
from countermand.learning.candidates import Suggestion, suggestions
from countermand.learning.episode import episodes_digest
from countermand.learning.leave_one_out import left_out
from countermand.learning.outcome import Outcome, Tried, fired, outcome, quiet
from countermand.learning.report import (
    BacktestReport,
    BadServed,
    Cost,
    Costs,
    Fired,
    Honesty,
    IncidentRow,
    LeftOut,
    QuietRow,
    QuietSide,
)
from countermand.learning.sensitivity import cliffs, sweep
from countermand.learning.versions import Versions
from countermand.playbook.plain_words import spoken

#: Name of a use → numbers between 0 and 1 for it; the same name gives the same numbers.
Draws = Callable[[str], Iterator[float]]


class Found(NamedTuple):
    """The report, and what a search over the same past would choose: only ever a suggestion."""

    report: BacktestReport
    suggestions: tuple[Suggestion, ...]


def report(versions: Versions, digests: tuple[str, str], read: Sequence[Tried], seed: int, draws: Draws) -> Found:
    """The backtest of the proposed version. digests: of the current and of the proposed playbook.

    Raises ValueError without episodes, or when one is there twice.
    """
    if not read or len({one.episode.episode_id for one in read}) != len(read):
        names = [one.episode.episode_id for one in read]
        raise ValueError(f"a backtest needs one or more different episodes, not {names!r}")
    read = sorted(read, key=lambda one: (one.episode.begins, one.episode.episode_id))
    tried = [one for one in read if one.episode.kind != "unknown"]
    now, then = (outcome(versions, names, tried) for names in (versions.current, versions.proposed))
    trials = {trial: outcome(versions, trial.rules, tried) for trial in versions.trials if trial.refused is None}
    refused = {trial: Outcome({}, (), 0) for trial in versions.trials if trial.refused is not None}
    swept = sweep({trial: trials.get(trial) or refused[trial] for trial in versions.trials})
    incidents = tuple(_incident(versions, one) for one in tried if one.episode.kind != "quiet")
    quiets = tuple(_quiet(versions, one) for one in tried if one.episode.kind == "quiet")
    known = [row.episode_id for row in incidents if row.kind == "incident"]
    loo = left_out(versions.places, trials, known)
    suggested = suggestions(versions.places, trials)
    missed = tuple(sorted(set(then.missed) - set(now.missed)))
    honest = _honesty(versions, read, incidents, quiets, draws)
    told = BacktestReport(
        core=CORE,
        seed=seed,
        current_digest=digests[0],
        proposed_digest=digests[1],
        episodes_digest=episodes_digest(tuple(one.episode for one in read)),
        rows_digest=digest([[one.episode.episode_id, one.heard.rows_digest] for one in read]),
        change=versions.change,
        incidents=incidents,
        quiet=quiets,
        cost=Costs(
            current=_cost(incidents, [row.current for row in quiets], "current"),
            proposed=_cost(incidents, [row.proposed for row in quiets], "proposed"),
        ),
        sensitivity=swept,
        leave_one_out=loo,
        honesty=honest,
        missed=missed,
        gained=tuple(sorted(set(now.missed) - set(then.missed))),
        sentences=(*_sentences(versions, now, then, loo, (*cliffs(swept, then),), known), *_preferred(suggested)),
    )
    return Found(told, suggested)


def _preferred(suggested: Sequence[Suggestion]) -> Iterator[str]:
    for one in suggested:
        yield (
            f"Of the values that were tried, the same past prefers {one.value} for {one.place}: {len(one.missed)} "
            f"missed, {count(one.false_alarms, 'needless call')}. Only a suggestion."
        )


def _incident(versions: Versions, one: Tried) -> IncidentRow:
    episode = one.episode
    current, proposed = (fired(versions, names, one) for names in (versions.current, versions.proposed))
    return IncidentRow(
        episode_id=episode.episode_id,
        kind=episode.kind,
        source=episode.source,
        release_id=episode.release_id,
        incident_id=episode.incident_id,
        begins=episode.begins,
        cut_at=episode.cut_at,
        harm_start=episode.harm_start,
        actual_at=episode.fired_at,
        rows=one.heard.rows,
        current=current,
        proposed=proposed,
        bad_served=tuple(_bad_served(versions, one, current, proposed)),
    )


def _bad_served(versions: Versions, one: Tried, current: Fired, proposed: Fired) -> Iterator[BadServed]:
    """On the signals that brought either version to fire; on those of the changed triggers when none did."""
    known = dict(one.heard.bad)
    at_end = known[one.episode.cut_at]
    touched = {own.reads for name in versions.changed for own in versions.rules[name].criteria}
    carried = {carrier.signal for side in (current, proposed) for carrier in side.carried_by}
    for name in sorted(carried & set(at_end) or touched & set(at_end)):
        yield BadServed(
            signal=name,
            current=known[current.at or one.episode.cut_at].get(name, 0),
            proposed=known[proposed.at or one.episode.cut_at].get(name, 0),
            at_least=current.at is None or proposed.at is None,
        )


def _quiet(versions: Versions, one: Tried) -> QuietRow:
    return QuietRow(
        episode_id=one.episode.episode_id,
        source=one.episode.source,
        release_id=one.episode.release_id,
        begins=one.episode.begins,
        ends=one.episode.cut_at,
        rows=one.heard.rows,
        current=quiet(versions, versions.current, one),
        proposed=quiet(versions, versions.proposed, one),
    )


def _cost(incidents: Sequence[IncidentRow], quiets: Sequence[QuietSide], side: str) -> Cost:
    return Cost(
        bad_served=sum(getattr(one, side) for row in incidents if row.kind == "incident" for one in row.bad_served),
        needless_rollbacks=sum(one.asks for one in quiets),
        held_ramps=sum(one.flaps for one in quiets),
    )


def _honesty(
    versions: Versions,
    read: Sequence[Tried],
    incidents: Sequence[IncidentRow],
    quiets: Sequence[QuietRow],
    draws: Draws,
) -> Honesty:
    known = sum(row.kind == "incident" for row in incidents)
    synthetic = sum(one.episode.source == "synthetic" for one in read)
    current, proposed = (
        honesty.rate([_watched(row, getattr(row, side)) for row in quiets], draws(f"bootstrap/{side}"))
        for side in ("current", "proposed")
    )
    traffic = _traffic(versions, read)
    needed = {own.reads for name in versions.proposed for own in versions.rules[name].criteria}
    absent = tuple(sorted(needed - set(traffic)))
    said = [*honesty.sentences(known, synthetic, current, proposed)]
    unlabelled = sum(one.episode.kind == "unknown" for one in read)
    if unlabelled:
        said.append(f"{unlabelled} episodes count for nothing, because nobody has said what they were.")
    if absent:
        said.append(f"Nothing was recorded of {spoken(absent)}: what depends on it was not tried.")
    if not versions.places:
        said.append("No single value is changed, so nothing was moved and nothing derived again.")
    return Honesty(
        incidents=known,
        quiet_stretches=len(quiets),
        synthetic=synthetic,
        left_out=unlabelled,
        current=current,
        proposed=proposed,
        detectable=honesty.detectable([versions.rules[name] for name in versions.changed], traffic),
        not_recorded=absent,
        sentences=tuple(said),
    )


def _watched(row: QuietRow, side: QuietSide) -> honesty.Watched:
    instants: set[datetime] = {alarm.at for alarm in side.alarms}
    return honesty.Watched(row.begins, row.ends, tuple(sorted(instants)), len(side.alarms))


def _traffic(versions: Versions, read: Sequence[Tried]) -> dict[str, Traffic]:
    """Outputs scored per block on average; derived signals have the traffic of the signal they read."""
    rows = max(sum(one.heard.rows for one in read), 1)
    total: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for one in read:
        for name, both in one.heard.scored.items():
            for arm, scored in enumerate(both):
                total[name][arm] += scored
    found = {name: (both[0] // rows, both[1] // rows) for name, both in total.items()}
    for name, spec in versions.detection.signals.items():
        if spec.of in found:
            found.setdefault(name, found[spec.of])
    return found


def _sentences(
    versions: Versions,
    now: Outcome,
    then: Outcome,
    loo: Sequence[LeftOut],
    cliff: Sequence[str],
    known: Sequence[str],
) -> Iterator[str]:
    """What a person needs first."""
    if known:
        yield (
            f"Of {len(known)} incidents the current version catches {len(now.caught)}, the proposed one "
            f"{len(then.caught)}."
        )
    if lost := sorted(set(then.missed) - set(now.missed)):
        yield f"The proposed version would miss {spoken(lost)}, which the current one catches."
    both = [name for name in then.caught if name in now.caught]
    sooner = sum(then.caught[name] < now.caught[name] for name in both)
    later = sum(then.caught[name] > now.caught[name] for name in both)
    if both:
        same = len(both) - sooner - later
        yield f"Of what both catch it is sooner in {sooner}, later in {later} and the same in {same}."
    yield f"In quiet stretches the current version asks for nothing {now.asks} times, the proposed one {then.asks}."
    if fitted := sorted({row.episode_id for row in loo if not row.caught and row.episode_id in then.caught}):
        yield f"Derived again without it, the value misses {spoken(fitted)}: it may be fitted to that incident alone."
    yield from cliff
    if not versions.changed and not set(versions.current) - set(versions.proposed):
        yield "Both versions judge alike: nothing in them that decides differs."

"""Did automation misread it? What the record itself shows; people add what it cannot know (LRN-2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from countermand.detection.blocks import BlockState, Row
from countermand.ledger.bodies import VerdictChanged
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import in_words, utc
from countermand.messages.incident import IncidentView
from countermand.review.earlier import Earlier

#: Blocks without data of a signal that are worth a sentence.
_STALE = 3


def misread(view: IncidentView, verdicts: Iterable[Record], found: Earlier | None, rows: Sequence[Row]) -> list[str]:
    """Sentences, each with what it was read from. verdicts: `Kind.verdict` of the release, in order. rows: frozen."""
    return [
        *_late(found),
        *_judged(view),
        *_blind(verdicts, view.opened_at),
        *_stale(rows),
        *_disagreed(view),
    ]


def known_later(view: IncidentView, found: Earlier | None, rows: Sequence[Row]) -> list[str]:
    """What is known now and was not when people decided."""
    said = []
    if found is not None and found.onset is not None:
        said.append(
            f"the harm seems to begin {utc(found.onset.start)}; this is an estimate after the fact, and the incident "
            f"was opened {utc(view.opened_at)}"
        )
    late = sum(row.late_of is not None for row in rows)
    if late:
        said.append(f"samples of {late} blocks came after their block was judged")
    if view.breach is not None:
        said.append(f"the version in quarantine served again: {view.breach.sentence}")
    return said


def _late(found: Earlier | None) -> list[str]:
    if found is None or found.onset is None or found.fired_at is None:
        return []
    delay = in_words(found.fired_at - found.onset.start)
    return [f"late: it fired {delay} after the harm seems to begin"]


def _judged(view: IncidentView) -> list[str]:
    gate, outcome = view.gate, view.closed.outcome if view.closed else None
    if gate is None:
        return []
    against = outcome in ("rejected", "withdrawn")
    if gate.clear and against:
        return ["false or doubtful: the evidence was judged clear, and people decided against going back"]
    if not gate.clear and outcome == "reverted":
        why = f" ({'; '.join(gate.because)})" if gate.because else ""
        return [f"too careful: the evidence was judged doubtful{why}, and the service was well after going back"]
    return []


def _blind(verdicts: Iterable[Record], until: datetime) -> list[str]:
    """Times without a verdict before the incident; a verdict `unknown` is never health."""
    said, since = [], None
    for record in verdicts:
        if record.kind is not Kind.verdict or record.incident_id is not None or record.at > until:
            continue
        word = VerdictChanged.model_validate(record.body).word
        if word == "unknown" and since is None:
            since = record.at
        elif word != "unknown" and since is not None:
            said.append(f"blind: from {utc(since)} for {in_words(record.at - since)} the watch could not judge")
            since = None
    if since is not None:
        said.append(f"blind: from {utc(since)} until the incident was opened the watch could not judge")
    return said


def _stale(rows: Sequence[Row]) -> list[str]:
    silent: dict[str, int] = {}
    for row in rows:
        if row.late_of is None:
            for name in {block.signal for block in row.blocks if block.state is BlockState.unknown}:
                silent[name] = silent.get(name, 0) + 1
    total = sum(row.late_of is None for row in rows)
    return [
        f"stale: {name.replace('_', ' ')} had no usable data in {count} of {total} blocks"
        for name, count in sorted(silent.items())
        if count >= _STALE
    ]


def _disagreed(view: IncidentView) -> list[str]:
    criteria = view.verdict.criteria if view.verdict else ()
    quiet = [one.signal for one in criteria if one.odds is not None and not (one.micronats or 0)]
    loud = [one.signal for one in criteria if one.micronats or one.breached]
    if not quiet or not loud:
        return []
    names = ", ".join(sorted({one.replace("_", " ") for one in quiet}))
    return [f"sources disagreed: {names} showed no harm while others did"]

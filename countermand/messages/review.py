"""Facts of the review draft, generated from the Ledger (LRN-2): the same records give the same bytes."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from countermand.detection.blocks import Row
from countermand.ledger.bodies import (
    ObligationClock,
    ObligationDecided,
    ObligationFiled,
    ObligationOverdue,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import in_words, unknowns, utc
from countermand.messages.incident import IncidentView
from countermand.plan.target import Value
from countermand.playbook.units import format_percent
from countermand.review.earlier import Alternative, Earlier
from countermand.review.misread import known_later, misread

#: Records about clocks that the draft tells.
DUTIES = (Kind.obligation_clock, Kind.obligation_filed, Kind.obligation_overdue, Kind.obligation_decided)


class Looked(Value):
    """What the draft tells beside the incident's own records. rows: as they were frozen. verdicts: of the release.
    duties: records of the incident about reporting clocks."""

    rows: tuple[Row, ...] = ()
    verdicts: tuple[Record, ...] = ()
    duties: tuple[Record, ...] = ()
    found: Earlier | None = None


def review_facts(view: IncidentView, looked: Looked | None = None) -> dict[str, Any]:
    """Everything the draft says; what people write stands in records of its own."""
    looked = looked or Looked()
    return {
        "incident_id": view.incident_id,
        "service": view.opened.service,
        "environment": view.opened.environment,
        "severity": view.opened.severity,
        "trigger": view.opened.trigger,
        "verdict_sentence": view.opened.sentence,
        "outcome": view.closed.outcome.replace("_", " ") if view.closed else "still open",
        "timeline": [
            {"at": utc(line.at), "seq": line.seq, "text": _joined(line.text, line.detail)} for line in view.timeline
        ],
        "durations": _durations(view),
        "decisions": [
            {
                "at": utc(ask.voted_at[vote.decision_id]),
                "who": vote.name,
                "roles": ", ".join(role.replace("_", " ") for role in vote.roles),
                "what": vote.vote,
                "reason": vote.reason or "none given",
                "channel": vote.channel,
            }
            for ask in view.asks
            for vote in ask.votes
        ],
        "stages": [
            {
                "number": stage.number,
                "planned": f"candidate {format_percent(stage.candidate_bp)} of users",
                "observed": next((c.sentence for c in stage.checks if c.name == "observed"), "not observed"),
                "result": stage.state,
            }
            for stage in view.stages
        ],
        "signals": [
            {"name": criterion.signal.replace("_", " "), "text": criterion.sentence}
            for criterion in (view.verdict.criteria if view.verdict else ())
        ],
        "protected_by": _protected_by(view),
        "promises": _promises(view),
        "refusals": [
            f"{utc(at)}: {r.decision_kind} by {r.subject} refused ({r.code}): {r.detail}" for at, r in view.refusals
        ],
        "unknowns": unknowns(view),
        "known_later": known_later(view, looked.found, looked.rows),
        "earlier": [_alternative(one, looked.found) for one in looked.found.alternatives] if looked.found else [],
        "earlier_note": _earlier_note(looked.found),
        "misread": misread(view, looked.verdicts, looked.found, looked.rows),
        "rungs": [
            f"{utc(ask.rung_at[rung.rung])}: {rung.do} {', '.join(to.replace('_', ' ') for to in rung.to)}"
            for ask in view.asks
            for rung in ask.rungs
        ],
        "deviations": _deviations(view),
        "data": [
            f"{check.name.replace('_', ' ')}: {check.word}. {check.sentence}"
            for stage in view.stages
            for check in stage.checks
            if "data" in check.name
        ],
        "reached": _reached(view),
        "clocks": [_clock(record) for record in looked.duties],
    }


def _alternative(one: Alternative, found: Earlier) -> dict[str, str]:
    if one.fired_at is None:
        when, sooner = "not at all", "would have missed it" if found.fired_at else "no difference"
    elif one.sooner is None:
        when, sooner = utc(one.fired_at), "what was in force did not fire"
    else:
        word = "earlier" if one.sooner > timedelta() else "later"
        when, sooner = utc(one.fired_at), f"{in_words(abs(one.sooner))} {word}" if one.sooner else "no difference"
    cost = "not known" if one.false_alarms is None else str(one.false_alarms)
    return {"what": f"{one.trigger}: {one.what}", "when": when, "sooner": sooner, "cost": cost}


def _earlier_note(found: Earlier | None) -> str:
    if found is None or found.begins is None or found.ends is None:
        return "The recorded rows cannot be read, so nothing can be said about it."
    said = [f"Looked at: {found.rows} recorded blocks from {utc(found.begins)} to {utc(found.ends)}."]
    if found.onset is None:
        said.append("When the harm began is not known, so false alarms before it cannot be counted.")
    else:
        said.append(f"The harm seems to begin {utc(found.onset.start)}. False alarms are counted before that.")
    if found.left_out:
        said.append(f"{found.left_out} further changes were not tried.")
    said.append("One incident is an anecdote: a change is proposed with a backtest over many.")
    return " ".join(said)


def _deviations(view: IncidentView) -> list[str]:
    said = [
        f"stage {stage.number} ended as {stage.state.replace('_', ' ')}: {stage.sentence or 'no reason is on record'}"
        for stage in view.stages
        if stage.state != "completed"
    ]
    return [*said, view.stopped] if view.stopped else said


def _reached(view: IncidentView) -> list[str]:
    sent: dict[str, int] = {}
    for _, message in view.messages:
        sent[message.audience] = sent.get(message.audience, 0) + 1
    return [f"{audience}: {count} message{'s' if count != 1 else ''}" for audience, count in sorted(sent.items())]


def _clock(record: Record) -> str:
    body = parse_body(record)
    match body:
        case ObligationClock():
            return f"{body.row_id} is due {utc(body.due)}"
        case ObligationFiled():
            return f"{body.row_id} was reported {utc(body.filed_at)}{' and late' if body.late else ''}"
        case ObligationOverdue():
            return f"{body.row_id} was due {utc(body.due)}, and no report is recorded"
        case ObligationDecided():
            return f"{body.regime.replace('_', ' ')}: reportable {body.reportable}"
        case _:
            raise ValueError(f"a record of kind {record.kind.value!r} tells nothing of a clock")


def _durations(view: IncidentView) -> list[dict[str, str]]:
    first_effect = next((stage.started_at for stage in view.stages if stage.started_at), None)
    ask = view.ask
    spans: list[tuple[str, datetime | None, datetime | None]] = [
        (
            "incident opened → approval asked",
            view.opened_at,
            view.asks[0].opened.opened_at if view.asks else None,
        ),
        ("approval asked → decided", ask.opened.opened_at if ask else None, ask.closed_at if ask else None),
        ("decided → first effect", ask.closed_at if ask else None, first_effect),
        ("first effect → closed", first_effect, view.closed_at),
        ("incident opened → closed", view.opened_at, view.closed_at),
    ]
    return [{"name": name, "text": in_words(end - start)} for name, start, end in spans if start and end]


def _promises(view: IncidentView) -> list[str]:
    """Promised updates by audience (COM-24); a promise that was still open when the draft was made is said as such."""
    said: dict[str, list[str]] = {}
    for promise in view.promises.values():
        said.setdefault(promise.audience, []).append(promise.word)
    words = {"kept": "kept", "overdue": "missed", "open": "open when this was written"}
    return [
        f"{audience}: {', '.join(f'{found.count(word)} {name}' for word, name in words.items() if word in found)}"
        for audience, found in sorted(said.items())
    ]


def _protected_by(view: IncidentView) -> list[str]:
    worked = []
    if view.freeze:
        worked.append(f"evidence was frozen before the first effect ({len(view.freeze.items)} items)")
    if view.asks and view.asks[0].opened.need_people > 1:
        worked.append(f"{view.asks[0].opened.need_people} different people had to agree")
    if view.stages:
        worked.append(
            f"the first stage moved only {format_percent(view.stages[0].give_back_bp)} of the candidate's users"
        )
    worked += [
        f"check {c.name.replace('_', ' ')} stopped the revert: {c.sentence}"
        for s in view.stages
        for c in s.checks
        if c.word != "pass"
    ]
    return worked


def _joined(text: str, detail: str) -> str:
    return f"{text}: {detail}" if detail else text

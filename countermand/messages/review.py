"""Facts of the review draft, generated from the Ledger (LRN-2): the same records give the same bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from countermand.messages.facts import in_words, unknowns, utc
from countermand.messages.incident import IncidentView
from countermand.playbook.units import format_percent


def review_facts(view: IncidentView) -> dict[str, Any]:
    """Everything the draft says without a person; the template adds the parts people fill in."""
    return {
        "incident_id": view.incident_id,
        "service": view.opened.service,
        "environment": view.opened.environment,
        "severity": view.opened.severity,
        "trigger": view.opened.trigger,
        "verdict_sentence": view.opened.sentence,
        "outcome": view.closed.outcome.replace("_", " ") if view.closed else "still open",
        "timeline": [{"at": utc(line.at), "text": _joined(line.text, line.detail)} for line in view.timeline],
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
    }


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

"""Facts of a draft for an authority: one factual timeline feeds every draft, and nothing is guessed (OBL-5)."""

from __future__ import annotations

from typing import Any

from countermand.messages.facts import utc
from countermand.messages.incident import IncidentView
from countermand.messages.obligation import NOT_ADVICE
from countermand.obligations.acts import Situation
from countermand.obligations.clocks import Clock

UNKNOWN = "not known yet"


def draft_facts(view: IncidentView, found: Situation, clock: Clock, seq: int) -> dict[str, Any]:
    """What every draft says in the same words. `facts_root`: the newest record that it rests on.

    Words of people and of models stay out; what happened is named by the record.
    """
    opened = view.opened
    stated = [
        {"what": path.replace("_", " "), "answer": _plain(value), "by": who.by}
        for path, value, who in found.book.stated
    ]
    anchors = [
        {"what": one.event.replace(".", ": ").replace("_", " "), "when": one.moment.words, "certainty": one.certainty}
        for one in found.book.anchors
        if not one.by.startswith("record ")
    ]
    return {
        "not_advice": f"DRAFT, NOT LEGAL ADVICE. {NOT_ADVICE}",
        "facts_root": seq,
        "row": {"title": clock.row.title, "citation": clock.row.citation, "audience": clock.row.audience},
        "due": utc(clock.due) if clock.due else UNKNOWN,
        "incident": view.incident_id,
        "service": opened.service,
        "environment": opened.environment,
        "version": opened.candidate_name,
        "before": opened.baseline_name,
        "severity": opened.severity,
        "detected": utc(view.opened_at),
        "trigger": opened.trigger.replace("_", " "),
        "ended": utc(view.closed_at) if view.closed_at else "it goes on",
        "outcome": view.closed.outcome.replace("_", " ") if view.closed else UNKNOWN,
        "stated": stated,
        "anchors": anchors,
        "reported": [
            {"what": one.row_id, "when": utc(one.at), "reference": one.reference}
            for one in found.book.filings
            if not one.said.by.startswith("record ")
        ],
        "timeline": [{"at": utc(line.at), "what": line.text, "seq": line.seq} for line in view.timeline],
        "unknown": UNKNOWN,
    }


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)

"""What pages and API need of an investigation: which one is open, who may do what, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from countermand.canonical import instant
from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.investigation_form import FIELDS
from countermand.governance.rights import Action, Condition, Right
from countermand.governance.shipped import rights_in_force
from countermand.messages.incident import IncidentView
from countermand.messages.investigation import InvestigationView, slice_lines
from countermand.playbook.terms import Severity


def open_one(view: IncidentView) -> InvestigationView:
    """The investigation that takes decisions now. Raises Refused when there is none."""
    found = view.investigation
    if found is None:
        raise Refused(Refusal.wrong_state, "nothing is investigated in this incident.", "Open the incident.")
    if found.ended is not None:
        raise Refused(Refusal.already_decided, found.ended.sentence, "Open the incident to see what happens now.")
    return found


def right(kind: DecisionKind, view: IncidentView, directory: Directory) -> Right:
    """The row that governs filling in the form, or the finding."""
    table, severity = rights_in_force(directory.governance), Severity(view.opened.severity)
    if kind is DecisionKind.fill_investigation:
        return table.row(Action.report_unfairness, severity)
    found = view.investigation
    rests = found is not None and (found.opened.protected or found.text("protected") == "yes")
    conditions: tuple[Condition, ...] = ("protected_attribute",) if rests else ()
    return table.row(Action.fairness_finding, severity).under(conditions)


def roles(kind: DecisionKind, view: IncidentView, directory: Directory) -> tuple[str, ...]:
    """Roles that may do this."""
    return right(kind, view, directory).roles


@dataclass(frozen=True)
class May:
    """What this person may do in an investigation, and who may decide."""

    fill: bool
    find: bool
    finders: tuple[str, ...]


def may(view: IncidentView, directory: Directory, subject: str) -> May:
    """What this person may do here by their own roles."""
    held = set(directory.roles_of(subject))
    find = roles(DecisionKind.decide_finding, view, directory)
    return May(
        fill=bool(held & set(roles(DecisionKind.fill_investigation, view, directory))),
        find=bool(held & set(find)),
        finders=tuple(person.name for person in directory.holders(*find)),
    )


def body(view: IncidentView, found: InvestigationView) -> dict[str, Any]:
    """An investigation for the API."""
    return {
        "schema": "countermand.investigation/v1",
        "incident_id": view.incident_id,
        "investigation_id": found.opened.investigation_id,
        "because": list(found.opened.because),
        "asked": list(found.opened.asked),
        "until": instant(found.until),
        "ends_by": instant(found.opened.ends_by),
        "signature_class": found.opened.signature_class,
        "digest": found.digest,
        "slices": list(slice_lines(found.slices)),
        "form": [
            {"name": one.name, "asks": one.asks, "choices": list(one.choices), "text": found.text(one.name)}
            for one in FIELDS
        ],
        "missing": list(found.missing),
        "findings": [
            {"name": one.name, "outcome": one.outcome, "reason": one.reason, "missing": list(one.missing)}
            for one in found.found
        ],
        "beside": [one.sentence for one in found.overridden],
        "ended": found.ended.sentence if found.ended else None,
    }

"""Facts of a public summary of an investigation, from the same records as everything else (R88, COM-8).

No name of a person and no word that somebody typed: only what was measured, and which finding it was.
"""

from __future__ import annotations

from typing import Any

from countermand.messages.facts import utc
from countermand.messages.incident import IncidentView
from countermand.messages.investigation import InvestigationView, slice_lines

_OUTCOMES = {
    "revert": "The earlier version is better for the people concerned. It was proposed to return everybody to it.",
    "adjust": "Returning to the earlier version was not the best answer. The service was adjusted instead.",
    "continue": "The new version stays in use. It is watched more closely from now on.",
    "lapsed": "No finding was made in time. Nothing was changed because of it.",
}
_TARGET = {"better": "better", "equal": "equally well", "worse": "worse"}


def public_facts(view: IncidentView, found: InvestigationView) -> dict[str, Any]:
    """What the public reads. Raises ValueError while the investigation is open: nothing is published before."""
    if found.ended is None:
        raise ValueError(f"investigation {found.opened.investigation_id!r} is still open; publish it once it has ended")
    measured = slice_lines(found.slices)
    return {
        "service": view.opened.service,
        "incident_id": view.incident_id,
        "noticed": utc(view.opened_at),
        "ended_at": utc(found.ended_at) if found.ended_at else "an unknown time",
        "slices": list(measured) or ["No numbers could be had; that is no sign that all were served alike."],
        "outcome": _OUTCOMES[found.ended.outcome],
        "target_is": _TARGET.get(found.text("target_is"), "in a way that is not known"),
        "not_known": "How many people met it in all; only a part of the answers is checked.",
    }

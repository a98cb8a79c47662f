"""Does something work on every open incident? For `/readyz` and `countermand doctor` (T22)."""

from __future__ import annotations

from console import views
from console.deps import Console


async def attending(deps: Console) -> dict[str, object]:
    """One check as `/readyz` shows it: not ok while an incident is open that nothing works on, and none followed it."""
    incidents = await views.recent_incidents(deps)
    left = [view for view in incidents if view.unattended and not views.is_over(view, incidents)]
    said = " ".join(f"{view.incident_id}: {view.sentence}" for view in left)
    fine = "the worker found a running workflow for every open incident"
    return {"name": "incidents", "ok": not left, "sentence": said or fine}

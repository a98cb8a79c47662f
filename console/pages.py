"""The pages of the console: the overview here, the others by subject in `pages_*.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from console import (
    cadence,
    consents,
    pages_ask,
    pages_cadence,
    pages_compare,
    pages_consent,
    pages_emergency,
    pages_evidence,
    pages_holds,
    pages_incident,
    pages_investigation,
    pages_keys,
    pages_ledger,
    pages_lessons,
    pages_obligations,
    pages_playbooks,
    pages_population,
    pages_provider,
    pages_rehearsals,
    pages_release,
    pages_review,
    pages_rollout,
    pages_sign_in,
    pages_signals,
    pages_standing,
    pages_thresholds,
    pages_versions,
    views,
)
from console.auth import Session, browser
from console.deps import Console, console
from console.headline import Headline, headline, stage_rows
from console.live import EVERYTHING
from console.render import STATIC, Page, message
from console.submit import directory
from console.waiting import Waiting, waiting_for
from console.watched import Watched, watched
from countermand.messages.consent import ConsentView
from countermand.messages.incident import IncidentView

router = APIRouter(include_in_schema=False)
for part in (
    pages_sign_in,
    pages_provider,
    pages_release,
    pages_incident,
    pages_investigation,
    pages_ask,
    pages_rehearsals,
    pages_review,
    pages_ledger,
    pages_evidence,
    pages_population,
    pages_signals,
    pages_playbooks,
    pages_thresholds,
    pages_cadence,
    pages_lessons,
    pages_keys,
    pages_compare,
    pages_consent,
    pages_standing,
    pages_holds,
    pages_obligations,
    pages_emergency,
    pages_versions,
    pages_rollout,
):
    router.include_router(part.router)

REGIONS = ("waiting", "running", "watched", "closed")


@dataclass(frozen=True)
class Running:
    """An open incident in one line."""

    view: IncidentView
    now: Headline
    stage: str


@router.get("/")
async def overview(
    deps: Annotated[Console, Depends(console)], session: Annotated[Session, Depends(browser)]
) -> Response:
    """What waits for this person first, then what is running, watched and over."""
    page = await Page.begin(deps, session)
    people = await directory(deps)
    subject = session.person.subject
    incidents = await views.recent_incidents(deps)
    mine = await waiting_for(deps, people, subject, incidents) if people else []
    running = [view for view in incidents if not views.is_over(view, incidents)]
    releases = await _watched(deps)
    return page.html(
        "overview.html",
        path="/",
        topic=EVERYTHING,
        regions=REGIONS,
        headline=_sentence(mine, running, releases),
        mine=mine,
        urgent=sum(one.urgent for one in mine),
        running=[Running(view, headline(view), _stage(view)) for view in running],
        watched=releases,
        closed=[view for view in incidents if views.is_over(view, incidents)],
        people_known=people is not None,
        overdue=await _overdue(deps),
        duties_overdue=(await cadence.board(deps)).overdue,
    )


async def _overdue(deps: Console) -> list[ConsentView]:
    """Ratifications that nobody decided in time: everybody sees them until somebody does (GOV-39)."""
    asked = await consents.every(deps.ledger)
    return [view for view in asked if view.ratifies and view.closed is None and deps.clock() >= view.opened.expires_at]


async def _watched(deps: Console) -> list[Watched]:
    """Every release that is still watched, the newest first."""
    newest = await deps.signals.newest_evaluations()
    found = []
    for status in reversed(await deps.catalogue.releases()):
        if status.closed_at is None:
            playbook = await deps.catalogue.playbook(status.release.playbook_digest)
            _, judged = newest.get(status.release.release_id, (0, None))
            found.append(watched(status, playbook.detection, judged, deps.clock()))
    return found


def _sentence(mine: Sequence[Waiting], running: Sequence[IncidentView], releases: Sequence[Watched]) -> str:
    """The state of everything in one sentence, for whoever looks for a second only."""
    unattended = next((view for view in running if view.unattended), None)
    if unattended is not None:
        return f"Nothing works on {unattended.incident_id} any more. Look at it now."
    urgent = sum(one.urgent for one in mine)
    if urgent:
        return "One decision waits for you." if urgent == 1 else f"{urgent} decisions wait for you."
    if running:
        count = "One incident is" if len(running) == 1 else f"{len(running)} incidents are"
        return f"Nothing waits for you. {count} running."
    if any(release.word == "unknown" for release in releases):
        return "Nothing waits for you, but not everything can be judged."
    if any(release.word in ("watch", "trigger") for release in releases):
        return "Nothing waits for you. A release is being looked at closely."
    return "All calm. Only a signature waits for you." if mine else "All calm. Nothing waits for you."


def _stage(view: IncidentView) -> str:
    """`stage 2 of 3, soaking`, or nothing when no user has been moved."""
    rows = stage_rows(view)
    begun = [row for row in rows if row.view.state != "waiting"]
    return f"stage {begun[-1].number} of {len(rows)}, {begun[-1].view.state}" if begun else ""


@router.get("/favicon.ico")
async def favicon() -> Response:
    """Browsers ask for this name whatever the page says."""
    return FileResponse(STATIC / "favicon.svg", media_type="image/svg+xml")


async def http_error(request: Request, error: Exception) -> Response:
    """Errors of the web framework: a page for people, JSON for everything below /api."""
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if request.url.path.startswith("/api/"):
        return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
    if error.status_code == 404:
        return message(404, "There is nothing here", f"No page has the address {request.url.path}.", "")
    return message(error.status_code, "This was not done", str(error.detail), "")

"""One incident: what happens now, until when, what then; and the commands people may give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from adapters.outbox import Sent
from console import views
from console.auth import Session, browser, own_form
from console.decide import Act
from console.deps import Console, console
from console.headline import active_stage, headline, stage_rows
from console.pages_release import temporal_link
from console.problems import Problem
from console.render import Page, segment
from console.submit import directory, form_id, known_id, submit
from countermand import ids
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.directory import Directory
from countermand.ledger.bodies import DecisionMade
from countermand.messages.incident import IncidentView
from countermand.playbook.units import format_percent

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

#: Commands in the order of how much they change.
COMMANDS = ("hold", "resume", "ask_again", "withdraw", "abort", "reverse")
REGIONS = ("now", "ask", "stages", "verification", "timeline", "messages", "facts", "evidence", "commands")


@dataclass(frozen=True)
class Command:
    """One command of this phase: what it does, and who may give it when this person may not."""

    kind: str
    does: str
    permitted: bool
    holders: tuple[str, ...]


@router.get("/incidents/{incident_id}")
async def incident(
    incident_id: str, deps: Deps, session: Annotated[Session, Depends(browser)], decision: str = ""
) -> Response:
    page = await Page.begin(deps, session)
    view = await _incident(deps, incident_id)
    return await _page(deps, page, view, received=await _received(deps, session, decision))


@router.get("/incidents/{incident_id}/commands")
async def back_to_incident(incident_id: str) -> Response:
    """Where signing in again leads after a command was sent with an ended session."""
    return RedirectResponse(f"/incidents/{incident_id}", status_code=303)


@router.post("/incidents/{incident_id}/commands")
async def command(
    incident_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    kind: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
) -> Response:
    """Give one command. Accepted: back to the page; refused: the page with the reason and what was typed."""
    page = await Page.begin(deps, session)
    if kind not in COMMANDS:
        raise HTTPException(400, f"{kind!r} is no command; {', '.join(COMMANDS)} are.")
    view = await _incident(deps, incident_id)
    act = Act(
        kind=DecisionKind(kind),
        incident_id=incident_id,
        ask_id=view.ask.opened.ask_id if kind == DecisionKind.withdraw and view.ask else None,
        reason=reason,
        decision_id=known_id(decision_id),
    )
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse(f"/incidents/{incident_id}?decision={act.decision_id or ''}", status_code=303)
    view = await _incident(deps, incident_id)
    return await _page(deps, page, view, problem=problem, typed=(kind, reason, decision_id))


async def _incident(deps: Console, incident_id: str) -> IncidentView:
    view = await views.one_incident(deps, incident_id)
    if view is None:
        raise HTTPException(404)
    return view


async def _received(deps: Console, session: Session, decision_id: str) -> Decision | None:
    """The command this person has just given, so that the page can say that it arrived."""
    record = await deps.ledger.find(f"decision/{decision_id}") if decision_id else None
    found = DecisionMade.model_validate(record.body).decision if record else None
    return found if found and found.actor.subject == session.person.subject else None


async def _page(
    deps: Console,
    page: Page,
    view: IncidentView,
    *,
    received: Decision | None = None,
    problem: Problem | None = None,
    typed: tuple[str, str, str] = ("", "", ""),
) -> Response:
    people = await directory(deps)
    kind, reason, sent = typed
    return page.html(
        "incident.html",
        path=f"/incidents/{segment(view.incident_id)}",
        topic=view.incident_id,
        regions=REGIONS,
        code=problem.status if problem else 200,
        view=view,
        headline=headline(view),
        rows=stage_rows(view),
        commands=_commands(view, people, page.session.person.subject),
        people_known=people is not None,
        received=received,
        problem=problem,
        typed_kind=kind,
        typed_reason=reason,
        decision_id=form_id(sent, problem),
        messages=_by_step(await deps.outbox.list(view.incident_id)),
        links=_links(deps, view),
    )


def _by_step(sent: Sequence[Sent]) -> dict[str, list[Sent]]:
    """Messages by the step they are about, the newest step first."""
    steps: dict[str, list[Sent]] = {}
    for one in reversed(sent):
        steps.setdefault(one.message.step.value, []).append(one)
    return steps


def _commands(view: IncidentView, people: Directory | None, subject: str) -> list[Command]:
    """Commands of this phase that make sense now."""
    if view.closed is not None or view.phase is None:
        return []
    stage = active_stage(view)
    stopped = stage is not None and stage.state in ("held", "stopped")
    senseless = {"hold"} if stopped else {"resume"} if stage is not None else set()
    does = _does(view)
    roles = set(people.roles_of(subject)) if people else set()
    found = []
    for kind in COMMANDS:
        if kind in view.phase.commands and kind not in senseless:
            allowed = people.governance.rights.get(DecisionKind(kind), ()) if people else ()
            holders = tuple(person.name for person in people.holders(*allowed)) if people else ()
            found.append(Command(kind, does[kind], bool(roles & set(allowed)), holders))
    return found


def _does(view: IncidentView) -> dict[str, str]:
    before = "the recorded share"
    if view.plan is not None:
        before = f"{format_percent(view.plan.before.candidate_bp)} of users, as recorded before the first stage"
    verifying = view.status == "not_verified"
    resume = "Verify again with new answers." if verifying else "Go on with this stage."
    abort = "Stop here for good. Users stay where they are now; a review follows."
    return {
        "hold": "Stay at this stage. Nothing moves until somebody resumes.",
        "resume": resume,
        "ask_again": "Read the target again, make a new plan and ask for approval now.",
        "withdraw": "Take the request back. Nothing is rolled back and the incident is closed.",
        "abort": "Close without a healthy verification." if verifying else abort,
        "reverse": f"Undo the rollback: give the candidate back {before}.",
    }


def _links(deps: Console, view: IncidentView) -> list[tuple[str, str]]:
    """(name, address) of every workflow of this incident in the Temporal UI."""
    workflows = [("Incident", view.opened.workflow_id)]
    workflows += [(f"Approval {i}", ask.opened.workflow_id) for i, ask in enumerate(view.asks, start=1)]
    workflows += [(f"Revert {i}", ids.revert_workflow(view.opened.workflow_id, i)) for i in range(1, view.revert + 1)]
    if view.review is not None:
        workflows.append(("Review", view.review.workflow_id))
    return [(name, temporal_link(deps, workflow_id)) for name, workflow_id in workflows]

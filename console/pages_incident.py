"""One incident: what happens now, until when, what then; and the commands people may give."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from adapters.outbox import Sent
from console import duties, emergencies, inclusive_sets, views
from console.auth import Session, browser, own_form
from console.commands import COMMANDS, commands, glass_state, needs_key
from console.decide import Act
from console.deps import Console, console
from console.headline import headline, stage_rows
from console.pages_release import temporal_link
from console.problems import Problem
from console.render import Page, segment
from console.signing import keys_of
from console.submit import MAX_REASON, directory, form_id, known_id, problem_of, submit
from countermand import ids
from countermand.governance.break_glass import Emergency
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.declaring import MAX_HARM
from countermand.ledger.bodies import DecisionMade
from countermand.messages.facts import GLASS_WORDS
from countermand.messages.fencing import fenced
from countermand.messages.incident import IncidentView

router = APIRouter()

Deps = Annotated[Console, Depends(console)]

REGIONS = (
    "now",
    "clocks",
    "pause",
    "ask",
    "stages",
    "members",
    "verification",
    "timeline",
    "messages",
    "facts",
    "evidence",
    "commands",
    "glass",
)


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


@router.get("/incidents/{incident_id}/break-glass/commands")
async def back_from_glass(incident_id: str) -> Response:
    """Where signing in again leads after break-glass was sent with an ended session."""
    return RedirectResponse(f"/incidents/{incident_id}", status_code=303)


@router.post("/incidents/{incident_id}/break-glass/commands")
async def break_glass(
    incident_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    emergency: Annotated[str, Form()] = "",
    harm: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    step_up: Annotated[str, Form()] = "",
) -> Response:
    """Break the glass. Accepted: back to the page; refused: the page with the reason and what was typed."""
    if emergency not in tuple(Emergency) or len(harm) > MAX_HARM or len(reason) > MAX_REASON:
        raise HTTPException(400, f"{emergency!r} with this harm and reason is nothing that a form here sends.")
    page = await Page.begin(deps, session)
    view = await _incident(deps, incident_id)
    decision = known_id(decision_id) or str(uuid.uuid4())
    problem = await problem_of(
        emergencies.break_glass(
            deps,
            session.person,
            "web",
            incident_id=incident_id,
            emergency=emergency,
            harm=harm,
            reason=reason,
            decision_id=decision,
            step_up=step_up or None,
        )
    )
    if problem is None:
        return RedirectResponse(f"/incidents/{incident_id}?decision={decision}", status_code=303)
    return await _page(deps, page, view, problem=problem, typed=("break_glass", reason, decision_id), harm=harm)


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
    harm: str = "",
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
        commands=commands(view, people, page.session.person.subject),
        people_known=people is not None,
        glass=glass_state(view, people, page.session.person.subject),
        glass_words=GLASS_WORDS,
        keys=await keys_of(deps, page.session.person.subject) if people and needs_key(people) else None,
        overuse=await views.overuse(deps, view) if people else "",
        max_harm=MAX_HARM,
        typed_harm=harm,
        fenced=fenced,
        received=received,
        problem=problem,
        typed_kind=kind,
        typed_reason=reason,
        decision_id=form_id(sent, problem),
        messages=_by_step(await deps.outbox.list(view.incident_id)),
        links=_links(deps, view),
        sets=await inclusive_sets.of_baseline(deps, view.release_id) if view.verification else (),
        duties=await duties.of_incident(deps, view),
    )


def _by_step(sent: Sequence[Sent]) -> dict[str, list[Sent]]:
    """Messages by the step they are about, the newest step first."""
    steps: dict[str, list[Sent]] = {}
    for one in reversed(sent):
        steps.setdefault(one.message.step.value, []).append(one)
    return steps


def _links(deps: Console, view: IncidentView) -> list[tuple[str, str]]:
    """(name, address) of every workflow of this incident in the Temporal UI."""
    workflows = [("Incident", view.opened.workflow_id)]
    workflows += [(f"Approval {i}", ask.opened.workflow_id) for i, ask in enumerate(view.asks, start=1)]
    workflows += [(f"Revert {i}", ids.revert_workflow(view.opened.workflow_id, i)) for i in range(1, view.revert + 1)]
    if view.review is not None:
        workflows.append(("Review", view.review.workflow_id))
    return [(name, temporal_link(deps, workflow_id)) for name, workflow_id in workflows]

"""The review after an incident: the generated draft, what people write beside it, its actions, and signing."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from markdown_it import MarkdownIt
from markupsafe import Markup
from pydantic import BaseModel, Field, ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from console import duties, reviews, thresholds, views
from console.auth import Session, browser, own_form
from console.decide import Act
from console.deps import Console, console
from console.duties import MAX_BYTES, keep_file
from console.problems import Problem
from console.render import Page, segment
from console.submit import directory, form_id, known_id, problem_of, submit
from console.temporal import OutcomeUnknown
from countermand.governance.decision import DecisionKind
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.learning.proposal import Origin
from countermand.messages.incident import IncidentView
from countermand.obligations.regimes import WAIVED
from countermand.playbook.terms import Severity
from countermand.review.actions import ActionType
from countermand.review.acts import LEVELS, quorum, roles_for
from countermand.review.parts import ASKED, FACTORS
from countermand.review.publication import published

router = APIRouter()

Deps = Annotated[Console, Depends(console)]


class _Proposed(BaseModel):
    """What the form says about a changed value."""

    place: Annotated[str, Field(max_length=200)]
    value: Annotated[str, Field(max_length=40)]
    origin: Origin
    hypothesis: str
    expected_effect: str
    rollback_condition: str


PROPOSED = tuple(_Proposed.model_fields)
REGIONS = ("now", "parts", "actions", "sign")
# Headings, lists, tables and emphasis; nothing that could load, link or carry markup of its own.
_MARKDOWN = (
    MarkdownIt("commonmark", {"html": False})
    .enable("table")
    .disable(["html_block", "html_inline", "link", "image", "autolink", "reference"])
)


@router.get("/reviews")
async def overview(deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    """Open reviews and actions by age; by review, never by person."""
    page = await Page.begin(deps, session)
    return page.html("reviews.html", path="/reviews", found=await reviews.waiting(deps))


@router.get("/reviews/{incident_id}")
async def review(incident_id: str, deps: Deps, session: Annotated[Session, Depends(browser)]) -> Response:
    return await _page(deps, session, incident_id)


@router.get("/reviews/{incident_id}/decision")
@router.get("/reviews/{incident_id}/signature")
@router.get("/reviews/{incident_id}/proposal")
async def back_to_review(incident_id: str) -> Response:
    """Where signing in again leads after a signature was sent with an ended session."""
    return RedirectResponse(f"/reviews/{incident_id}", status_code=303)


@router.post("/reviews/{incident_id}/signature")
async def sign(
    incident_id: str,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    reason: Annotated[str, Form()] = "",
    decision_id: Annotated[str, Form()] = "",
    undecided_regimes: Annotated[str, Form()] = "",
    publication: Annotated[str, Form()] = "internal",
) -> Response:
    """Sign the draft as it is shown."""
    act = Act(
        kind=DecisionKind.sign_review,
        incident_id=incident_id,
        reason=reason,
        decision_id=known_id(decision_id),
        terms={"publication": publication} | ({WAIVED: undecided_regimes} if undecided_regimes else {}),
    )
    problem = await submit(deps, act, session.person)
    if problem is None:
        return RedirectResponse(f"/reviews/{incident_id}", status_code=303)
    return await _page(deps, session, incident_id, problem=problem, reason=reason, sent=decision_id)


@router.post("/reviews/{incident_id}/decision")
async def act(
    incident_id: str, request: Request, deps: Deps, session: Annotated[Session, Depends(own_form)]
) -> Response:
    """Write a part, or open, change, verify or drop an action, or waive. Refused: why, and what was typed."""
    form = await request.form()
    typed = {name: str(form[name]).strip() for name in (*reviews.TERMS, "reason", "decision_id") if name in form}
    if "factors" in form:
        typed["factors"] = ",".join(str(one) for one in form.getlist("factors"))
    given = form.get("content")
    raw = await given.read(MAX_BYTES + 1) if isinstance(given, UploadFile) else b""
    if len(raw) > MAX_BYTES:
        raise HTTPException(413, f"The file is larger than {MAX_BYTES:,} bytes; keep it elsewhere and link to it.")
    typed.pop("sha256", None)
    try:
        if raw:
            typed["sha256"] = await keep_file(deps, session.person, raw)
    except Problem as refused:
        return await _page(deps, session, incident_id, problem=refused, typed=typed)
    problem = await problem_of(
        reviews.act(
            deps,
            session.person,
            "web",
            incident_id,
            terms=typed,
            reason=typed.get("reason", ""),
            decision_id=known_id(typed.get("decision_id", "")),
        )
    )
    if problem is None:
        return RedirectResponse(f"/reviews/{segment(incident_id)}", status_code=303)
    return await _page(deps, session, incident_id, problem=problem, typed=typed)


@router.post("/reviews/{incident_id}/proposal")
async def propose(
    incident_id: str, request: Request, deps: Deps, session: Annotated[Session, Depends(own_form)]
) -> Response:
    """Propose another threshold; the proposal has a page of its own. Refused: why, and what was typed."""
    form = await request.form()
    typed = {name: str(form.get(name, "")).strip() for name in PROPOSED}
    try:
        said = _Proposed.model_validate(typed)
        begun = await thresholds.propose_value(deps, session.person, incident_id, **said.model_dump())
    except (Problem, ValidationError, OutcomeUnknown) as error:
        problem = error if isinstance(error, Problem) else _unsaid(error)
        return await _page(deps, session, incident_id, problem=problem, typed=typed)
    return RedirectResponse(f"/thresholds/{segment(str(begun['proposal_id']))}", status_code=303)


def _unsaid(error: ValidationError | OutcomeUnknown) -> Problem:
    if isinstance(error, OutcomeUnknown):
        return Problem(503, "outcome_unknown", f"{error}", "Look at the changes of thresholds before you try again.")
    first = error.errors()[0]
    return Problem(422, "schema", f"{first['loc'][0]}: {first['msg']}.", "Fill in every field, then propose it again.")


async def _page(
    deps: Console,
    session: Session,
    incident_id: str,
    *,
    problem: Problem | None = None,
    reason: str = "",
    sent: str = "",
    typed: dict[str, str] | None = None,
) -> Response:
    page = await Page.begin(deps, session)
    view = await views.one_incident(deps, incident_id)
    if view is None:
        raise HTTPException(404)
    seen = await reviews.one(deps, incident_id)
    needed = seen.signers if seen else ()
    people = await directory(deps)
    subject = session.person.subject
    held = set(people.roles_of(subject)) if people else set[str]()
    rights = rights_in_force(people.governance) if people else None
    level = seen.state.publication if seen else "internal"
    return page.html(
        "review.html",
        path=f"/reviews/{segment(incident_id)}",
        topic=incident_id,
        regions=REGIONS,
        code=problem.status if problem else 200,
        view=view,
        state=seen.state.status if seen else "pending",
        seen=seen,
        quorum=quorum(seen.state, seen.sign_off) if seen else None,
        asked=ASKED,
        factors=FACTORS,
        types=tuple(ActionType),
        levels=LEVELS,
        remarks=reviews.remarks(seen, people) if seen else {},
        everybody=people.governance.people if people else (),
        published=published(view, seen.state, seen.actions, level) if seen else (),
        writes=bool(seen and rights and held & set(roles_for(DecisionKind.keep_review, {}, rights, seen))),
        waives=bool(seen and rights and held & set(rights.row(Action.waive_review, min(Severity)).roles)),
        places=await thresholds.places_of(deps, incident_id) if seen else (),
        typed={name: "" for name in (*reviews.TERMS, *PROPOSED)} | (typed or {}),
        draft=await _draft(deps, view),
        mine=next((one for one in seen.state.signatures if one.subject == subject), None) if seen else None,
        needed=needed,
        holders=tuple(person.name for person in people.holders(*needed)) if people else (),
        permitted=bool(set(needed) & held),
        problem=problem,
        left_open=(await duties.of_incident(deps, view)).left_open,
        reason=reason,
        decision_id=form_id(sent or (typed or {}).get("decision_id", ""), problem),
    )


async def _draft(deps: Console, view: IncidentView) -> Markup | None:
    """The stored draft as HTML; None before there is one. Markup inside the draft stays text."""
    stored = await deps.ledger.get_blob(view.review.draft_sha256) if view.review else None
    return Markup(_MARKDOWN.render(stored[0].decode())) if stored else None  # noqa: S704  # HTML is off in the renderer

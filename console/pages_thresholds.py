"""The pages of changes of thresholds: all proposals, and one with its backtest, guardrails, shadow and signatures."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from adapters.backtest_view import html
from console import consents, thresholds
from console.auth import Session, browser, own_form
from console.decide import Act, roles_here
from console.deps import Console, console
from console.live import EVERYTHING
from console.problems import Problem
from console.render import Page, message, segment
from console.submit import MAX_REASON, directory, form_id, known_id, submit
from console.threshold_matter import ThresholdMatter
from countermand import ids
from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import DecisionKind
from countermand.governance.directory import Directory
from countermand.learning.change import ChangeView, shadow_words

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]
ProposalId = Annotated[str, Path(max_length=100)]
Text = Annotated[str, Form()]

REGIONS = ("now", "findings", "shadow")


@router.get("/thresholds")
async def overview(deps: Deps, session: SignedIn) -> Response:
    """Every proposal, the newest first, and thresholds that nobody looked at for too long."""
    page = await Page.begin(deps, session)
    views = await thresholds.every(deps)
    flags = [await thresholds.flag(deps, name) for name in sorted({view.proposed.playbook for view in views})]
    return page.html(
        "thresholds.html",
        path="/thresholds",
        topic=EVERYTHING,
        regions=("rows",),
        rows=[(view, thresholds.state_sentence(view)) for view in views],
        flags=[flag for flag in flags if flag],
    )


@router.get("/thresholds/{proposal_id}")
async def proposal(proposal_id: ProposalId, deps: Deps, session: SignedIn) -> Response:
    return await _page(deps, session, proposal_id)


@router.get("/thresholds/{proposal_id}/decision")
@router.get("/thresholds/{proposal_id}/back/decision")
async def back_to_proposal(proposal_id: ProposalId) -> Response:
    """Where signing in again leads after a decision was sent with an ended session."""
    return RedirectResponse(f"/thresholds/{segment(proposal_id)}", status_code=303)


@router.post("/thresholds/{proposal_id}/decision")
async def decide(
    proposal_id: ProposalId,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    kind: Text = "",
    waives: Text = "",
    backtest: Text = "",
    reason: Text = "",
    decision_id: Text = "",
) -> Response:
    """Withdraw it, or waive one finding."""
    act = Act(
        kind=DecisionKind.waive_finding if kind == "waive_finding" else DecisionKind.withdraw,
        approval_digest=backtest or None,
        reason=reason,
        decision_id=known_id(decision_id),
        terms={"proposal": proposal_id} | ({"waives": waives} if waives else {}),
    )
    return await _done(deps, session, proposal_id, submit(deps, act, session.person), reason, decision_id)


@router.post("/thresholds/{proposal_id}/back/decision")
async def back(
    proposal_id: ProposalId,
    deps: Deps,
    session: Annotated[Session, Depends(own_form)],
    reason: Text = "",
) -> Response:
    """Propose the version before; the new proposal has a page of its own."""
    try:
        view = await thresholds.one(deps, proposal_id)
        begun = await thresholds.go_back(deps, session.person, view, reason)
    except Problem as problem:
        return await _page(deps, session, proposal_id, problem=problem, reason=reason)
    return RedirectResponse(f"/thresholds/{segment(str(begun['proposal_id']))}", status_code=303)


async def _done(
    deps: Console,
    session: Session,
    proposal_id: str,
    work: Awaitable[Problem | None],
    reason: str,
    decision_id: str,
) -> Response:
    problem = await work
    if problem is None:
        return RedirectResponse(f"/thresholds/{segment(proposal_id)}", status_code=303)
    return await _page(deps, session, proposal_id, problem=problem, reason=reason, sent=decision_id)


async def _page(
    deps: Console,
    session: Session,
    proposal_id: str,
    *,
    problem: Problem | None = None,
    reason: str = "",
    sent: str = "",
) -> Response:
    page = await Page.begin(deps, session)
    try:
        view = await thresholds.one(deps, proposal_id)
    except Problem as missing:
        return message(
            missing.status,
            "This proposal is not shown",
            "It was just begun and is not on record yet, or there is none.",
            "Reload this page in a moment; or go to the list of proposals.",
        )
    people = await directory(deps)
    report = await thresholds.report_of(deps, view)
    return page.html(
        "threshold.html",
        path=f"/thresholds/{segment(proposal_id)}",
        topic=EVERYTHING,
        regions=REGIONS,
        code=problem.status if problem else 200,
        problem=problem,
        reason=reason,
        decision_id=form_id(sent, problem),
        min_reason=MIN_REASON,
        max_reason=MAX_REASON,
        view=view,
        said=view.proposed,
        sentence=thresholds.state_sentence(view),
        shadow_said=shadow_words(view),
        report=Markup(html(report)) if report else None,  # noqa: S704  # autoescaped by its environment
        adopted=await thresholds.adoption(deps, view),
        consent=await consents.one(deps.ledger, ids.threshold_consent(proposal_id)),
        people=people,
        may=_may(people, session.person.subject, view, page),
    )


def _may(people: Directory | None, subject: str, view: ChangeView, page: Page) -> dict[str, tuple[bool, str]]:
    """What this person may do here, and who else may, in words; the rules judge it again."""
    if people is None:
        return {}
    matter = ThresholdMatter(view.proposed.workflow_id)
    found = {}
    mine = people.principal_of(subject) == people.principal_of(view.proposed.proposed_by)
    for kind in (DecisionKind.withdraw, DecisionKind.waive_finding):
        roles = matter.roles(kind, people)
        own = bool(set(roles_here(people, subject, matter, page.now)) & set(roles))
        may = (own or mine) if kind is DecisionKind.withdraw else own and not mine
        others = [one.name for one in people.holders(*roles) if one.subject != view.proposed.proposed_by]
        found[kind.value] = (may, ", ".join(others) or "nobody")
    return found

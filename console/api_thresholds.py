"""Changes of thresholds over the JSON API: propose, list, read, withdraw, waive, leave as they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from console import thresholds
from console.api import DecisionId, Deps, Reason, ReasonText, SignedIn
from console.decide import Act
from console.problems import Problem
from countermand.governance.decision import DecisionKind
from countermand.learning.proposal import Origin
from countermand.playbook.terms import Name

router = APIRouter()

ProposalId = Annotated[str, Path(max_length=100)]
Line = Annotated[str, Field(min_length=10, max_length=400)]


class NewProposal(BaseModel):
    """A stored version of a playbook that differs in its detection alone, and why.

    origins: by JSON pointer of each changed place. shadow_days: usual is 7 or the length of a watch.
    """

    model_config = ConfigDict(extra="forbid")

    proposed_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    hypothesis: Line
    expected_effect: Line
    rollback_condition: Line
    origins: Annotated[dict[str, Origin], Field(max_length=100)] = Field(default_factory=dict)
    review_days: Annotated[int, Field(ge=1, le=365)] = 180
    shadow_days: Annotated[int, Field(ge=0, le=90)] | None = None
    shadow_because: Line | None = None
    review_of: Annotated[str, Field(max_length=100)] = ""


class ThresholdAct(BaseModel):
    """Withdraw a proposal, or waive one finding of the backtest that was read."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["withdraw", "waive_finding"]
    reason: ReasonText
    waives: Annotated[str, Field(max_length=200)] = ""
    backtest: str | None = None


class Kept(Reason):
    """Thresholds stay as they are until another day."""

    until: Annotated[str, Field(max_length=40)]


@router.get("/api/v1/thresholds")
async def listed(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """All proposals, newest first."""
    return {"items": [thresholds.view_json(view) for view in await thresholds.every(deps)]}


@router.post("/api/v1/thresholds")
async def propose(body: NewProposal, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Begin a proposal: backtest, guardrails, shadow, then signatures. Whoever proposes cannot sign."""
    return await thresholds.propose(deps, person, **body.model_dump())


@router.get("/api/v1/thresholds-in-force")
async def in_force(
    deps: Deps,
    _: SignedIn,
    playbook: Annotated[str, Query(max_length=100)] = "",
    incident: Annotated[str, Query(max_length=100)] = "",
) -> dict[str, Any]:
    """The text of the version in force, of a playbook or of the one that watched the release of an incident."""
    name = playbook or await thresholds.playbook_of(deps, incident)
    adopted, raw = await thresholds.in_force(deps, name)
    return {"name": name, "version": adopted.version, "digest": adopted.digest, "text": raw.decode()}


@router.get("/api/v1/thresholds/{proposal_id}")
async def show(proposal_id: ProposalId, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """One proposal: what changes, what the guardrails found, what the shadow heard, what is asked now."""
    return thresholds.view_json(await thresholds.one(deps, proposal_id))


@router.post("/api/v1/thresholds/{proposal_id}")
async def act(
    proposal_id: ProposalId, body: ThresholdAct, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Withdraw or waive; signed as every decision."""
    terms = {"proposal": proposal_id} | ({"waives": body.waives} if body.waives else {})
    given = Act(
        kind=DecisionKind(body.kind),
        approval_digest=body.backtest,
        reason=body.reason,
        decision_id=idempotency_key,
        terms=terms,
    )
    answer = await deps.gate.decide(given, person, "api")
    return answer.model_dump(mode="json")


@router.post("/api/v1/thresholds/{proposal_id}/back")
async def back(proposal_id: ProposalId, body: Reason, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Propose to go back to the version before an adopted change."""
    return await thresholds.go_back(deps, person, await thresholds.one(deps, proposal_id), body.reason)


@router.post("/api/v1/playbooks/{name}/thresholds-reviewed")
async def keep(
    name: Annotated[Name, Path()], body: Kept, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Sign that the thresholds of a playbook stay as they are until a day within a year."""
    if not await deps.adoptions.of(name):
        raise Problem(404, "unknown_playbook", f"no version of {name!r} is in force.", "See the playbooks.")
    given = Act(
        kind=DecisionKind.review_thresholds,
        reason=body.reason,
        decision_id=idempotency_key,
        terms={"playbook": name, "until": body.until},
    )
    return (await deps.gate.decide(given, person, "api")).model_dump(mode="json")

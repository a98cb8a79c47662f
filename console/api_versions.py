"""Versions over the JSON API: may this digest ship, deny it, allow it again; what was live when (TGT-14, GOV-44…47)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from console import live_versions, versions
from console.api import DecisionId, Deps, ReasonText, SignedIn
from console.problems import Problem
from countermand.governance.ballot import MIN_REASON
from countermand.governance.denying import Denial
from countermand.playbook.terms import Name

router = APIRouter()

Digest = Annotated[str, Path(pattern=r"^sha256:[0-9a-f]{64}$")]
Environment = Annotated[Name, Query()]
Service = Annotated[Name, Path()]
At = Annotated[AwareDatetime | None, Query()]


class NewDenial(BaseModel):
    """From when until when a version is denied: from now on and without end if not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Name
    reason: ReasonText
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None
    step_up: Annotated[str | None, Field(max_length=100)] = None


class NewAllowance(BaseModel):
    """Why a denied version may be used again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    environment: Name
    reason: Annotated[ReasonText, Field(min_length=MIN_REASON)]


@router.get("/api/v1/releases/{digest}/eligibility")
async def eligibility(digest: Digest, environment: Environment, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Whether users may be sent to this bundle, or to bundles with this part, with every check and its records."""
    return versions.eligibility_json(await versions.judged(deps, digest, environment))


@router.post("/api/v1/releases/{digest}/denials")
async def deny(
    digest: Digest, body: NewDenial, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    try:
        said = Denial(digest=digest, environment=body.environment, not_before=body.not_before, not_after=body.not_after)
    except ValidationError as error:
        raise Problem(422, "schema", str(error.errors()[0]["msg"]), "Let the denial begin before it ends.") from error
    answer = await versions.deny(
        deps, person, "api", said, reason=body.reason, decision_id=idempotency_key, step_up=body.step_up
    )
    return answer.model_dump(mode="json")


@router.post("/api/v1/releases/{digest}/allowances")
async def allow(digest: Digest, body: NewAllowance, person: SignedIn, deps: Deps) -> dict[str, Any]:
    """Ask people to take it off the deny list or out of quarantine; whoever asks cannot sign."""
    return await versions.ask_to_allow(deps, person, digest, body.environment, body.reason.strip())


@router.get("/api/v1/services/{service}/live")
async def live(service: Service, environment: Environment, deps: Deps, _: SignedIn, at: At = None) -> dict[str, Any]:
    """Which version users got at an instant, now if not given, and every known change: by whom, inside and outside."""
    await live_versions.refuse_unknown(deps, service, environment)
    found = await live_versions.moves_of(deps, service, environment)
    return live_versions.live_json(found, at or deps.clock())

"""Inclusive and accessibility test sets over the JSON API: report a run, read what the runs show."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from adapters.accounts import SIGNALS_WRITE
from console import inclusive_sets
from console.api import DecisionId, Deps, SignedIn
from console.auth import bearer
from console.deps import Console, console
from console.inclusive_sets import Reporter
from console.limits import limited
from console.problems import Problem
from countermand.ledger.bodies import GroupRun
from countermand.playbook.model import Name
from countermand.playbook.terms import repeated

router = APIRouter()

#: Most groups of one run.
MAX_GROUPS = 200
Count = Annotated[int, Field(ge=0, le=10_000_000, strict=True)]


class NewGroup(BaseModel):
    """Outputs of one group."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    group: Name
    scored: Count
    passed: Count

    @model_validator(mode="after")
    def _part_of_whole(self) -> NewGroup:
        if self.passed > self.scored:
            raise ValueError(f"{self.passed!r} passed of {self.scored!r} scored; at most all of them can pass")
        return self


class NewRun(BaseModel):
    """Counts of one run on exactly one bundle. It says no verdict: the playbook's limit judges it.

    evidence: where the outputs and their labels can be found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bundle_digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    groups: Annotated[tuple[NewGroup, ...], Field(min_length=1, max_length=MAX_GROUPS)]
    evidence: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]

    @model_validator(mode="after")
    def _once(self) -> NewRun:
        if again := repeated([one.group for one in self.groups]):
            raise ValueError(f"group {self.groups[again[0]].group!r} is listed twice; list each group once")
        return self


async def reporter(request: Request, deps: Annotated[Console, Depends(console)]) -> Reporter:
    """A source whose token may write signals of this release, or a signed-in person with a role. Raises Problem."""
    held = bearer(request)
    token = await deps.accounts.token(held)
    if token is not None and token.kind == "source":
        limited(request, token.subject, deps.clock())
        status = await inclusive_sets.release_of(deps, request.path_params["release_id"])
        if not token.allows(
            SIGNALS_WRITE, release_id=status.release.release_id, environment=status.release.environment
        ):
            raise Problem(403, "not_allowed", "This token may not report about this release.", "Use its own token.")
        return Reporter(subject=token.subject, name=token.subject, principal="source")
    person = await deps.accounts.person_of_token(held)
    if person is None or not deps.admits(person.subject):
        raise Problem(401, "unauthenticated", "This token is unknown or expired.", "Sign in: `countermand login`.")
    if not (await deps.people.snapshot()).roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    return Reporter(subject=person.subject, name=person.name, principal="person")


@router.get("/api/v1/releases/{release_id}/test-sets")
async def show(release_id: str, deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Every inclusive test set of the release's playbook on its two versions; one without a run is `missing`."""
    return await inclusive_sets.show(deps, release_id)


@router.post("/api/v1/releases/{release_id}/test-sets/{name}")
async def report(
    release_id: str,
    name: str,
    body: NewRun,
    deps: Deps,
    by: Annotated[Reporter, Depends(reporter)],
    idempotency_key: DecisionId = None,
) -> dict[str, Any]:
    """Report a run of a set on one version of the release; the newest run counts, and earlier ones stay on record."""
    return await inclusive_sets.report(
        deps,
        by,
        release_id,
        name,
        bundle_digest=body.bundle_digest,
        groups=tuple(GroupRun(**one.model_dump()) for one in body.groups),
        evidence=body.evidence,
        run_id=idempotency_key or str(uuid.uuid4()),
    )

"""Evidence packs and the population over the JSON API, for the command line."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from console.api import Deps, ReasonText, SignedIn
from console.counting import Counted, count, reconcile
from console.handing_out import Asked, build, download, every
from console.pages_evidence import zip_response
from countermand.canonical import instant
from countermand.evidence.manifest import Profile

router = APIRouter(prefix="/api/v1")


class WantedPack(BaseModel):
    """An incident, or a period. An unredacted pack needs a reason."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    incident_id: Annotated[str, Field(max_length=200)] = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    profile: Profile = "redacted"
    reason: ReasonText = ""


class Period(BaseModel):
    """From `since` up to `until`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: AwareDatetime
    until: AwareDatetime


@router.post("/evidence")
async def make_pack(body: WantedPack, deps: Deps, person: SignedIn) -> dict[str, Any]:
    """Make and seal a pack; the same request again gives the same one."""
    asked = Asked(body.incident_id, body.since, body.until, body.profile, body.reason)
    sealed = await build(deps, asked, person)
    said = sealed.record.body
    return {
        "manifest_sha256": sealed.manifest_sha256,
        "scope": said["scope"],
        "profile": said["profile"],
        "tree_size": said["tree_size"],
        "root": said["root"],
        "sealed_by_record": sealed.record.seq,
        "size": len(sealed.content),
    }


@router.get("/evidence")
async def list_packs(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Every pack that was made, the newest first."""
    return {
        "items": [
            {
                "manifest_sha256": one.manifest_sha256,
                "what": one.scope.incident_id or f"{one.scope.first_seq}-{one.scope.last_seq}",
                "profile": one.seal.body["profile"],
                "tree_size": one.seal.body["tree_size"],
                "sealed_at": instant(one.seal.at),
                "released_by": [record.body["name"] for record in one.released],
                "copies": [f"{record.body['name']} {instant(record.at)}" for record in one.downloads],
            }
            for one in await every(deps.ledger)
        ]
    }


@router.post("/evidence/{manifest_sha256}/copy")
async def copy_pack(manifest_sha256: str, deps: Deps, person: SignedIn) -> Response:
    """The ZIP; that this person took it is recorded first."""
    sealed = await download(deps, manifest_sha256, person, "api")
    return zip_response(sealed.content, sealed.manifest_sha256)


@router.get("/population")
async def population(deps: Deps, person: SignedIn, since: datetime, until: datetime) -> dict[str, Any]:
    """Everything that happened from `since` up to `until`."""
    return _json(await count(deps, person, since, until))


@router.post("/population/reconciliation")
async def compare_logs(body: Period, deps: Deps, person: SignedIn) -> dict[str, Any]:
    """Compare with the targets' own change logs, and record what was found."""
    await reconcile(deps, person, body.since, body.until)
    return _json(await count(deps, person, body.since, body.until))


def _json(counted: Counted) -> dict[str, Any]:
    found = counted.found
    return {
        "items": [
            {
                "seq": case.seq,
                "at": instant(case.at),
                "what": case.what,
                "id": case.incident_id or case.release_id,
                "severity": case.severity,
                "outcome": case.outcome,
                "rehearsal": case.rehearsal,
                "sentence": case.sentence,
            }
            for case in found.cases
        ],
        "first_seq": found.first_seq,
        "last_seq": found.last_seq,
        "gaps": [list(gap) for gap in found.gaps],
        "records_by_kind": found.counts,
        "outcomes": found.outcomes,
        "intents_without_outcome": [record.seq for record in found.unanswered],
        "reconciliation": counted.compared.body if counted.compared else None,
    }

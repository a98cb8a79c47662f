"""The control interface of the demo service: read and set the split, see the arms and what traffic does."""

from __future__ import annotations

import asyncio
import hmac
from typing import Annotated, Any, NamedTuple

from countermand.detection.models import Arm
from countermand.plan.target import WHOLE, Split, Value
from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field, StrictInt

from examples.demo.bundles import Served
from examples.demo.faults import DroppedResponse, FaultPort, Script
from examples.demo.leases import AboveCap, Lease, LeaseRefused, LeaseStore
from examples.demo.observed import Observed, Seen
from examples.demo.split import KeyReused, LowerFence, Moved, SplitState, SplitStore, UnknownSplit

_Share = Annotated[StrictInt, Field(ge=0, le=WHOLE)]
_STATUS: dict[type[Exception], int] = {
    UnknownSplit: 404,
    LowerFence: 409,
    LeaseRefused: 409,
    Moved: 412,
    KeyReused: 422,
    AboveCap: 422,
}


class WantedSplit(Split):
    """The shares to set absolutely, and the writer's key and fence, which are kept with them."""

    candidate_bp: _Share
    baseline_bp: _Share
    idempotency_key: Annotated[str, Field(min_length=1, max_length=500)]
    fence: Annotated[StrictInt, Field(ge=0)]


class WantedLease(Value):
    """The lease to begin or renew: the highest share while it is on, and after how long without renewal it ends."""

    lease_id: Annotated[str, Field(min_length=1, max_length=200)]
    cap_bp: _Share
    seconds: Annotated[float, Field(ge=0.1, le=86_400)]


class Tokens(NamedTuple):
    """Bearer tokens of the control interface; the write token may read too."""

    read: str
    write: str


class Router:
    """The split that requests follow: a copy of the stored one that can lag behind, like real routers."""

    def __init__(self, store: SplitStore, name: str) -> None:
        self._store = store
        self.salt = store.salt(name)
        self.state = store.get(name)

    def reload(self) -> None:
        self.state = self._store.get(self.state.name)


class Effects:
    """What follows from a new generation."""

    def __init__(self, leases: LeaseStore, router: Router, observed: Observed, faults: FaultPort) -> None:
        self._leases = leases
        self._router = router
        self._observed = observed
        self._faults = faults

    def take(self, state: SplitState) -> None:
        """Counting begins anew whether or not the router follows: that is how a stuck one is found."""
        self._observed.start(state.generation)
        if not self._faults.standing.stuck_router:
            self._router.reload()

    def expire_leases(self) -> None:
        """Go back where nobody renewed a lease in time."""
        for state in self._leases.expire():
            self.take(state)


def control(
    tokens: Tokens,
    store: SplitStore,
    leases: LeaseStore,
    effects: Effects,
    observed: Observed,
    arms: dict[Arm, Served],
    faults: FaultPort,
) -> APIRouter:
    """All routes below /control."""
    api = APIRouter(prefix="/control")

    async def reader(authorization: Annotated[str, Header()] = "") -> bool:
        """True when the caller may write too."""
        given = authorization.removeprefix("Bearer ").encode()
        may_write = hmac.compare_digest(given, tokens.write.encode())
        if not may_write and not hmac.compare_digest(given, tokens.read.encode()):
            raise HTTPException(401, "a bearer token is needed", {"WWW-Authenticate": "Bearer"})
        return may_write

    async def writer(authorization: Annotated[str, Header()] = "") -> None:
        if not await reader(authorization):
            raise HTTPException(403, "this token may read and not write")

    def stored(name: str) -> SplitState:
        effects.expire_leases()
        try:
            return store.get(name)
        except UnknownSplit as error:
            raise HTTPException(404, str(error)) from None

    @api.get("/splits/{name}", dependencies=[Depends(reader)])
    async def read_split(name: str) -> Response:
        shown = faults.next_read(stored(name))
        if shown is None:
            raise HTTPException(503, "the split cannot be read now")
        return _shown(shown)

    @api.put("/splits/{name}", dependencies=[Depends(writer)])
    async def set_split(
        name: str,
        wanted: WantedSplit,
        request: Request,
        if_match: Annotated[str | None, Header()] = None,
        dry_run: bool = False,
    ) -> Response:
        before = stored(name)
        if if_match is None:
            raise HTTPException(428, 'If-Match: "<generation>" is needed')
        fault = Script() if dry_run else faults.next_write()
        await _before_change(fault, request)
        if fault.external_edit is not None:
            edit = Split.candidate(fault.external_edit)
            effects.take(store.write(before, edit, key="external", fence=before.fence))
        key, fence = wanted.idempotency_key, wanted.fence
        try:
            leases.refuse_above(name, wanted)
            state, already = store.change(
                name, wanted, key=key, fence=fence, generation=_generation(if_match), dry_run=dry_run
            )
        except tuple(_STATUS) as error:
            raise HTTPException(_STATUS[type(error)], str(error)) from None
        if dry_run:
            return _shown(state, already=already, dry_run=True)
        if not already:
            if fault.apply_twice:
                state = store.write(state, wanted, key=key, fence=fence)
            effects.take(state)
        faults.before_reply(fault, before)
        await asyncio.sleep(fault.delay_after_apply)
        return DroppedResponse() if fault.apply_then_drop_response else _shown(state, already=already)

    @api.put("/splits/{name}/lease", dependencies=[Depends(writer)])
    async def hold_lease(name: str, wanted: WantedLease) -> Lease:
        stored(name)
        try:
            return leases.hold(name, wanted.lease_id, cap_bp=wanted.cap_bp, seconds=wanted.seconds)
        except LeaseRefused as error:
            raise HTTPException(_STATUS[LeaseRefused], str(error)) from None

    @api.delete("/splits/{name}/lease", dependencies=[Depends(writer)], status_code=204)
    async def release_lease(name: str, lease_id: str) -> None:
        stored(name)
        try:
            leases.release(name, lease_id)
        except LeaseRefused as error:
            raise HTTPException(_STATUS[LeaseRefused], str(error)) from None

    @api.get("/splits/{name}/history", dependencies=[Depends(reader)])
    async def history(name: str) -> list[SplitState]:
        stored(name)
        return store.history(name)

    @api.get("/splits/{name}/observed", dependencies=[Depends(reader)])
    async def seen(name: str) -> Seen:
        stored(name)
        return observed.seen()

    @api.get("/arms", dependencies=[Depends(reader)])
    async def read_arms() -> dict[str, Any]:
        broken = faults.standing.arms
        return {
            arm: {
                "digest": served.bundle.digest,
                "healthy": arm not in broken and served.answers(),
                "bundle": served.bundle.model_dump(),
            }
            for arm, served in arms.items()
            if broken.get(arm) != "missing"
        }

    return api


async def _before_change(fault: Script, request: Request) -> None:
    if fault.refuse is not None:
        raise HTTPException(fault.refuse, "refused by the fault script")
    if fault.hang:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        raise HTTPException(503, "nobody waits for this answer any more")


def _generation(if_match: str) -> int | None:
    """The number in `"<generation>"`; None, which no split is at, for anything else."""
    number = if_match.removeprefix('"').removesuffix('"')
    return int(number) if number.isdecimal() else None


def _shown(state: SplitState, **more: bool) -> JSONResponse:
    return JSONResponse(state.model_dump() | more, headers={"ETag": f'"{state.generation}"'})

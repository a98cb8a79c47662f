"""The Ledger's head over the JSON API: verification, checkpoints and proofs."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query

from activities.evidence_ports import CheckpointFailed
from adapters.anchor_settings import AnchorSettings, anchor_settings
from adapters.ledger_proof import verify_ledger
from adapters.settings import SettingsInvalid
from console.api import Deps, SignedIn
from console.deps import Console
from console.problems import Problem
from countermand.ledger.note import Checkpoint

router = APIRouter()

Size = Annotated[int | None, Query(ge=0, lt=2**53)]


@router.get("/api/v1/ledger/verify")
async def verify_now(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """Check every record, link and checkpoint. `word` is what may be said about it, and no more."""
    found = await verify_ledger(deps.database, anchors_of(deps))
    return {"ok": found.ok, **found.model_dump(mode="json")}


@router.get("/api/v1/ledger/checkpoints")
async def checkpoints(deps: Deps, _: SignedIn) -> dict[str, Any]:
    """How far the Ledger goes, its newest checkpoint, and the key that signs. head: seq of the newest record."""
    newest = await deps.checkpoints.newest()
    try:
        vkey = await deps.checkpoints.log_vkey()
    except CheckpointFailed:
        vkey = None
    return {
        "head": await deps.ledger.head(),
        "uncovered": await deps.checkpoints.uncovered(newest.size if newest else 0),
        "log_vkey": vkey,
        "forked": await deps.checkpoints.forked(),
        "newest": None if newest is None else await _json(deps, newest),
    }


@router.get("/api/v1/ledger/proofs")
async def proofs(
    deps: Deps, _: SignedIn, seq: Size = None, size: Size = None, old: Size = None, new: Size = None
) -> dict[str, Any]:
    """`seq` (and `size`): that a record is under a checkpoint. `old` and `new`: that one tree grew to the other."""
    try:
        if seq is not None:
            checkpoint = await deps.checkpoints.at_least(max(seq + 1, size or 0))
            path = await deps.checkpoints.inclusion(seq, checkpoint.size)
            (record,) = await deps.ledger.records(after_seq=seq - 1, limit=1)
            return {"seq": seq, "line": record.line, "path": _base64(path), **await _json(deps, checkpoint)}
        if old is not None and new is not None:
            return {"old": old, "new": new, "path": _base64(await deps.checkpoints.consistency(old, new))}
    except CheckpointFailed as error:
        raise Problem(503, "no_checkpoint", str(error), "Look into the worker's log; try again later.") from error
    except ValueError as error:
        raise Problem(404, "no_proof", f"{error}.", "Ask for records and sizes that checkpoints cover.") from error
    raise Problem(422, "schema", "neither `seq` nor `old` and `new` were given.", "Give seq=N, or old=N&new=M.")


def anchors_of(deps: Console) -> AnchorSettings:
    """The anchors file as it is now. Raises Problem with its first mistake."""
    try:
        return anchor_settings(deps.settings.anchors)
    except SettingsInvalid as error:
        raise Problem(503, "settings_invalid", f"{error}.", "Correct the anchors file.") from error


async def _json(deps: Console, checkpoint: Checkpoint) -> dict[str, Any]:
    return {
        "size": checkpoint.size,
        "root": checkpoint.root,
        "checkpoint": checkpoint.note,
        "cosignatures": await deps.checkpoints.cosignatures(checkpoint.size),
    }


def _base64(hashes: tuple[bytes, ...]) -> list[str]:
    return [base64.b64encode(one).decode() for one in hashes]

"""Messages that were wrong: people with the role correct or withdraw them (COM-25)."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from activities.ports import LedgerConflict
from console.api import DecisionId, Deps, SignedIn
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from console.submit import MAX_REASON
from countermand.governance.approval import MIN_REASON
from countermand.governance.decision import Refused
from countermand.ledger.bodies import CommsCorrected, CommsSent, DecisionRefused
from countermand.ledger.record import Record
from countermand.messages.correction import permit_correction

router = APIRouter(prefix="/api/v1")

Words = Annotated[str, Field(min_length=MIN_REASON, max_length=MAX_REASON)]


class CorrectionOrder(BaseModel):
    """`what` is right instead, without it the message is withdrawn; `why` it was wrong. Recipients read both."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    what: Words | None = None
    why: Words


@router.post("/messages/{key:path}/corrections")
async def correct_message(
    key: str, body: CorrectionOrder, person: SignedIn, deps: Deps, idempotency_key: DecisionId = None
) -> dict[str, Any]:
    """Tell exactly the audience of a message, through the same channels, that it was wrong."""
    record = await deps.ledger.find(f"comms/{key}")
    if record is None:
        raise Problem(404, "unknown_message", f"no message {key!r}", "`countermand message list INCIDENT` lists them.")
    directory = await deps.people.snapshot()
    try:
        permit_correction(directory, person.subject)
    except Refused as refusal:
        await _record_refusal(deps, record, person, refusal)
        raise
    wrong = CommsSent.model_validate(record.body)
    order = CommsCorrected(
        correction_id=idempotency_key or str(uuid.uuid4()),
        key=key,
        step=wrong.step,
        audience=wrong.audience,
        subject=wrong.subject,
        what=body.what,
        why=body.why,
        by=person.subject,
        name=directory.name_of(person.subject),
    )
    entry = order.entry(
        f"correction/{order.correction_id}",
        person.subject,
        incident_id=record.incident_id,
        release_id=record.release_id,
    )
    try:
        await deps.ledger.append(entry)
    except LedgerConflict as error:
        raise Problem(
            409, "stale", f"the id {order.correction_id!r} was used for something else.", "Use a new id."
        ) from error
    await deps.workflows.start_correction(order.correction_id)
    return {
        "correction_id": order.correction_id,
        "message": order.message_key,
        "status": "accepted",
        "sentence": f"{wrong.audience} is being told.",
    }


async def _record_refusal(deps: Console, record: Record, person: Person, refusal: Refused) -> None:
    """Once for each person and message, so that nobody can flood the Ledger with refusals."""
    key = f"refused/correction/{person.subject}/{record.idem_key}"
    if await deps.ledger.find(key) is not None:
        return
    refused = DecisionRefused(
        decision_kind="correct_message",
        ask_id=None,
        subject=person.subject,
        channel="api",
        code=refusal.code.value,
        detail=refusal.detail,
    )
    await deps.ledger.append(
        refused.entry(key, person.subject, incident_id=record.incident_id, release_id=record.release_id)
    )

"""Delete what is due, and end a hold that people released."""

from __future__ import annotations

from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import KeyRing, Ledger, RoleDirectory
from countermand import ids
from countermand.governance.adoption import agreed
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.governance.version_lists import CONSENT_KINDS
from countermand.ledger.bodies import ConsentClosed, ConsentOpened, HoldReleased
from countermand.plan.target import Value


class BatchRequest(Value):
    """The next batch of a run. at: what the batch before answered; empty for the first one."""

    run_id: str
    approver: str
    at: str


class BatchDone(Value):
    """next: where the next batch begins; None when nothing is due any more."""

    deleted: int = 0
    held: int = 0
    next: str | None


class ReleaseRequest(Value):
    """The consent under which a hold ends."""

    consent_id: str


class Retention(Protocol):
    """Deletes one batch of what is due, with its certificate in the same transaction."""

    async def batch(self, run_id: str, approver: str, at: str) -> BatchDone: ...


class RetentionActivities:
    """Ports: Retention, Ledger, RoleDirectory, KeyRing."""

    def __init__(self, retention: Retention, ledger: Ledger, people: RoleDirectory, keys: KeyRing) -> None:
        self._retention = retention
        self._ledger = ledger
        self._people = people
        self._keys = keys

    @activity.defn(name="purge_batch")
    async def purge_batch(self, request: BatchRequest) -> BatchDone:
        """Delete one batch. Repeating it finds what is still there."""
        return await self._retention.batch(request.run_id, request.approver, request.at)

    @activity.defn(name="release_hold")
    async def release_hold(self, request: ReleaseRequest) -> None:
        """Record the end of a hold. Nothing is believed but the records and their signatures; fails for good unless
        they are those of a consent that was given."""
        opened = await self._ledger.find(ids.consent_record(request.consent_id, "opened"))
        closed = await self._ledger.find(ids.consent_record(request.consent_id, "closed"))
        if opened is None or closed is None or ConsentClosed.model_validate(closed.body).status != "given":
            raise ApplicationError(f"consent {request.consent_id!r} was not given", non_retryable=True)
        asked = ConsentOpened.model_validate(opened.body)
        if asked.document.get("act") != Action.release_hold.value:
            raise ApplicationError(f"consent {request.consent_id!r} is about something else", non_retryable=True)
        records = await self._ledger.records(kinds=CONSENT_KINDS, after_seq=opened.seq - 1)
        table = rights_in_force((await self._people.snapshot()).governance)
        keys = self._keys.gateway_keys()
        _, lacking = agreed(asked.document, Action.release_hold, asked, records, keys, table)
        if lacking:
            said = f"consent {request.consent_id!r}: the signatures do not hold for {', '.join(lacking)}"
            raise ApplicationError(said, non_retryable=True)
        body = HoldReleased(hold_id=str(asked.document["hold_id"]), consent_id=request.consent_id)
        await self._ledger.append(body.entry(ids.hold_released(request.consent_id), "worker"))

"""What the Ledger says happened lately in an environment: read within bounds, folded by the pure rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from activities.ports import KeyRing, Ledger
from countermand.governance import past
from countermand.governance.directory import Directory
from countermand.governance.past import PastRevert
from countermand.governance.register import KINDS as REGISTER_KINDS
from countermand.governance.register import standing_authorisations
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.governance.standing import LONGEST
from countermand.governance.standing_proof import KINDS as PROOF_KINDS
from countermand.governance.standing_proof import Known, lacking_standing
from countermand.ledger.record import Kind
from countermand.plan.model import Plan

_DAY = timedelta(days=1)
#: Between the request for an authorisation and its beginning.
_SIGNING = timedelta(days=14)


class Lately:
    """Ports: Ledger, KeyRing."""

    def __init__(self, ledger: Ledger, keys: KeyRing) -> None:
        self._ledger = ledger
        self._keys = keys

    async def reverts(self, environment: str, since: datetime) -> tuple[PastRevert, ...]:
        """Reverts in the environment of which a stage ended after `since`. Raises NotKnown."""
        after = await self._before(since)
        stages = await self._ledger.records(kinds=[Kind.stage_intent, Kind.stage_outcome], after_seq=after)
        found: list[PastRevert] = []
        for incident_id in dict.fromkeys(record.incident_id for record in stages if record.incident_id):
            records = await self._ledger.records(incident_id=incident_id, kinds=past.KINDS)
            found += past.past_reverts(records)
        return tuple(one for one in found if one.plan.environment == environment)

    async def known(self, plan: Plan, directory: Directory, now: datetime) -> Known:
        """What standing authorisations there are, and what else their validity rests on. Raises NotKnown."""
        limits = directory.governance.limits
        after = await self._before(now - LONGEST - _SIGNING)
        issued = await self._ledger.records(kinds=REGISTER_KINDS, after_seq=after)
        after = await self._before(now - limits.rehearsed_within)
        rehearsals = await self._ledger.records(kinds=[Kind.rehearsal_passed], after_seq=after)
        return Known(
            authorisations=standing_authorisations(issued, self._keys.gateway_keys()),
            reverts=await self.reverts(plan.environment, now - 2 * _DAY),
            rehearsed_at=past.rehearsed_at(rehearsals, plan.playbook_digest),
            fresh_for=limits.rehearsed_within,
            right=rights_in_force(directory.governance).row(Action.standing_authorisation, plan.severity),
        )

    async def lacking(self, plan: Plan, directory: Directory, now: datetime, *, undo: bool = False) -> str:
        """Why no standing authorisation carries the plan, or undoing it; empty when one does. Raises NotKnown."""
        records = await self._ledger.records(incident_id=plan.incident_id, kinds=PROOF_KINDS)
        known = await self.known(plan, directory, now)
        return lacking_standing(plan, records, known, now, undo=undo)

    async def _before(self, at: datetime) -> int:
        """`seq` of the newest record before `at`, -1 if there is none: by halving, a read of one record each."""
        low, high = -1, await self._ledger.head()
        while low < high:
            middle = (low + high + 1) // 2
            (record,) = await self._ledger.records(after_seq=middle - 1, limit=1)
            low, high = (middle, high) if record.at < at else (low, middle - 1)
        return low

"""Inclusive and accessibility test sets as the Ledger knows them: what they show, and what stands against a release."""

from __future__ import annotations

from activities.ports import Ledger
from countermand.governance.eligible import Version
from countermand.ledger.bodies import ReleaseRegistered
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook
from countermand.rollout.conditions import ROLLOUTS
from countermand.rollout.inclusive import After, SetSeen, after, lacking, seen


class InclusiveSets:
    """Port: Ledger. What cannot be read raises."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def seen(self, playbook: Playbook, bundle_digest: str) -> tuple[SetSeen, ...]:
        """Every set of the playbook on exactly this bundle."""
        sets = playbook.investigation.test_sets
        runs = await self._ledger.records(kinds=[Kind.inclusive_run]) if sets else []
        return seen(sets, runs, bundle_digest=bundle_digest, service=playbook.service)

    async def after(self, candidate: Version, environment: str, service: str) -> After:
        """What this candidate would be given to users after."""
        quarantines = await self._ledger.records(kinds=[Kind.version_quarantined])
        if not quarantines:
            return ""
        registered = await self._ledger.records(kinds=[Kind.release_registered])
        services = {one.release_id or "": ReleaseRegistered.model_validate(one.body).service for one in registered}
        rollouts = await self._ledger.records(kinds=ROLLOUTS)
        return after(candidate, environment, service, quarantines, rollouts, services)

    async def unshown(self, candidate: Version, environment: str, playbook: Playbook) -> str:
        """Which sets stand against giving it to users after a rollback; empty when none does."""
        if not playbook.investigation.test_sets:
            return ""
        word = await self.after(candidate, environment, playbook.service)
        return lacking(word, await self.seen(playbook, candidate.digest)) if word else ""

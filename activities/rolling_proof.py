"""What the Ledger says about a rollout before anything is set. Nothing of a request is believed (I2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from activities.eligible import EligibleVersions
from activities.inclusive_sets import InclusiveSets
from activities.ports import Catalogue, KeyRing, Ledger, RoleDirectory
from countermand import ids
from countermand.governance.eligible import Version
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import ReleaseRegistered, RolloutEnded, RolloutPlanned, RolloutPromoted, VerdictChanged
from countermand.ledger.record import Kind, Record
from countermand.plan.model import Release
from countermand.playbook.criteria import Detection
from countermand.playbook.model import Playbook
from countermand.review.actions import ACTIONS
from countermand.rollout.authority import lacking_start
from countermand.rollout.conditions import (
    ROLLOUTS,
    TROUBLE,
    ReRelease,
    re_release,
    reasons_to_ask,
    recorded_way_back,
    trouble,
    unfit,
)
from countermand.rollout.plan import RolloutPlan, ServedState


class RolloutProof:
    """Ports: Ledger, Catalogue, RoleDirectory, KeyRing; a clock. What cannot be read raises, and nothing is set."""

    def __init__(
        self,
        ledger: Ledger,
        catalogue: Catalogue,
        people: RoleDirectory,
        keys: KeyRing,
        clock: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._people = people
        self._keys = keys
        self._eligible = EligibleVersions(ledger, keys, clock)
        self._sets = InclusiveSets(ledger)

    async def taken_over(self, plan: RolloutPlan) -> str:
        """Why an incident is the one to write now; empty when it is not. A sandbox always goes back by itself."""
        why = trouble(await self._ledger.records(release_id=plan.release_id, kinds=TROUBLE))
        return f"{why}; the incident takes over." if why and not plan.goes_back else ""

    async def unfounded(self, plan: RolloutPlan, shown: tuple[str, ...] | None, wanted: ServedState | None) -> str:
        """Why a rollout cannot have ended like this; empty when it can. shown: the signals of one that ended well."""
        if why := await self._not_planned(plan):
            return why
        if wanted not in (None, plan.before, plan.ends_with):
            return "this is not a state that the plan ends with."
        last = plan.steps[-1].number
        if shown is not None and not await self._promoted(plan, last, shown):
            return f"step {last} was not shown to be healthy in {', '.join(shown) or 'any signal'}."
        return ""

    async def _not_planned(self, plan: RolloutPlan) -> str:
        planned = await self._ledger.find(ids.rollout_record(plan.rollout_id, "planned"))
        if planned is None or RolloutPlanned.model_validate(planned.body).plan_digest != plan.digest:
            return f"the ledger holds no rollout {plan.rollout_id!r} with this plan."
        return ""

    async def _promoted(self, plan: RolloutPlan, step: int, signals: tuple[str, ...] | None = None) -> bool:
        """Whether this step was shown to be healthy; in exactly these signals, where they are given."""
        found = await self._ledger.find(ids.rollout_record(plan.rollout_id, f"promoted/{step}"))
        if found is None:
            return False
        body = RolloutPromoted.model_validate(found.body)
        return body.plan_digest == plan.digest and signals in (None, body.signals)

    async def lacking(self, plan: RolloutPlan, step: int) -> str:
        """Why this step must not be set; empty when it may. Step 0, the way back, needs no more than that the rollout
        set something."""
        if why := await self._not_planned(plan):
            return why
        if (ended := await self._ledger.find(ids.rollout_record(plan.rollout_id, "ended"))) is not None:
            return f"this rollout is over: {RolloutEnded.model_validate(ended.body).outcome.replace('_', ' ')}."
        if not step:
            begun = await self._ledger.find(f"{plan.key(1)}/intent")
            return "" if begun is not None else "this rollout has set nothing that could be taken back."
        if step > len(plan.steps):
            return f"the plan has no step {step!r}; it has {len(plan.steps)}."
        records = await self._ledger.records(
            release_id=plan.release_id, kinds=[Kind.release_registered, Kind.decision, *TROUBLE]
        )
        registered = next(
            (ReleaseRegistered.model_validate(one.body) for one in records if one.kind is Kind.release_registered), None
        )
        if registered is None or (registered.candidate_digest, registered.baseline_digest, registered.environment) != (
            plan.candidate.digest,
            plan.baseline.digest,
            plan.environment,
        ):
            return f"the ledger holds no release {plan.release_id!r} with these versions."
        if registered.playbook_digest != plan.playbook_digest:
            return "the plan is not from the playbook of this release."
        if why := trouble(records):
            return f"{why}."
        if why := await self.unfit(Version.of(plan.candidate), plan.environment):
            return f"{plan.candidate.name} may not be given to users: {why}."
        if not plan.goes_back:
            playbook = await self._catalogue.playbook(registered.playbook_digest)
            candidate = Version.of(plan.candidate)
            if why := await self._sets.unshown(candidate, plan.environment, playbook):
                return f"{plan.candidate.name} may not be given to users: {why}."
        if step > 1 and not await self._promoted(plan, step - 1):
            return f"step {step - 1} was not shown to be healthy."
        return await self._not_started(plan, registered, records)

    async def _not_started(self, plan: RolloutPlan, registered: ReleaseRegistered, records: list[Record]) -> str:
        playbook = await self._catalogue.playbook(registered.playbook_digest)
        sandbox = playbook.rollout.sandbox if playbook.rollout else None
        reasons = reasons_to_ask(plan, sandbox, await self.rollouts())
        if not reasons:
            return ""
        people = await self._people.snapshot()
        decisions = [one for one in records if one.kind is Kind.decision]
        lacking = lacking_start(
            plan,
            registered.registered_by,
            decisions,
            self._keys.gateway_keys(),
            people,
            rights_in_force(people.governance),
        )
        return lacking and f"{lacking} A person has to start it: {'; '.join(reasons)}."

    async def unfit(self, version: Version, environment: str) -> str:
        """Why users may not get this version; empty when nothing stands against it."""
        governance = (await self._people.snapshot()).governance
        return unfit(await self._eligible.judge(version, environment, governance))

    async def rollouts(self) -> list[Record]:
        """Records of all rollouts, in order."""
        return await self._ledger.records(kinds=ROLLOUTS)

    async def re_release(self, candidate: Version, environment: str, detection: Detection) -> ReRelease:
        """Whether this candidate was in quarantine before, and what is missing. detection: what watches it now."""
        quarantines = await self._ledger.records(kinds=[Kind.version_quarantined])
        fired: dict[str, tuple[str, ...]] = {}
        for record in quarantines:
            verdicts = await self._ledger.records(release_id=record.release_id, kinds=[Kind.verdict])
            bodies = [VerdictChanged.model_validate(one.body) for one in verdicts]
            signals = {one.signal for body in bodies if body.word == "trigger" for one in body.criteria}
            fired[record.incident_id or ""] = tuple(sorted(signals))
        acted = await self._ledger.records(kinds=ACTIONS)
        return re_release(candidate, environment, quarantines, fired, await self.rollouts(), detection, acted)

    async def unshown(self, candidate: Version, environment: str, playbook: Playbook) -> str:
        """Which inclusive test sets stand against giving it to users after a rollback; empty when none does."""
        return await self._sets.unshown(candidate, environment, playbook)

    async def recorded(self, release: Release) -> tuple[int, ...]:
        """Shares of the last way back of this candidate."""
        registered = await self._ledger.records(kinds=[Kind.release_registered])
        intents = await self._ledger.records(kinds=[Kind.stage_intent])
        return recorded_way_back(
            release.candidate.digest, release.baseline.digest, release.environment, registered, intents
        )

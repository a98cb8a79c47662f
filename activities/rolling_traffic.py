"""Does traffic follow the share that a step of a rollout has set: configured and observed, never merged (TGT-8)."""

from __future__ import annotations

from datetime import datetime

from activities.ports import Ledger, Target, TargetRejected, TargetUnavailable
from activities.served import traffic
from countermand import ids
from countermand.ledger.bodies import RolloutTraffic
from countermand.plan.evidence import judge_configured
from countermand.plan.target import CheckWord, Value
from countermand.playbook.way_back import TrafficVerification
from countermand.rollout.plan import RolloutPlan


class Follows(Value):
    """What one look says. `since`: when traffic was first shown to follow; evidence counts from there."""

    word: CheckWord
    sentence: str
    since: datetime | None = None


class StepTraffic:
    """One step of one rollout; that traffic follows is recorded once. Afterwards the target must go on saying it."""

    def __init__(self, ledger: Ledger, target: Target, plan: RolloutPlan, step: int, wanted: TrafficVerification):
        self._ledger = ledger
        self._target = target
        self._plan = plan
        self._step = step
        self._desired = plan.steps[step - 1].desired
        self._wanted = wanted
        self._key = ids.rollout_record(plan.rollout_id, f"traffic/{step}")

    async def look(self, *, waiting: bool) -> Follows:
        """One look; `waiting` as in `served.traffic`."""
        known = await self._ledger.find(self._key)
        if known is not None:
            return await self._still(known.at)
        seen = await traffic(self._target, self._plan.member, self._desired, self._wanted, waiting=waiting)
        if seen.basis is None:
            return Follows(word=seen.word, sentence=seen.sentence)
        body = RolloutTraffic(
            rollout_id=self._plan.rollout_id, step=self._step, basis=seen.basis, sentence=seen.sentence
        )
        await self._ledger.append(body.entry(self._key, "worker", release_id=self._plan.release_id))
        return await self.look(waiting=waiting)

    async def _still(self, since: datetime) -> Follows:
        try:
            configured = judge_configured(self._desired, await self._target.read(self._plan.member))
        except TargetUnavailable as error:
            return Follows(word=CheckWord.unknown, sentence=f"the target cannot be read: {error}.")
        except TargetRejected as error:
            return Follows(word=CheckWord.failed, sentence=f"the target cannot be read: {error}.")
        return Follows(word=configured.word, sentence=configured.sentence, since=since)

"""The activities of one revert, each with its key, fence and time limit; `StagedRevert` tells in which order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from temporalio import workflow

from activities.checking import CheckingActivities, CheckRequest
from activities.recording import Checked
from activities.staging import SetRequest, StagingActivities
from activities.traffic import TrafficActivities, TrafficRequest
from countermand import ids
from countermand.ledger.bodies import StageOutcome, StageState, StageWord
from countermand.plan.model import Plan, PlannedStage
from countermand.plan.target import Split
from countermand.playbook.model import Playbook
from workflows import policies
from workflows.scribe import Scribe


class StageSteps:
    """Steps of revert `number` of one incident. `attempt` counts people's resumes, never Temporal's retries."""

    def __init__(
        self, plan: Plan, ask_id: str | None, glass: str | None, number: int, playbook: Playbook, scribe: Scribe
    ) -> None:
        self._plan = plan
        self._ask_id = ask_id
        self._glass = glass
        self._number = number
        self._playbook = playbook
        self._scribe = scribe
        self.notes = 0

    async def effect(
        self,
        stage: int,
        member: int,
        desired: Split,
        revision: str | None,
        attempt: int,
        limit: timedelta,
        summary: str,
    ) -> StageOutcome:
        """Intent, set, read back, outcome, of the member at this position in the plan."""
        moving = self._plan.members[member]
        return await workflow.execute_activity_method(
            StagingActivities.set_stage,
            SetRequest(
                plan=self._plan,
                ask_id=self._ask_id,
                revert=self._number,
                stage=stage,
                desired=desired,
                member=member,
                key=self._key(stage, moving.name),
                fence=ids.fence(moving.before_fence, stage),
                expected_revision=revision,
                attempt=attempt,
                glass=self._glass,
            ),
            summary=summary,
            **policies.effect(limit),
        )

    async def traffic(
        self, stage: int, member: int, desired: Split, revision: str, attempt: int, limit: timedelta
    ) -> Checked:
        """Configured and observed, from the target itself, within the plan's time limit for it and `limit`."""
        moving = self._plan.members[member]
        time_limit = min(self._plan.traffic_time_limit, limit)
        return await workflow.execute_activity_method(
            TrafficActivities.verify_traffic,
            TrafficRequest(
                plan=self._plan,
                revert=self._number,
                stage=stage,
                desired=desired,
                revision=revision,
                time_limit=time_limit,
                member=member,
                key=self._key(stage, moving.name),
                attempt=attempt,
            ),
            summary=f"Does traffic follow? {moving.name}: {moving.says(desired)}",
            **policies.wait_for_evidence(self._plan.settle + time_limit),
        )

    async def checks(
        self, stage: PlannedStage, phase: Literal["before", "between", "after"], attempt: int, limit: timedelta
    ) -> Checked:
        """The playbook's data-integrity checks of one phase."""
        checks = self._playbook.data_integrity.named(phase)
        return await workflow.execute_activity_method(
            CheckingActivities.run_checks,
            CheckRequest(
                plan=self._plan,
                revert=self._number,
                stage=stage.number,
                phase=phase,
                checks=checks,
                key=self._key(stage.number, self._plan.members[0].name),
                time_limit=limit,
                attempt=attempt,
            ),
            summary=f"Data integrity {phase} stage {stage.number}: {', '.join(check.id for check in checks)}",
            **policies.check(limit),
        )

    async def note(
        self,
        stage: PlannedStage,
        state: StageWord,
        sentence: str,
        *,
        by: str | None = None,
        subject: str | None = None,
        until: datetime | None = None,
    ) -> None:
        """Record the life of a stage. `subject` said so, and the sentence quotes them."""
        self.notes += 1
        await self._scribe.record(
            f"revert/{self._number}/{self.notes}",
            StageState(
                revert=self._number,
                stage=stage.number,
                state=state,
                sentence=sentence,
                by=by,
                subject=subject,
                until=until,
            ),
            f"Stage {stage.number} {state}",
        )

    def _key(self, stage: int, member: str) -> str:
        return ids.effect_key(workflow.info().workflow_id, self._plan.digest, stage, member)

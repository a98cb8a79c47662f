"""Every hour as long as a release is open: could all users go back now (TGT-18)?"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

from activities.readying import LookRequest, ReadyingActivities
from countermand.plan.readiness import EVERY
from countermand.plan.target import Value
from workflows import policies
from workflows.visibility import show


class PreflightInput(Value):
    release_id: str


@workflow.defn(name="StandingPreflight")
class StandingPreflight:
    """Begins with the registration of a release and ends when it is closed."""

    @workflow.run
    async def run(self, asked: PreflightInput) -> str:
        while True:
            try:
                looked = await workflow.execute_activity_method(
                    ReadyingActivities.look_at_destination,
                    LookRequest(release_id=asked.release_id),
                    summary="Could all users go back now?",
                    **policies.read_target(),
                )
            except ActivityError:  # what was seen before grows old, and people are shown how old it is
                show("blind", "Looking failed and is tried again.")
            else:
                if looked.over:
                    show("over", "Nobody looks any more.")
                    return looked.sentence
                show("watching", f"The way back of {asked.release_id} is looked at.")
            await workflow.sleep(EVERY, summary="Until the next look")
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(asked)

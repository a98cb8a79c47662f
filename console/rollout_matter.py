"""What `decide()` needs to know about a rollout that somebody starts or stops; its workflow judges the decision."""

from __future__ import annotations

from dataclasses import dataclass

from activities.ports import Ledger
from countermand.governance.decision import Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.playbook.terms import Severity
from countermand.rollout.plan import RolloutPlan
from countermand.rollout.view import rollouts


@dataclass(frozen=True)
class RolloutMatter:
    """The newest rollout of a release."""

    plan: RolloutPlan
    incident_id: str = ""

    @classmethod
    async def of(cls, ledger: Ledger, release_id: str | None) -> RolloutMatter:
        """Raises Refused when the release has none that runs."""
        views = rollouts(await ledger.records(release_id=release_id)) if release_id else []
        if not views or views[-1].ended is not None:
            raise Refused(Refusal.unknown_ask, f"no rollout of {release_id!r} is under way.", "Begin one.")
        return cls(views[-1].plan)

    @property
    def release_id(self) -> str:
        return self.plan.release_id

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.plan.release_id, environment=self.plan.environment, severity=min(Severity))

    @property
    def addressee(self) -> str:
        return self.plan.workflow_id

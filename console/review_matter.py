"""What `decide()` needs to know about the review of an incident; its workflow judges the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.ports import Ledger
from activities.review_keeping import situation
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.shipped import rights_in_force
from countermand.playbook.terms import Severity
from countermand.review import acts
from countermand.review.acts import Situation

KINDS = (DecisionKind.sign_review, DecisionKind.keep_review)


@dataclass(frozen=True)
class ReviewMatter:
    """The review of one incident as it stands now."""

    situation: Situation

    @classmethod
    async def of(cls, ledger: Ledger, incident_id: str, now: datetime) -> ReviewMatter:
        """Raises Refused when there is no review."""
        return cls(await situation(ledger, incident_id, now))

    @property
    def incident_id(self) -> str:
        return self.situation.state.incident_id

    @property
    def release_id(self) -> str:
        return self.situation.state.release_id

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.release_id, environment=self.situation.environment, severity=min(Severity))

    @property
    def addressee(self) -> str:
        return self.situation.state.drafted.workflow_id

    def roles(self, kind: DecisionKind, terms: dict[str, str], directory: Directory) -> tuple[str, ...]:
        """Who may do what these terms say."""
        return acts.roles_for(kind, terms, rights_in_force(directory.governance), self.situation)

    def check(self, decision: Decision, directory: Directory) -> None:
        """Raise Refused before anything is recorded; the workflow judges again."""
        acts.check(decision, directory, rights_in_force(directory.governance), self.situation)
        acts.carried_out(decision, directory, self.situation)

"""What `decide()` needs to know about a proposed change of thresholds, or about thresholds that stay as they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.ports import Ledger
from countermand import ids
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right
from countermand.governance.shipped import rights_in_force
from countermand.learning import acts
from countermand.learning.change import KINDS, change
from countermand.messages.facts import utc
from countermand.playbook.terms import Severity
from workflows.decisions import Answer


@dataclass(frozen=True)
class ThresholdMatter:
    """`addressee`: the workflow of a proposal, or the thresholds of a playbook. It belongs to no single incident."""

    addressee: str
    incident_id: str = ""
    release_id: str = ""

    @classmethod
    async def of(cls, ledger: Ledger, terms: dict[str, str]) -> ThresholdMatter:
        """Raises Refused when there is no such proposal."""
        if "proposal" not in terms:
            return cls(ids.threshold_review(terms.get("playbook", "")))
        view = change(await ledger.records(kinds=KINDS), terms["proposal"])
        if view is None:
            raise Refused(Refusal.unknown_ask, f"there is no proposal {terms['proposal']!r}.", "List the proposals.")
        return cls(view.proposed.workflow_id)

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release="", environment="", severity=min(Severity))

    def roles(self, kind: DecisionKind, directory: Directory) -> tuple[str, ...]:
        """Who may decide this."""
        return acts.roles_for(kind, right(directory))


def right(directory: Directory) -> Right:
    """The row of the table in force for those who adopt a laxer threshold."""
    return rights_in_force(directory.governance).row(Action.loosen_threshold, min(Severity))


async def keep(ledger: Ledger, decision: Decision, directory: Directory, now: datetime) -> Answer:
    """Record that thresholds stay as they are until another day. Raises Refused; the same decision counts once."""
    acts.check(decision, directory, right(directory))
    body = acts.reviewed(decision, now)
    key = f"{ids.threshold_review(body.playbook)}/reviewed/{decision.decision_id}"
    await ledger.append(body.entry(key, decision.actor.subject))
    return Answer(
        status="reviewed", sentence=f"The thresholds of {body.playbook} stay; the next review is {utc(body.review_on)}."
    )

"""What `decide()` does with a legal hold: it is recorded at once, and no workflow is waited for."""

from __future__ import annotations

from dataclasses import dataclass

from activities.ports import Ledger
from countermand import ids
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right
from countermand.governance.shipped import rights_in_force
from countermand.ledger.record import Kind
from countermand.ledger.retention_bodies import HoldPlaced
from countermand.playbook.terms import Severity
from countermand.retention import placing
from workflows.decisions import Answer


@dataclass(frozen=True)
class HoldMatter:
    """A hold that somebody places: it belongs to no single incident, whatever it covers."""

    incident_id: str = ""
    release_id: str = ""

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.release_id, environment="", severity=min(Severity))

    @property
    def addressee(self) -> str:
        """What the decision is for: the holds."""
        return ids.HOLDS


def right(directory: Directory) -> Right:
    """The row of the table in force."""
    return rights_in_force(directory.governance).row(Action.place_hold, min(Severity))


async def place(ledger: Ledger, decision: Decision, directory: Directory) -> Answer:
    """Record it; the same decision again counts once. Raises Refused."""
    placing.check(decision, directory, right(directory))
    incidents = placing.scope_of(decision, ()).incidents
    found = {
        record.release_id
        for incident_id in incidents
        for record in await ledger.records(incident_id=incident_id, limit=1)
        if record.release_id
    }
    body = placing.placed(decision, tuple(sorted(found)))
    for record in await ledger.records(kinds=[Kind.hold_placed]):
        before = HoldPlaced.model_validate(record.body)
        if before.hold_id == body.hold_id and before.decision_id != body.decision_id:
            raise Refused(
                Refusal.stale,
                f"{body.hold_id} is the name of another hold, placed by {before.name}.",
                "Place this one again under a new id; the other one stays as it is.",
            )
    await ledger.append(body.entry(ids.hold_placed(decision.decision_id), decision.actor.subject))
    return Answer(
        status="held", sentence=f"{body.hold_id} is in force: nothing that it covers is deleted until it is released."
    )

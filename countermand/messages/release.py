"""A release as people see it beside its watch: its incidents and what people said about it. A pure fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from countermand import ids
from countermand.governance.decision import Decision, DecisionKind
from countermand.governance.delegation import Scope
from countermand.ledger import bodies as b
from countermand.ledger.record import Record
from countermand.messages.incident import IncidentView, incidents
from countermand.playbook.terms import Severity


@dataclass
class ReleaseView:
    """One registered release. `concerns`: the newest first."""

    release_id: str
    registered: b.ReleaseRegistered
    incidents: list[IncidentView]
    concerns: list[tuple[datetime, b.ConcernRaised]] = field(default_factory=list)
    closed: b.ReleaseClosed | None = None

    @property
    def open(self) -> IncidentView | None:
        """The incident that is running; one that nothing works on any more does not stand in the way of the next."""
        return next(
            (view for view in reversed(self.incidents) if view.closed is None and view.unattended is None), None
        )

    @property
    def incident_id(self) -> str:
        """The running incident; empty when there is none."""
        return self.open.incident_id if self.open else ""

    @property
    def incident_workflow(self) -> str:
        """The workflow of its one running incident, whether it runs or not."""
        return ids.incident_workflow(self.registered.environment, self.registered.service, self.release_id)

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.release_id, environment=self.registered.environment, severity=min(Severity))

    def addressee(self, kind: DecisionKind) -> str:
        """Whom an act about this release is for: its incident, or for a concern its watch."""
        watch = ids.watch_workflow(self.registered.environment, self.release_id)
        return watch if kind is DecisionKind.raise_concern else self.incident_workflow

    def incident_of(self, kind: DecisionKind, decision_id: str) -> str:
        """The incident a declaration joins or opens; empty for a concern, which needs none."""
        if kind is DecisionKind.raise_concern:
            return ""
        return self.incident_id or self._own_incident(decision_id)

    def opens(self, decision: Decision) -> bool:
        """Whether this declaration is to open an incident of its own, and not to join one; false once it did."""
        own = self._own_incident(decision.decision_id)
        return decision.incident_id == own and all(view.incident_id != own for view in self.incidents)

    def _own_incident(self, decision_id: str) -> str:
        known = self.registered
        return ids.declared_incident_id(known.environment, known.service, self.release_id, decision_id)


def release(records: Sequence[Record]) -> ReleaseView | None:
    """The release these records are about; None when they do not register one."""
    view: ReleaseView | None = None
    for record in records:
        match b.parse_body(record):
            case b.ReleaseRegistered() as body if record.release_id:
                view = view or ReleaseView(record.release_id, body, incidents(records))
            case b.ConcernRaised() as body if view is not None:
                view.concerns.insert(0, (record.at, body))
            case b.ReleaseClosed() as body if view is not None:
                view.closed = body
    return view

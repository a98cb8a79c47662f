"""What `decide()` needs to know about a duty that people are asked to do; its workflow judges the decision."""

from __future__ import annotations

from dataclasses import dataclass

from activities.ports import Ledger
from countermand.cadence.state import Asked
from countermand.governance.decision import Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.ledger.bodies import (
    CadenceDone,
    CadenceMissed,
    CadenceMoved,
    CadenceOpened,
    CadenceSkipped,
    parse_body,
)
from countermand.ledger.record import Kind
from countermand.playbook.terms import Severity

#: What says that people are asked, and that a run is over.
_KINDS = (
    *(Kind.cadence_opened, Kind.cadence_moved, Kind.cadence_done, Kind.cadence_skipped),
    Kind.cadence_missed,
)


@dataclass(frozen=True)
class CadenceMatter:
    """The run of a duty in which people are asked now."""

    asked: Asked
    incident_id: str = ""
    release_id: str = ""

    @classmethod
    async def of(cls, ledger: Ledger, name: str) -> CadenceMatter:
        """name: `duty`, or `duty/playbook`. Raises Refused when nobody is asked to do it now."""
        duty, _, subject = name.partition("/")
        asked: Asked | None = None
        for record in await ledger.records(kinds=_KINDS):
            body = parse_body(record)
            if not isinstance(body, CadenceOpened | CadenceMoved | CadenceDone | CadenceSkipped | CadenceMissed):
                continue
            if (body.duty, body.subject) != (duty, subject):
                continue
            if isinstance(body, CadenceOpened | CadenceMoved):
                asked = Asked(
                    workflow_id=body.workflow_id,
                    asks=body.asks,
                    deadline=body.deadline,
                    at=record.at,
                    seq=record.seq,
                )
            elif asked is not None and asked.workflow_id == body.workflow_id:
                asked = None
        if asked is None:
            raise Refused(
                Refusal.unknown_ask, f"nobody is asked to do {name!r} now.", f"`countermand cadence run {duty}` asks."
            )
        return cls(asked)

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release="", environment="", severity=min(Severity))

    @property
    def addressee(self) -> str:
        """The run that judges it."""
        return self.asked.workflow_id

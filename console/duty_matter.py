"""What `decide()` needs to know about the clocks of an incident; their workflow judges the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from activities.keeping import held, situation
from activities.obligation_ports import Duties
from activities.ports import Ledger
from countermand import ids
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right
from countermand.governance.shipped import rights_in_force
from countermand.messages.incident import IncidentView, incident
from countermand.obligations import acts
from countermand.obligations.acts import Situation
from countermand.obligations.regimes import open_regimes, refuse_unnamed, regimes
from countermand.playbook.terms import Severity

#: The term of an approval by which a person states that continuing harm outweighs waiting for the report (GOV-43).
NECESSITY = "necessity"


@dataclass(frozen=True)
class DutyMatter:
    """The clocks of one incident as they stand now."""

    view: IncidentView
    situation: Situation

    @classmethod
    async def of(cls, ledger: Ledger, duties: Duties, incident_id: str, now: datetime) -> DutyMatter:
        """Raises Refused when there is no such incident."""
        view = incident(await ledger.records(incident_id=incident_id))
        if view is None:
            raise Refused(Refusal.unknown_ask, f"there is no incident {incident_id!r}.", "List the incidents.")
        return cls(view, await situation(ledger, duties, incident_id, now))

    @property
    def incident_id(self) -> str:
        return self.view.incident_id

    @property
    def release_id(self) -> str:
        return self.view.release_id

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case."""
        return Scope(release=self.release_id, environment=self.view.opened.environment, severity=min(Severity))

    @property
    def addressee(self) -> str:
        return ids.obligations_workflow(self.incident_id)

    def roles(self, terms: dict[str, str], directory: Directory) -> tuple[str, ...]:
        """Who may do what these terms say."""
        return acts.roles_for(self.situation.dataset, terms, right(directory))

    def check(self, decision: Decision, directory: Directory) -> None:
        """Raise Refused before anything is recorded; the workflow judges again."""
        acts.check(decision, directory, right(directory), self.situation.dataset)
        acts.carried_out(decision, self.situation)


def right(directory: Directory) -> Right:
    """The row of the table in force."""
    return rights_in_force(directory.governance).row(Action.keep_obligation, min(Severity))


async def left_open(ledger: Ledger, duties: Duties, incident_id: str, now: datetime) -> tuple[str, ...]:
    """Regimes that nobody decided about, as a signature of the review has to name them."""
    found = await situation(ledger, duties, incident_id, now)
    return open_regimes(regimes(found.clocks, found.book), found.profile)


async def refuse_unstated_need(
    ledger: Ledger, duties: Duties, incident_id: str, terms: dict[str, str], reason: str, now: datetime
) -> None:
    """Raise Refused unless an approval under an evidence hold states that waiting would do more harm (GOV-43)."""
    on = await held(ledger, duties, incident_id, now)
    if on and (terms.get(NECESSITY) != "yes" or len(reason.strip()) < acts.MIN_REASONING):
        raise Refused(
            Refusal.wrong_state,
            f"{'; '.join(on)}.",
            "Record the report first, or approve on the page of the request or with `--necessity`: state that "
            f"continuing harm outweighs waiting, and say why in at least {acts.MIN_REASONING} characters.",
        )


async def refuse_silent_signature(ledger: Ledger, duties: Duties, decision: Decision, now: datetime) -> None:
    """Raise Refused unless the signature of a review names the regimes that it leaves open (OBL-23)."""
    refuse_unnamed(decision, await left_open(ledger, duties, decision.incident_id, now))

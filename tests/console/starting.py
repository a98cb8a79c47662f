"""Incidents that people declare behind a console without workflows: the real rules, and the records that the incident
would write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities.ports import Ledger, RoleDirectory
from countermand.governance.break_glass import opened
from countermand.governance.decision import Decision
from countermand.governance.glass_box import GlassBox
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.governance.statement_box import StatementBox
from countermand.governance.working_time import WorkingTime
from countermand.ledger.bodies import Body, GlassBroken, IncidentOpened, VerdictChanged
from countermand.playbook.terms import Severity
from tests.fakes import FakeKeys
from workflows.decisions import Answer
from workflows.incident_steps import Case


@dataclass
class Starting:
    """The incident of one release: opened by a person, or by the story."""

    ledger: Ledger
    people: RoleDirectory
    clock: Callable[[], datetime]
    cases: list[Case] = field(default_factory=list)

    async def declare(self, decision: Decision, case: Case) -> Answer:
        """What the incident does first with the declaration it was started with."""
        self.cases.append(case)
        await self._record(
            decision,
            "opened",
            IncidentOpened(
                workflow_id=decision.addressed_to,
                environment=case.environment,
                service=case.service,
                candidate_name="the candidate",
                baseline_name="the baseline",
                severity=case.severity.value,
                trigger=case.verdict.trigger,
                sentence=case.verdict.sentence,
                evidence_digest=case.verdict.evidence_digest,
                opened_by=case.opened_by,
                ends_by=self.clock() + timedelta(hours=24),
            ),
        )
        await self._record(decision, "verdict", case.verdict)
        return Answer(status="opened", sentence=f"incident {case.incident_id} is open.")

    async def join(self, decision: Decision) -> Answer:
        directory = await self.people.snapshot()
        box = StatementBox(decision.addressed_to, decision.incident_id, None)
        box.trust(FakeKeys().gateway_keys(), directory, rights_in_force(directory.governance))
        statement: VerdictChanged = box.give(decision)
        await self._record(decision, "joined", statement)
        return Answer(status="joined", sentence="your words joined it.")

    async def break_glass(self, decision: Decision) -> Answer:
        directory = await self.people.snapshot()
        right = rights_in_force(directory.governance).row(Action.break_glass, Severity.sev1)
        box = GlassBox(decision.addressed_to, decision.incident_id)
        box.trust(FakeKeys().gateway_keys(), directory, right)
        box.give(decision)
        due = opened(decision.actor.subject, "production", self.clock(), WorkingTime(time_zone="UTC")).due
        body = {
            "decision_id": decision.decision_id,
            "subject": decision.actor.subject,
            "name": decision.actor.printed_name,
            "reason": decision.reason,
            "environment": "production",
            "plan_digest": None,
            "sentence": "nobody is moved: the split stays as it is until people decide.",
            "ratify_by": due,
        }
        await self._record(decision, "glass", GlassBroken.model_validate(body | decision.terms))
        return Answer(status="accepted", sentence="the glass is broken.")

    async def _record(self, decision: Decision, what: str, body: Body) -> None:
        release_id = decision.addressed_to.rpartition("/")[2]
        key = f"{decision.decision_id}/{what}"
        await self.ledger.append(body.entry(key, "worker", incident_id=decision.incident_id, release_id=release_id))

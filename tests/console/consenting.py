"""Consents behind a console without workflows: the real rules, and the records that a workflow would write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from activities.ports import Ledger
from countermand import ids
from countermand.governance import consent as rules
from countermand.governance import consent_record as records
from countermand.governance.consent import ConsentRequest, ConsentState
from countermand.governance.decision import Decision
from countermand.governance.rights import Action
from countermand.governance.shipped import shipped_rights
from countermand.governance.standing import StandingAuthorisation
from countermand.ledger.bodies import Body, StandingIssued, VersionAllowed
from countermand.playbook.terms import Severity
from tests import cases
from tests.fakes import FakeKeys, FakePeople
from workflows.consent import ConsentInput
from workflows.decisions import Answer


@dataclass
class Consenting:
    """All consents of one console."""

    ledger: Ledger
    clock: Callable[[], datetime]
    open: dict[str, tuple[ConsentRequest, ConsentState]] = field(default_factory=dict)

    async def start(self, asked: ConsentInput) -> ConsentRequest:
        parts: dict[str, Any] = {
            name: getattr(asked, name) for name in ConsentInput.model_fields if name != "time_limit"
        }
        parts |= {"incident_id": asked.incident_id or "", "release_id": asked.release_id or ""}
        now = self.clock()
        request = ConsentRequest(
            **parts,
            workflow_id=ids.consent_workflow(asked.consent_id),
            opened_at=now,
            expires_at=now + asked.time_limit,
        )
        self.open[request.workflow_id] = request, ConsentState()
        await self._record(request, "opened", records.opened(request))
        return request

    async def decide(self, decision: Decision) -> Answer:
        """Judge by the real rules; write what the workflows of consents and standing authorisations write."""
        request, state = self.open[decision.addressed_to]
        state = rules.apply(request, state, decision, self.clock())
        self.open[decision.addressed_to] = request, state
        vote = records.vote(request, state, decision)
        await self._record(request, f"vote/{decision.decision_id}", vote)
        if state.closed:
            await self._record(request, "closed", records.closed(request, state))
        if state.status.value == "given" and request.right.action is Action.standing_authorisation:
            signers = tuple(vote.actor for vote in state.votes)
            issued = StandingAuthorisation.model_validate({**request.document, "signers": signers})
            body = StandingIssued(authorisation=issued.model_dump(mode="json"), consent_id=request.consent_id)
            await self.ledger.append(body.entry(ids.standing_issued(issued.authorisation_id), "worker"))
        if state.status.value == "given" and request.right.action is Action.allow_version:
            allowed = VersionAllowed(
                digest=request.document["digest"], environment=request.environment, consent_id=request.consent_id
            )
            await self.ledger.append(allowed.entry(ids.version_allowed(request.consent_id), "worker"))
        return Answer(status=state.status.value, sentence=state.because, have=vote.have, need=vote.need)

    async def _record(self, request: ConsentRequest, what: str, body: Body) -> None:
        entry = body.entry(
            ids.consent_record(request.consent_id, what), "worker", incident_id=request.incident_id or None
        )
        await self.ledger.append(entry)


async def a_ratification(people: FakePeople, keys: FakeKeys, **changes: Any) -> ConsentInput:
    """Amira stopped the release; others answer for it."""
    given: dict[str, Any] = {
        "consent_id": "ratify-1",
        "right": shipped_rights().row(Action.decide_plan, Severity.sev1),
        "subject": "Was it right that Amira Haddad stopped support-assistant v7?",
        "document": {"did": "stop", "harm": "wrong dosage advice"},
        "requester": cases.AMIRA,
        "excluded": (cases.AMIRA,),
        "incident_id": None,
        "release_id": None,
        "environment": "production",
        "time_limit": timedelta(days=1),
        "overdue": "escalate_daily",
        "directory": await people.snapshot(),
        "keys": keys.gateway_keys(),
    }
    return ConsentInput.model_validate(given | changes)

"""Changes of thresholds behind a console without workflows: the real activities, in the order of the workflow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio.exceptions import ApplicationError

from activities.adopting import Adoptions
from activities.backtesting import MEDIA_TYPE
from activities.ports import Catalogue, Ledger
from activities.threshold_ports import ActRequest, JudgeRequest, OfProposal, ProposeRequest, ToSign
from activities.thresholds import ThresholdActivities
from countermand import ids
from countermand.canonical import canonical
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.learning.proposal import Proposal
from countermand.ledger.bodies import ThresholdEnded, ThresholdPhase
from tests.fakes import FakeAdoptionKey, FakeKeys, FakePeople
from tests.rules.learning.proposals import a_report
from workflows.decisions import Answer


@dataclass
class Thresholding:
    """All proposals of one console. `said`: what the backtest of the next one finds."""

    ledger: Ledger
    catalogue: Catalogue
    people: FakePeople
    clock: Callable[[], datetime]
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def activities(self) -> ThresholdActivities:
        adoptions = Adoptions(self.ledger, self.catalogue, FakeAdoptionKey())
        return ThresholdActivities(self.ledger, self.catalogue, self.people, FakeKeys(), adoptions)

    async def start(self, proposal: Proposal) -> None:
        """Up to the shadow, or to what has to be waived."""
        done = await self.activities.propose_threshold(
            ProposeRequest(proposal=proposal, workflow_id=ids.threshold_workflow(proposal.proposal_id))
        )
        assert not done.refused, done.refused
        report = a_report(current=proposal.current_digest, proposed=proposal.proposed_digest, **self.said)
        sha256 = await self.ledger.put_blob(canonical(report.model_dump(mode="json")), MEDIA_TYPE)
        judged = await self.activities.judge_threshold(
            JudgeRequest(proposal_id=proposal.proposal_id, backtest=sha256, now=self.clock())
        )
        phase = "stopped" if judged.stops else "shadowing"
        await self.phase(proposal.proposal_id, phase, " ".join(judged.stops) or "It is judged and acts on nothing.")

    async def phase(self, proposal_id: str, phase: str, sentence: str) -> None:
        body = ThresholdPhase.model_validate(
            {
                "proposal_id": proposal_id,
                "phase": phase,
                "sentence": sentence,
                "until": self.clock() + timedelta(days=7),
            }
        )
        await self.ledger.append(body.entry(ids.threshold_record(proposal_id, f"phase/{phase}"), "worker"))

    async def decide(self, decision: Decision) -> Answer:
        """Judged by the activity that judges it; the workflow would end what is withdrawn."""
        proposal_id = decision.terms["proposal"]
        try:
            acted = await self.activities.decide_threshold(ActRequest(proposal_id=proposal_id, decision=decision))
        except ApplicationError as error:
            code, detail, next_ = error.details
            raise Refused(Refusal(code), detail, next_) from error
        if acted.withdrawn:
            body = ThresholdEnded(proposal_id=proposal_id, outcome="withdrawn", sentence=acted.sentence)
            await self.ledger.append(body.entry(ids.threshold_record(proposal_id, "ended"), "worker"))
        elif not acted.left:
            await self.phase(proposal_id, "shadowing", "It is judged and acts on nothing.")
        return Answer(status="withdrawn" if acted.withdrawn else "shadowing", sentence=acted.sentence)

    async def to_sign(self, proposal_id: str) -> ToSign:
        """What people are asked to sign after the shadow."""
        return await self.activities.put_up_threshold(OfProposal(proposal_id=proposal_id))

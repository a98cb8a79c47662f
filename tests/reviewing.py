"""Reviews in tests: an incident that is closed, and people who write, open actions and sign."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from activities.ports import Ledger
from countermand import ids
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.governance.directory import Directory
from countermand.ledger.bodies import DecisionMade, GlassBroken, IncidentClosed, IncidentOpened
from countermand.review.parts import Part
from tests import cases, fakes

TEXT = "The judge scored the new answers as good, and support heard the first complaint an hour later."
#: Factors as a form sends them.
FACTORS = {"factors": "evaluation_gap,signal_late", "others": "new judge"}


async def close_incident(
    ledger: Ledger,
    incident_id: str,
    release_id: str,
    *,
    outcome: str = "reverted",
    severity: str = "sev2",
    broke_glass: bool = False,
    service: str = "assistant",
) -> None:
    """What an incident leaves behind."""
    opened = IncidentOpened(
        workflow_id=f"incident/{incident_id}",
        environment="prod",
        service=service,
        candidate_name="assistant 4.2",
        baseline_name="assistant 4.1",
        severity=severity,
        trigger="more_hallucinations",
        sentence="More answers are made up than before.",
        evidence_digest="sha256:e",
        opened_by="automation",
        ends_by=fakes.now() + timedelta(hours=24),
    )
    where = {"incident_id": incident_id, "release_id": release_id}
    await ledger.append(opened.entry(f"{incident_id}/opened", "worker", **where))
    if broke_glass:
        glass = GlassBroken(
            decision_id="g",
            subject=cases.LENA,
            name="Lena Ortiz",
            emergency="stop",
            harm="people are hurt now",
            reason="it cannot wait",
            environment="prod",
            plan_digest=None,
            sentence="Stopped.",
            ratify_by=fakes.now(),
        )
        await ledger.append(glass.entry(f"{incident_id}/glass", cases.LENA, **where))
    closed = IncidentClosed.model_validate({"outcome": outcome, "sentence": f"It ended: {outcome}."})
    await ledger.append(closed.entry(f"{incident_id}/closed", "worker", **where))


def decision(
    keys: fakes.FakeKeys,
    directory: Directory,
    who: str,
    incident_id: str,
    *,
    kind: DecisionKind = DecisionKind.keep_review,
    reason: str = "agreed in the meeting",
    principal: str = "person",
    **terms: str,
) -> Decision:
    """A decision about a review as the console signs it."""
    unsigned = Decision(
        decision_id=str(uuid.uuid4()),
        kind=kind,
        addressed_to=ids.review_workflow(incident_id),
        incident_id=incident_id,
        ask_id=None,
        approval_digest=None,
        reason=reason,
        actor=Actor.model_validate(
            {
                "subject": who,
                "printed_name": directory.name_of(who),
                "principal": principal,
                "roles": directory.roles_of(who),
                "role_source": "fake",
                "role_as_of": fakes.now(),
            }
        ),
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=fakes.now(),
        gateway_key_id=keys.key_id,
        terms=terms,
    )
    return keys.sign(unsigned)


async def put_decision(ledger: Ledger, made: Decision) -> None:
    """On record, as the console leaves it before a workflow hears of it."""
    body = DecisionMade(decision=made)
    await ledger.append(body.entry(f"decision/{made.decision_id}", made.actor.subject, incident_id=made.incident_id))


def part(name: Part) -> dict[str, str]:
    """Terms that write a part."""
    return {"act": "part", "part": name.value, "text": TEXT, **(FACTORS if name is Part.factors else {})}


def action(until: datetime, **changes: str) -> dict[str, str]:
    """Terms that open an action."""
    return {
        "act": "open_action",
        "type": "detect",
        "text": "Compare the new judge with people before it counts",
        "owner": cases.JONAS,
        "due": until.date().isoformat(),
        "verification": "Run the comparison on 200 samples and attach it",
        "factors": "evaluation_gap",
        **changes,
    }

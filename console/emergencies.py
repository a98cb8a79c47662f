"""What pages, API and Slack do when people start something out of order: one or two decisions through the one door."""

from __future__ import annotations

from typing import Literal

from activities.signal_ports import PEOPLE, Batch, LabelledOutput
from console.decide import Act, Person
from console.deps import Console
from countermand.canonical import digest
from countermand.detection.blocks import Arm
from countermand.governance import break_glass as rules
from countermand.governance.break_glass import Emergency
from countermand.governance.decision import Decision, DecisionKind, Refused
from countermand.governance.declaring import Declaration, Mode
from countermand.ledger.bodies import DecisionMade
from countermand.playbook.model import Severity
from workflows.decisions import Answer

Channel = Literal["web", "cli", "api", "slack"]

#: The source that people's judgements come from; a playbook that names it counts them.


async def declare(
    deps: Console,
    person: Person,
    channel: Channel,
    *,
    release_id: str,
    said: Declaration,
    reason: str,
    decision_id: str,
) -> tuple[Answer, str]:
    """Propose a rollback or declare an emergency; returns the answer and the incident. Raises Refused,
    OutcomeUnknown."""
    act = Act(
        kind=DecisionKind.declare, release_id=release_id, reason=reason, terms=said.terms, decision_id=decision_id
    )
    answer = await deps.gate.decide(act, person, channel)
    return answer, (await _decision(deps, decision_id)).incident_id


async def break_glass(
    deps: Console,
    person: Person,
    channel: Channel,
    *,
    incident_id: str,
    emergency: str,
    harm: str,
    reason: str,
    decision_id: str,
    step_up: str | None = None,
) -> Answer:
    """Act first in a running incident. Raises Refused, OutcomeUnknown."""
    opened = await deps.ledger.records(incident_id=incident_id, limit=50)
    workflow = next((str(one.body["workflow_id"]) for one in opened if one.kind.value == "incident.opened"), "")
    act = Act(
        kind=DecisionKind.break_glass,
        incident_id=incident_id,
        approval_digest=rules.use_digest(workflow),
        reason=reason,
        terms={"emergency": emergency, "harm": harm.strip()},
        decision_id=decision_id,
        step_up=step_up,
    )
    return await deps.gate.decide(act, person, channel)


async def declare_and_break(
    deps: Console,
    person: Person,
    channel: Channel,
    *,
    release_id: str,
    said: Declaration,
    emergency: Emergency,
    reason: str,
    decision_id: str,
    step_up: str | None = None,
) -> tuple[Answer, str]:
    """Two decisions by one form: the emergency opens or joins the incident, then the glass is broken there."""
    _, incident_id = await declare(
        deps, person, channel, release_id=release_id, said=said, reason=reason, decision_id=decision_id
    )
    try:
        answer = await break_glass(
            deps,
            person,
            channel,
            incident_id=incident_id,
            emergency=emergency.value,
            harm=said.harm,
            reason=reason,
            decision_id=f"{decision_id}.glass",
            step_up=step_up,
        )
    except Refused as refused:
        said_first = f"the emergency is declared (incident {incident_id}), but the glass was not broken: "
        raise Refused(refused.code, f"{said_first}{refused.detail}", refused.next) from refused
    return answer, incident_id


async def raise_concern(
    deps: Console,
    person: Person,
    channel: Channel,
    *,
    release_id: str,
    severity: Severity,
    reason: str,
    decision_id: str,
    propose: bool = False,
) -> tuple[Answer, str | None]:
    """Say that a release is bad; returns the answer and the incident, if a rollback is proposed with it. Raises
    Refused, OutcomeUnknown."""
    act = Act(
        kind=DecisionKind.raise_concern,
        release_id=release_id,
        reason=reason,
        terms={"severity": severity.value},
        decision_id=decision_id,
    )
    answer = await deps.gate.decide(act, person, channel)
    await _count(deps, release_id, await _decision(deps, decision_id))
    if not propose:
        return answer, None
    said = Declaration(mode=Mode.propose, severity=severity, harm=reason.strip())
    return await declare(
        deps, person, channel, release_id=release_id, said=said, reason=reason, decision_id=f"{decision_id}.propose"
    )


async def _count(deps: Console, release_id: str, decision: Decision) -> None:
    """One bad output of the candidate for every signal by which the playbook asks people; a person counts once in a
    release, however often they say it."""
    status = await deps.catalogue.release(release_id)
    if status is None:
        return
    signals = (await deps.catalogue.playbook(status.release.playbook_digest)).detection.signals
    asked = [name for name, spec in signals.items() if spec.kind == "judgement" and spec.source == PEOPLE]
    if not asked:
        return
    by = decision.actor.delegated_by
    person = by.subject if by else decision.actor.subject
    items = tuple(
        LabelledOutput(
            observation_id=f"concern/{digest({'person': person, 'release': release_id, 'signal': name})}",
            release_id=release_id,
            arm=Arm.candidate,
            signal=name,
            event_time=decision.decided_at,
            outcome="bad",
        )
        for name in asked
    )
    batch = Batch(
        batch_id=f"concern/{decision.decision_id}", body_sha256=digest(decision.model_dump(mode="json")), items=items
    )
    await deps.signals.add(PEOPLE, batch, deps.clock(), may=lambda _release, _environment: True)


async def _decision(deps: Console, decision_id: str) -> Decision:
    """The decision that was just recorded under this id."""
    record = await deps.ledger.find(f"decision/{decision_id}")
    if record is None:
        raise RuntimeError(f"decision {decision_id!r} was accepted and is not in the ledger")
    return DecisionMade.model_validate(record.body).decision

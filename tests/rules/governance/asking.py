"""Asks and signed decisions of the small world, as the rules see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from countermand.governance.ask import Ask
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.governance.delegation import Delegation, Scope
from countermand.governance.directory import Directory, Governance
from countermand.playbook.terms import Severity
from tests import cases, fakes

BEGIN = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
KEYS = fakes.FakeKeys()
DIGEST = "sha256:" + "1" * 64
SCOPE = Scope(release="test-bot-v7", environment="test", severity=Severity.sev2)
OMAR, NOOR, RUTH = "local|omar", "local|noor", "local|ruth"


def directory(governance: Governance | None = None) -> Directory:
    return Directory(governance=governance or cases.governance(), digest=DIGEST, source="test", as_of=BEGIN)


def more_people(**changes: Any) -> Governance:
    """The small world's people, a deputy without a deciding role, and holders of the rarer roles."""
    people = cases.governance().model_dump(mode="json")["people"]
    people += [
        {"subject": OMAR, "name": "Omar Said", "roles": ["operator"]},
        {"subject": NOOR, "name": "Noor Vermeer", "roles": ["break_glass", "legal_counsel"]},
        {"subject": RUTH, "name": "Ruth Adler", "roles": ["fairness_reviewer", "compliance_officer"]},
    ]
    return cases.governance(people=people, **changes)


def a_delegation(**changes: Any) -> Delegation:
    """Jonas lends Omar his role of release owner for a day, everywhere."""
    document: dict[str, Any] = {
        "id": "jonas-away",
        "delegator": cases.JONAS,
        "delegate": OMAR,
        "roles": ["release_owner"],
        "releases": "any",
        "environments": "any",
        "severities": "any",
        "granted_at": BEGIN,
        "not_before": BEGIN,
        "not_after": BEGIN + timedelta(days=1),
        "reason": "Jonas is on a plane",
    }
    return Delegation.model_validate(document | changes)


def an_ask(**changes: object) -> Ask:
    policy = cases.playbook().approvals["sev2"]
    ask = Ask(
        ask_id="inc-1-ask-1",
        incident_id="inc-1",
        workflow_id="incident/x/approval/1",
        plan_digest=DIGEST,
        evidence_digest=DIGEST,
        requester="automation",
        excluded=(cases.LENA,),
        policy=policy,
        opened_at=BEGIN,
        expires_at=BEGIN + policy.time_limit,
        directory=directory(),
        keys=KEYS.gateway_keys(),
    )
    return ask.model_copy(update=changes)


def an_actor(who: str, people: Directory | None = None, **changes: object) -> Actor:
    people = people or directory(more_people())
    actor = Actor(
        subject=who,
        printed_name=people.name_of(who),
        principal="person",
        roles=people.roles_of(who),
        role_source="test",
        role_as_of=BEGIN,
    )
    return actor.model_copy(update=changes)


def a_decision(ask: Ask, kind: DecisionKind, who: str | Actor, number: int | str = 0, **changes: object) -> Decision:
    decision = Decision(
        decision_id=f"d-{number}",
        kind=kind,
        addressed_to=ask.workflow_id,
        incident_id=ask.incident_id,
        ask_id=ask.ask_id,
        approval_digest=ask.approval_digest,
        reason="looked at the evidence, agreed",
        actor=an_actor(who) if isinstance(who, str) else who,
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=BEGIN,
        gateway_key_id=KEYS.key_id,
    )
    return KEYS.sign(decision.model_copy(update=changes))

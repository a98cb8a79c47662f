"""A world in which releases go forward: a playbook with a sandbox and a ramp, and a target that holds leases."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from activities.ports import TargetRejected
from countermand.governance.decision import Actor, Decision, DecisionKind
from countermand.governance.directory import Directory
from countermand.plan.target import Capabilities, LeaseState, Member, Preflight, Split
from countermand.playbook.model import Playbook
from countermand.rollout.plan import RolloutPlan
from tests import cases, fakes

#: Long: only what goes wrong ever waits for them. A test that wants the limit says a short one.
SANDBOX = {"share": "1%", "time_limit": "120s", "lease": "3s", "without_asking": True}
RAMP = [
    {"share": "5%", "at_least": "400ms", "time_limit": "120s"},
    {"share": "50%", "at_least": "400ms", "time_limit": "120s"},
]


def document(**rollout: Any) -> dict[str, Any]:
    """The playbook of tests with blocks of 200 ms and a rollout; `rollout` changes parts of it."""
    said = cases.playbook_document()
    said["detection"] |= {
        "block": "200ms",
        "health": {"not_worse_than": 3, "required": ["hallucinations"], "min_time": "400ms"},
    }
    said["rollout"] = {"sandbox": SANDBOX, "ramp": RAMP} | rollout
    return said


def playbook(**rollout: Any) -> Playbook:
    return Playbook.model_validate(document(**rollout))


class LeasedTarget(fakes.FakeTarget):
    """A fake target that knows what both arms serve and holds leases. `lost`: it takes every lease back at once."""

    capabilities = fakes.FakeTarget.capabilities.model_copy(update={"leases": True})

    def __init__(self, candidate_bp: int, candidate_digest: str, baseline_digest: str) -> None:
        super().__init__(candidate_bp, baseline_digest)
        self.candidate_digest = candidate_digest
        self.held: dict[str, LeaseState] = {}
        self.ended: list[str] = []
        self.lost = False

    async def preflight(self, member: Member, desired: Split) -> Preflight:
        found = await super().preflight(member, desired)
        forward = desired.candidate_bp > self.split.candidate_bp
        return found.model_copy(update={"destination_digest": self.candidate_digest}) if forward else found

    async def lease(self, member: Member, *, lease_id: str, cap_bp: int, seconds: float) -> LeaseState:
        if self.lost and lease_id in self.held:
            self.split, self.key = self.held.pop(lease_id).returns_to, f"lease/{lease_id}/expired"
            self.generation += 1
            self.ended.append(lease_id)
        if lease_id in self.ended:
            raise TargetRejected("409: the lease is expired")
        begun = self.held.get(lease_id)
        self.held[lease_id] = LeaseState(
            lease_id=lease_id,
            cap_bp=cap_bp,
            returns_to=begun.returns_to if begun else self.split,
            expires_at=fakes.now() + timedelta(seconds=seconds),
        )
        return self.held[lease_id]

    async def release(self, member: Member, lease_id: str) -> None:
        self.held.pop(lease_id, None)
        self.ended.append(lease_id)


class PlainTarget(LeasedTarget):
    """The same without leases."""

    capabilities: Capabilities = fakes.FakeTarget.capabilities


def decision(
    kind: DecisionKind, plan: RolloutPlan, who: str, people: Directory, keys: fakes.FakeKeys, **changes: Any
) -> Decision:
    """What the console signs for this person."""
    at: datetime = fakes.now()
    said = Decision(
        decision_id=str(uuid.uuid4()),
        kind=kind,
        addressed_to=plan.workflow_id,
        incident_id="",
        ask_id=None,
        approval_digest=plan.digest,
        reason="read the plan, agreed",
        actor=Actor(
            subject=who,
            printed_name=people.name_of(who),
            principal="person",
            roles=people.roles_of(who),
            role_source="fake",
            role_as_of=at,
        ),
        channel="web",
        acr="local",
        view_sha256=None,
        decided_at=at,
        gateway_key_id=keys.key_id,
    )
    return keys.sign(said.model_copy(update=changes))

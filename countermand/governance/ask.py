"""What consent is asked for, and where the asking stands: values of the approval rules (GOV-8, GOV-12)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from countermand.canonical import digest, instant
from countermand.governance.decision import Actor, GatewayKeys, SignatureClass
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.quorum import QuorumState, quorum_state
from countermand.plan.target import Value
from countermand.playbook.model import ApprovalPolicy, Quorum

#: Names the version of the approval rules; it stands in every record of an approval.
RULES = "approval/1"


class ApprovalStatus(StrEnum):
    """All but `pending` are terminal (GOV-12); `approved` only once it was used."""

    pending = "pending"
    approved = "approved"
    rejected = "rejected"
    expired = "expired"
    stale = "stale"
    withdrawn = "withdrawn"


class Ask(Value):
    """A request for consent to one Plan digest, until one instant.

    `scope` says which delegations count; without it no lent role does.
    """

    ask_id: str
    incident_id: str
    workflow_id: str
    plan_digest: str
    evidence_digest: str
    requester: str
    excluded: tuple[str, ...]
    policy: ApprovalPolicy
    opened_at: datetime
    expires_at: datetime
    directory: Directory
    keys: GatewayKeys
    supersedes: str | None = None
    signature_class: SignatureClass = SignatureClass.standard
    scope: Scope | None = None

    @property
    def approval_digest(self) -> str:
        """What votes are for; any change of what it covers makes them worthless (GOV-8).

        It holds the time limit as asked. An extension is a decision of its own for this same digest.
        """
        return approval_digest(self, self.policy.quorum, RULES)

    @property
    def involves(self) -> str:
        """What the requester and the excluded people did, in words."""
        return "requested this rollback or put the release out"

    @property
    def voting_roles(self) -> tuple[str, ...]:
        """Roles that may approve or reject."""
        return tuple(slot.role for slot in self.policy.quorum.roles)

    @property
    def asked_roles(self) -> frozenset[str]:
        """Roles that are asked on any rung of the ladder, or may vote."""
        return frozenset(role for rung in self.policy.ladder for role in rung.to) | set(self.voting_roles)


class Asked(Protocol):
    """What a request and its record have in common."""

    @property
    def ask_id(self) -> str: ...
    @property
    def plan_digest(self) -> str: ...
    @property
    def evidence_digest(self) -> str: ...
    @property
    def requester(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def signature_class(self) -> SignatureClass: ...


def approval_digest(asked: Asked, quorum: Quorum, rules: str) -> str:
    """The digest that votes for such a request are signed for."""
    return digest(
        {
            "approval_id": asked.ask_id,
            "plan_digest": asked.plan_digest,
            "evidence_digest": asked.evidence_digest,
            "requester": asked.requester,
            "expires_at": instant(asked.expires_at),
            "signature_class": asked.signature_class.value,
            "quorum_policy": quorum.model_dump(mode="json"),
            "rules": rules,
        }
    )


class Vote(Value):
    """One counted vote."""

    decision_id: str
    kind: Literal["approve", "reject"]
    actor: Actor
    reason: str
    channel: str
    at: datetime


class Acknowledgement(Value):
    """Somebody has seen the ask. It is no vote (GOV-25)."""

    subject: str
    at: datetime


class ApprovalState(Value):
    """Where an approval stands. `used` holds the ids of all decisions that counted: none counts twice.

    `extended_until` replaces the time limit once people extended it. `basis` says what an approval rests on.
    """

    status: ApprovalStatus = ApprovalStatus.pending
    votes: tuple[Vote, ...] = ()
    used: tuple[str, ...] = ()
    because: str = ""
    closed_at: datetime | None = None
    extended_until: datetime | None = None
    acknowledged: tuple[Acknowledgement, ...] = ()
    basis: Literal["votes", "standing_authorisation"] = "votes"
    consumed_at: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.status is not ApprovalStatus.pending


def quorum_of(ask: Ask, state: ApprovalState) -> QuorumState:
    """The quorum reached by the approving votes."""
    voters = {vote.actor.subject: vote.actor.roles for vote in state.votes if vote.kind == "approve"}
    return quorum_state(ask.policy.quorum, voters)


def deadline(ask: Ask, state: ApprovalState) -> datetime:
    """The first instant at which nothing counts any more (GOV-13)."""
    return state.extended_until or ask.expires_at

"""Consent to one document under one row of the rights table: who may sign, when it is given, refused or lapsed.

A ratification of break-glass is such a consent too: it never lapses, `ratify` approves, and the rules of break-glass
judge its votes (GOV-39). `RULES` names the version of these rules; it stands in every record of a consent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import model_validator

from countermand.canonical import digest, instant
from countermand.governance import ballot, break_glass
from countermand.governance.ask import Vote
from countermand.governance.break_glass import Ratification
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refusal, Refused, SignatureClass
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.eligibility import own_votes, refuse_ended_delegation, refuse_ineligible
from countermand.governance.rights import Right
from countermand.governance.signature import refuse_weak
from countermand.plan.target import Value

RULES = "consent/1"

Overdue = Literal["lapse", "escalate_daily"]


class ConsentStatus(StrEnum):
    """All but `pending` are terminal."""

    pending = "pending"
    given = "given"
    refused = "refused"
    lapsed = "lapsed"


class ConsentRequest(Value):
    """What is asked, of whom, until when.

    subject: what is asked, in one sentence. incident_id and release_id are empty when it belongs to none. A request
    that escalates daily is the ratification of what the first of `excluded` did.
    """

    consent_id: str
    workflow_id: str
    right: Right
    subject: str
    document: dict[str, Any]
    requester: str
    excluded: tuple[str, ...]
    incident_id: str
    release_id: str
    environment: str
    opened_at: datetime
    expires_at: datetime
    overdue: Overdue
    directory: Directory
    keys: GatewayKeys

    @model_validator(mode="after")
    def _answerable(self) -> Self:
        if not self.right.roles or self.right.people is None:
            raise ValueError(
                f"{self.right.action.value!r} is no decision of roles; use a row with `roles` and `people`"
            )
        if self.ratifies and not self.excluded:
            raise ValueError("excluded: () is not accepted for a ratification; name the person who acted first")
        return self

    @property
    def approval_digest(self) -> str:
        """What votes are for; any change of what it covers makes them worthless."""
        return consent_digest(
            consent_id=self.consent_id,
            subject=self.subject,
            document=self.document,
            right=self.right.model_dump(mode="json"),
            requester=self.requester,
            excluded=self.excluded,
            expires_at=self.expires_at,
        )

    @property
    def ask_id(self) -> str:
        return self.consent_id

    @property
    def involves(self) -> str:
        """What the requester and the excluded people did, in words."""
        return "asked for this or did what it is about"

    @property
    def voting_roles(self) -> tuple[str, ...]:
        return self.right.roles

    @property
    def scope(self) -> Scope:
        """Which delegations count: those for the most severe case of the row."""
        return Scope(release=self.release_id, environment=self.environment, severity=min(self.right.severities))

    @property
    def ratifies(self) -> bool:
        return self.overdue == "escalate_daily"

    @property
    def approving(self) -> DecisionKind:
        """The kind of decision that signs."""
        return DecisionKind.ratify if self.ratifies else DecisionKind.approve

    @property
    def signature_class(self) -> SignatureClass:
        return self.right.signature or SignatureClass.standard


class ConsentState(Value):
    """Where it stands. `used` holds the ids of all decisions that counted: none counts twice."""

    status: ConsentStatus = ConsentStatus.pending
    votes: tuple[Vote, ...] = ()
    used: tuple[str, ...] = ()
    because: str = ""
    closed_at: datetime | None = None

    @property
    def closed(self) -> bool:
        return self.status is not ConsentStatus.pending


def consent_digest(
    *,
    consent_id: str,
    subject: str,
    document: dict[str, Any],
    right: dict[str, Any],
    requester: str,
    excluded: tuple[str, ...],
    expires_at: datetime,
) -> str:
    """The digest of a request from its parts, as `ConsentRequest` and the Ledger both have them."""
    return digest(
        {
            "consent_id": consent_id,
            "subject": subject,
            "document": document,
            "right": right,
            "requester": requester,
            "excluded": list(excluded),
            "expires_at": instant(expires_at),
            "rules": RULES,
        }
    )


def missing(request: ConsentRequest, state: ConsentState) -> tuple[str, ...]:
    """Places that the signatures so far leave empty, in words."""
    voters = {vote.actor.subject: vote.actor.roles for vote in state.votes if vote.kind == "approve"}
    return request.right.missing(voters)


def have(request: ConsentRequest, state: ConsentState) -> int:
    """How many of the places are filled."""
    return len(request.right.slots()) - len(missing(request, state))


def check(request: ConsentRequest, state: ConsentState, decision: Decision, now: datetime) -> None:
    """Raise Refused unless `decision` counts at `now`. Changes nothing and does no I/O."""
    ballot.refuse_unfit(request, decision, state.used)
    if state.closed:
        raise Refused(
            Refusal.expired if state.status is ConsentStatus.lapsed else Refusal.already_decided,
            f"this request is already {state.status.value}: {state.because}",
            "Nothing is needed from you.",
        )
    refuse_ended_delegation(request, decision.actor, now)
    if not request.ratifies:
        ballot.refuse_late(request.expires_at, now)
    ballot.refuse_stale(request, decision)
    if decision.kind is DecisionKind.retract:
        if not own_votes(request, state, decision.actor):
            raise Refused(Refusal.wrong_state, "you have not signed this request.", "Sign or reject it.")
        return
    if decision.kind not in (request.approving, DecisionKind.reject):
        raise Refused(
            Refusal.wrong_state,
            f"{decision.kind.value} does not apply to this request.",
            f"Use {request.approving.value}, reject or retract.",
        )
    refuse_ineligible(request, state, decision, now)
    ballot.refuse_short(decision)
    if request.ratifies:
        break_glass.ratify(_case(request, state), decision, request.right, request.directory)
    elif decision.kind is not DecisionKind.reject:  # saying no stays possible without a second factor
        refuse_weak(decision, request.signature_class)


def apply(request: ConsentRequest, state: ConsentState, decision: Decision, now: datetime) -> ConsentState:
    """The state after a decision that `check` accepted. Raises Refused exactly as `check` does."""
    check(request, state, decision, now)
    state = state.model_copy(update={"used": (*state.used, decision.decision_id)})
    if decision.kind is DecisionKind.retract:
        struck = own_votes(request, state, decision.actor)
        return state.model_copy(update={"votes": tuple(vote for vote in state.votes if vote not in struck)})
    vote = Vote(
        decision_id=decision.decision_id,
        kind="reject" if decision.kind is DecisionKind.reject else "approve",
        actor=decision.actor,
        reason=decision.reason.strip(),
        channel=decision.channel,
        at=now,
    )
    state = state.model_copy(update={"votes": (*state.votes, vote)})
    if vote.kind == "reject":
        return _close(state, ConsentStatus.refused, f"refused by {vote.actor.printed_name}", now)
    if _complete(request, state, now):
        people = " and ".join(vote.actor.printed_name for vote in state.votes)
        return _close(state, ConsentStatus.given, f"signed by {people}", now)
    return state


def lapse(request: ConsentRequest, state: ConsentState, now: datetime) -> ConsentState:
    """Lapsed if `now` has reached the time limit (equality is expiry), else unchanged. A ratification never lapses."""
    if state.closed or request.ratifies or now < request.expires_at:
        return state
    signed = f"{have(request, state)} of {len(request.right.slots())} people signed"
    return _close(state, ConsentStatus.lapsed, f"not enough people decided in time ({signed})", now)


def take_back(request: ConsentRequest, state: ConsentState, because: str, now: datetime) -> ConsentState:
    """Refused, because whoever asked does not ask any more; unchanged when it is over, or a ratification."""
    if state.closed or request.ratifies:
        return state
    return _close(state, ConsentStatus.refused, because, now)


def reminders(request: ConsentRequest, state: ConsentState, now: datetime) -> int:
    """How often people must have been told by `now` that a ratification is overdue: when it is due, then daily."""
    if state.closed or not request.ratifies:
        return 0
    return break_glass.escalations(_case(request, state), request.right, request.directory, now)


def next_wake(request: ConsentRequest, reminded: int) -> datetime:
    """When to look again if nobody decides: the time limit, or the next day after `reminded` reminders."""
    return request.expires_at + timedelta(days=reminded) if request.ratifies else request.expires_at


def _complete(request: ConsentRequest, state: ConsentState, now: datetime) -> bool:
    if request.ratifies:
        return break_glass.outcome(_case(request, state), request.right, request.directory, now) == "ratified"
    return not missing(request, state)


def _case(request: ConsentRequest, state: ConsentState) -> Ratification:
    """The same votes as break-glass counts them: who votes with lent roles stands as the one who lent them."""
    case = Ratification(
        used_by=request.excluded[0],
        used_at=request.opened_at,
        environment=request.environment,
        due=request.expires_at,
    )
    for vote in state.votes:
        by = vote.actor.delegated_by
        person = request.directory.principal_of(by.subject if by else vote.actor.subject)
        case = case.model_copy(update={"ratified_by": {**case.ratified_by, person: vote.actor.roles}})
    return case


def _close(state: ConsentState, status: ConsentStatus, because: str, now: datetime) -> ConsentState:
    return state.model_copy(update={"status": status, "because": because, "closed_at": now})

"""What every signed vote is checked for, whatever is asked: signature, addressee, person, digest, reason."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from countermand.canonical import instant
from countermand.governance.decision import Decision, GatewayKeys, Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory

MIN_REASON = 10


class Ballot(Protocol):
    """A request that people vote on. `involves` says in words what its requester and excluded people did."""

    @property
    def ask_id(self) -> str: ...
    @property
    def incident_id(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def approval_digest(self) -> str: ...
    @property
    def requester(self) -> str: ...
    @property
    def excluded(self) -> tuple[str, ...]: ...
    @property
    def involves(self) -> str: ...
    @property
    def voting_roles(self) -> tuple[str, ...]: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def keys(self) -> GatewayKeys: ...
    @property
    def scope(self) -> Scope | None: ...


def refuse_unfit(ballot: Ballot, decision: Decision, used: Collection[str]) -> None:
    """Raise Refused unless a person signed this for exactly this request, and it was not counted before."""
    ballot.keys.verify(decision)
    meant = (decision.addressed_to, decision.ask_id, decision.incident_id)
    if meant != (ballot.workflow_id, ballot.ask_id, ballot.incident_id):
        raise Refused(Refusal.unknown_ask, f"this decision is for {decision.ask_id!r}.", f"This is {ballot.ask_id!r}.")
    if decision.actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if ballot.directory.is_excluded(decision.actor.subject):
        raise Refused(
            Refusal.external_account,
            f"the account {decision.actor.subject!r} may not take part in decisions.",
            "Sign in with your own account of this organisation.",
        )
    if decision.decision_id in used:
        raise Refused(Refusal.already_voted, "this decision was counted before.", "Decide anew if you mean it again.")


def refuse_late(until: datetime, now: datetime) -> None:
    """Raise Refused at the time limit and after it: equality is expiry (GOV-13)."""
    if now >= until:
        raise Refused(
            Refusal.expired,
            f"the time limit was {instant(until)}, your decision arrived at {instant(now)}.",
            "Ask again from the incident page.",
        )


def refuse_stale(ballot: Ballot, decision: Decision) -> None:
    """Raise Refused unless the vote is for what is asked now (GOV-8)."""
    if decision.approval_digest != ballot.approval_digest:
        raise Refused(
            Refusal.stale,
            f"you decided on {_short(decision.approval_digest)}, the request is now {_short(ballot.approval_digest)}.",
            "Reload, read what changed, and decide again.",
        )


def refuse_short(decision: Decision) -> None:
    """Raise Refused unless the decision says why."""
    if len(decision.reason.strip()) < MIN_REASON:
        raise Refused(
            Refusal.reason_too_short,
            f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
            "Say in a sentence why; it stands in the record.",
        )


def _short(text: str | None) -> str:
    return text.removeprefix("sha256:")[:12] if text else "nothing"

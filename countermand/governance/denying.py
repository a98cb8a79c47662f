"""Denying a version: one person, at once, because it can only narrow (GOV-44)."""

from __future__ import annotations

from typing import Self

from pydantic import AwareDatetime, ValidationError, model_validator

from countermand.canonical import digest, instant
from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.governance.signature import refuse_weak
from countermand.ledger.bodies import VersionDenied
from countermand.plan.target import Value


class Denial(Value):
    """Which version may not be used where, and from when until when. None: from the decision on, and without end."""

    digest: str
    environment: str
    not_before: AwareDatetime | None = None
    not_after: AwareDatetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.not_before and self.not_after and self.not_after <= self.not_before:
            raise ValueError(
                f"not_after: {instant(self.not_after)!r} is not accepted; write an instant after not_before"
            )
        return self

    @property
    def terms(self) -> dict[str, str]:
        """As a decision carries it."""
        dates = {"not_before": self.not_before, "not_after": self.not_after}
        said = {name: instant(at) for name, at in dates.items() if at is not None}
        return {"digest": self.digest, "environment": self.environment, **said}


def denial_digest(version: str, environment: str) -> str:
    """What a second factor confirms for the denial of this version."""
    return digest({"deny_version": version, "environment": environment})


def denial(decision: Decision) -> Denial:
    """What a `deny_version` decision says. Raises Refused when its terms name no version."""
    try:
        return Denial.model_validate(decision.terms)
    except ValidationError as error:
        raise Refused(
            Refusal.wrong_state, f"the terms {decision.terms!r} name no denial.", "Name a digest and an environment."
        ) from error


def check(decision: Decision, directory: Directory, right: Right) -> None:
    """Raise Refused unless this person may deny a version now. The caller has signed the decision for them.

    right: the row `deny_version` of the table in force.
    """
    actor, said = decision.actor, denial(decision)
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not set(right.roles) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*right.roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"denying a version needs {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    refuse_short(decision)
    if right.signature is not None:
        refuse_weak(decision, right.signature)
    if decision.approval_digest != denial_digest(said.digest, said.environment):
        raise Refused(Refusal.stale, "what was confirmed is not this denial.", "Confirm it again.")


def denied(decision: Decision) -> VersionDenied:
    """The record of a denial that `check` accepted. Raises Refused."""
    said = denial(decision)
    return VersionDenied(
        digest=said.digest,
        environment=said.environment,
        decision_id=decision.decision_id,
        subject=decision.actor.subject,
        name=decision.actor.printed_name,
        reason=decision.reason,
        not_before=said.not_before or decision.decided_at,
        not_after=said.not_after,
    )

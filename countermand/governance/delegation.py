"""A Delegation: one person lends their roles to another, for a scope and a time (GOV-20)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from countermand.canonical import instant
from countermand.plan.target import Value
from countermand.playbook.terms import Faults, Name, Severity, Strict, Text

Subject = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:/_-]+\|[A-Za-z0-9._@|:+=-]+$")]
Listed = Literal["any"] | Annotated[tuple[str, ...], Field(min_length=1)]

LONGEST = timedelta(days=14)
#: The role for emergencies is lent to nobody.
NEVER = "break_glass"


class Scope(Value):
    """What is decided on, as far as delegations ask."""

    release: str
    environment: str
    severity: Severity


class Delegation(Strict):
    """Written by people in the governance file. What it covers is said in full; there is no default scope."""

    id: Name
    delegator: Subject
    delegate: Subject
    roles: Annotated[tuple[Name, ...], Field(min_length=1)]
    releases: Listed
    environments: Listed
    severities: Literal["any"] | Annotated[tuple[Severity, ...], Field(min_length=1)]
    granted_at: AwareDatetime
    not_before: AwareDatetime
    not_after: AwareDatetime
    revoked_at: AwareDatetime | None = None
    reason: Text

    @model_validator(mode="after")
    def _lawful(self) -> Self:
        faults = Faults()
        if self.delegate == self.delegator:
            faults.add(f"{self.delegate!r} cannot delegate to themselves; name another person", "delegate")
        if NEVER in self.roles:
            faults.add(f"{NEVER!r} cannot be delegated; give the role to a second person", "roles")
        if self.not_before < self.granted_at:
            faults.add(
                f"{instant(self.not_before)!r} is before the delegation was granted ({instant(self.granted_at)}); "
                "a delegation never works backwards",
                "not_before",
            )
        if not self.not_before < self.not_after <= self.not_before + LONGEST:
            faults.add(
                f"{instant(self.not_after)!r} is not accepted; write an instant after `not_before`, "
                f"at most {LONGEST.days} days later",
                "not_after",
            )
        faults.refuse()
        return self

    @property
    def ends(self) -> datetime:
        """The first instant at which it gives nothing any more."""
        return min(self.not_after, self.revoked_at or self.not_after)

    def covers(self, scope: Scope) -> bool:
        """Whether the scope lies inside."""
        return (
            (self.releases == "any" or scope.release in self.releases)
            and (self.environments == "any" or scope.environment in self.environments)
            and (self.severities == "any" or scope.severity in self.severities)
        )

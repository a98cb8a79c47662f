"""Who holds which role, and which roles may do what: organisation data (GOV-3, GOV-6), never constants in code."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.plan.target import Value
from countermand.playbook.model import Name, Playbook, Strict

Subject = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.:/_-]+\|[A-Za-z0-9._@-]+$")]

#: Acts whose permitted roles come from the governance file; votes come from the playbook's quorum instead.
GOVERNED = frozenset(
    {
        DecisionKind.withdraw,
        DecisionKind.hold,
        DecisionKind.resume,
        DecisionKind.abort,
        DecisionKind.reverse,
        DecisionKind.ask_again,
    }
)


class Member(Strict):
    """One person: subject as `issuer|id`, printed name, roles."""

    subject: Subject
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80)]
    roles: Annotated[tuple[Name, ...], Field(min_length=1)]


class Governance(Strict):
    """The governance file `countermand.governance/v1`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["countermand.governance/v1"] = Field(alias="schema")
    people: Annotated[tuple[Member, ...], Field(min_length=2)]
    rights: dict[DecisionKind, Annotated[tuple[Name, ...], Field(min_length=1)]]

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        subjects = [person.subject for person in self.people]
        if len(subjects) != len(set(subjects)):
            raise ValueError("a subject is listed twice; one entry per person with all their roles")
        missing = sorted(kind.value for kind in GOVERNED - self.rights.keys())
        if missing:
            raise ValueError(f"rights: no role may do {', '.join(missing)}; name at least one role for each")
        for kind, roles in self.rights.items():
            if kind not in GOVERNED:
                raise ValueError(f"rights.{kind}: this is governed by the playbook's quorum, not here")
            if not any(set(person.roles) & set(roles) for person in self.people):
                raise ValueError(f"rights.{kind}: nobody holds {' or '.join(roles)}")
        return self


class Directory(Value):
    """A snapshot of the governance data; its digest is pinned in every Plan."""

    governance: Governance
    digest: str
    source: str
    as_of: datetime

    def roles_of(self, subject: str) -> tuple[str, ...]:
        return next((person.roles for person in self.governance.people if person.subject == subject), ())

    def name_of(self, subject: str) -> str:
        return next((person.name for person in self.governance.people if person.subject == subject), subject)

    def holders(self, *roles: str) -> tuple[Member, ...]:
        """People who hold at least one of the roles."""
        return tuple(person for person in self.governance.people if set(roles) & set(person.roles))

    def permit(self, kind: DecisionKind, roles: tuple[str, ...]) -> None:
        """Raise Refused(not_your_role) unless one of `roles` may do `kind`."""
        allowed = self.governance.rights.get(kind, ())
        if not set(allowed) & set(roles):
            people = ", ".join(person.name for person in self.holders(*allowed)) or "nobody"
            raise Refused(
                Refusal.not_your_role,
                f"{kind.value} needs the role {' or '.join(allowed)}; you hold {', '.join(roles) or 'no role'}.",
                f"Ask one of: {people}.",
            )


def unattainable(playbook: Playbook, directory: Directory) -> list[str]:
    """Quorums of the playbook that the people in the directory cannot reach (GOV-6); empty when all can."""
    problems = []
    quorums = [(f"approvals.{severity}", policy.quorum) for severity, policy in playbook.approvals.items()]
    for where, quorum in [*quorums, ("review.sign_off", playbook.review.sign_off)]:
        for slot in quorum.roles:
            holders = len(directory.holders(slot.role))
            if holders < slot.min:
                problems.append(f"{where}: needs {slot.min} × {slot.role}, the directory has {holders}")
        people = len(directory.holders(*(slot.role for slot in quorum.roles)))
        if people < quorum.distinct_people:
            problems.append(f"{where}: needs {quorum.distinct_people} different people, the directory has {people}")
    return problems

"""Who holds which role, and which roles may do what: organisation data (GOV-3, GOV-6), never constants in code."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.delegation import Delegation, Subject
from countermand.governance.limits import Limits
from countermand.governance.rights import Right, unreachable
from countermand.plan.target import Value
from countermand.playbook.model import Name, Playbook, Strict
from countermand.playbook.terms import repeated

__all__ = ["GOVERNED", "Directory", "Governance", "Member", "Subject", "unattainable"]

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
    """One person: subject as `issuer|id`, other accounts of the same person, printed name, roles."""

    subject: Subject
    linked: tuple[Subject, ...] = ()
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80)]
    roles: Annotated[tuple[Name, ...], Field(min_length=1)]


class Governance(Strict):
    """The governance file `countermand.governance/v1`.

    `actions` replaces rows of the shipped table of rights; `excluded` lists accounts that may never take part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["countermand.governance/v1"] = Field(alias="schema")
    people: Annotated[tuple[Member, ...], Field(min_length=2)]
    rights: dict[DecisionKind, Annotated[tuple[Name, ...], Field(min_length=1)]]
    actions: tuple[Right, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    excluded: tuple[Subject, ...] = ()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        accounts = [account for person in self.people for account in (person.subject, *person.linked)]
        if repeated(accounts):
            raise ValueError("a subject is listed twice; one entry per person with all their roles")
        ids = [delegation.id for delegation in self.delegations]
        for place in repeated(ids):
            raise ValueError(f"delegations: the id {ids[place]!r} is used twice; every delegation has its own")
        holders = {person.subject: person.roles for person in self.people if person.subject not in self.excluded}
        for row in self.actions:
            if lacking := unreachable(row, holders):
                raise ValueError(f"actions: nobody is left to {row.does}; missing: {', '.join(lacking)}")
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

    def person(self, subject: str) -> Member | None:
        """The person behind an account; None for an account that is unknown or excluded."""
        found = next((one for one in self.governance.people if subject in (one.subject, *one.linked)), None)
        return None if found is None or {subject, found.subject} & set(self.governance.excluded) else found

    def principal_of(self, subject: str) -> str:
        """The subject under which an account's person is counted (GOV-19); an unknown account is its own."""
        people = self.governance.people
        return next((one.subject for one in people if subject in (one.subject, *one.linked)), subject)

    def is_excluded(self, subject: str) -> bool:
        """Whether the account, or its person, may never take part (GOV-1)."""
        return bool({subject, self.principal_of(subject)} & set(self.governance.excluded))

    def roles_of(self, subject: str) -> tuple[str, ...]:
        person = self.person(subject)
        return person.roles if person else ()

    def name_of(self, subject: str) -> str:
        person = self.person(subject)
        return person.name if person else subject

    def holders(self, *roles: str) -> tuple[Member, ...]:
        """People who hold at least one of the roles, excluded ones left out."""
        return tuple(
            person
            for person in self.governance.people
            if set(roles) & set(person.roles) and not self.is_excluded(person.subject)
        )

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

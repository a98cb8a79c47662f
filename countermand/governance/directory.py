"""Who holds which role, and which roles may do what: organisation data (GOV-3, GOV-6), never constants in code."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.delegation import Delegation, Subject
from countermand.governance.limits import Limits
from countermand.governance.rights import Right, unreachable
from countermand.governance.sources import LastKnown, Membership, RoleSource
from countermand.governance.working_time import WorkingTime
from countermand.plan.target import Value
from countermand.playbook.model import Name, Playbook, Strict
from countermand.playbook.terms import repeated

__all__ = ["GOVERNED", "Directory", "Governance", "Member", "Subject", "unattainable", "unheld"]

#: Acts whose permitted roles come from the governance file; votes come from the playbook's quorum instead.
GOVERNED = frozenset(
    {
        DecisionKind.withdraw,
        DecisionKind.hold,
        DecisionKind.resume,
        DecisionKind.abort,
        DecisionKind.reverse,
        DecisionKind.ask_again,
        DecisionKind.proceed_incomplete,
    }
)
#: Acts that nobody may do where the governance file names no role for them.
OPTIONAL = frozenset({DecisionKind.proceed_incomplete})


class Member(Strict):
    """One person: subject as `issuer|id`, other accounts of the same person, printed name, roles.

    In the governance file `roles` are those that no other source gives; `Directory.person` adds those.
    """

    subject: Subject
    linked: tuple[Subject, ...] = ()
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=80)]
    roles: tuple[Name, ...] = ()

    @property
    def accounts(self) -> tuple[Subject, ...]:
        return self.subject, *self.linked


class PlaybookRules(Strict):
    """Whether a playbook has to be adopted by people before a release may name it; only `open` does without."""

    adoption: Literal["required", "open"] = "required"


class Governance(Strict):
    """The governance file `countermand.governance/v1`.

    `actions` replaces rows of the shipped table of rights; `excluded` lists accounts that may never take part.
    `sources` names, by role, where its members come from when it is not this file; `last_known` how old they may be
    while that source does not answer.
    `working_time`: days and hours in which what is not urgent waits for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["countermand.governance/v1"] = Field(alias="schema")
    people: Annotated[tuple[Member, ...], Field(min_length=2)]
    rights: dict[DecisionKind, Annotated[tuple[Name, ...], Field(min_length=1)]]
    actions: tuple[Right, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    excluded: tuple[Subject, ...] = ()
    limits: Limits = Limits()
    playbooks: PlaybookRules = PlaybookRules()
    sources: dict[Name, RoleSource] = Field(default_factory=dict)
    last_known: LastKnown | None = None
    working_time: WorkingTime = WorkingTime(time_zone="UTC")

    @model_validator(mode="after")
    def _attainable(self) -> Self:
        accounts = [account for person in self.people for account in person.accounts]
        if repeated(accounts):
            raise ValueError("a subject is listed twice; one entry per person with all their roles")
        ids = [delegation.id for delegation in self.delegations]
        for place in repeated(ids):
            raise ValueError(f"delegations: the id {ids[place]!r} is used twice; every delegation has its own")
        self._one_source()
        # Who a source names is known when it is read: here anybody might be (`unheld` looks again with its members).
        holders = {
            person.subject: (*person.roles, *self.sources)
            for person in self.people
            if person.subject not in self.excluded
        }
        for row in self.actions:
            if lacking := unreachable(row, holders):
                raise ValueError(f"actions: nobody is left to {row.does}; missing: {', '.join(lacking)}")
        missing = sorted(kind.value for kind in GOVERNED - OPTIONAL - self.rights.keys())
        if missing:
            raise ValueError(f"rights: no role may do {', '.join(missing)}; name at least one role for each")
        for kind, roles in self.rights.items():
            if kind not in GOVERNED:
                raise ValueError(f"rights.{kind}: this is governed by the playbook's quorum, not here")
            if not any({*person.roles, *self.sources} & set(roles) for person in self.people):
                raise ValueError(f"rights.{kind}: nobody holds {' or '.join(roles)}")
        return self

    def _one_source(self) -> None:
        """Raise ValueError when a role has two sources, or a person none (GOV-3)."""
        for person in self.people:
            for role in person.roles:
                if role in self.sources:
                    raise ValueError(
                        f"people: {person.subject!r} has the role {role!r}, whose members come from "
                        f"{self.sources[role]}; a role has one source, take it away here or under `sources`"
                    )
            if not person.roles and not self.sources:
                raise ValueError(f"people: {person.subject!r} has no role; name at least one under `roles`")


class Directory(Value):
    """A snapshot of the governance data and of who its sources name; its digest is pinned in every Plan.

    `source` and `as_of` are the governance file's; `memberships` has one entry for each role under `sources`.
    """

    governance: Governance
    digest: str
    source: str
    as_of: datetime
    memberships: tuple[Membership, ...] = ()

    def person(self, subject: str) -> Member | None:
        """The person behind an account with all their roles; None for an account that is unknown or excluded."""
        found = next((one for one in self.governance.people if subject in one.accounts), None)
        return None if found is None or {subject, found.subject} & set(self.governance.excluded) else self._whole(found)

    def principal_of(self, subject: str) -> str:
        """The subject under which an account's person is counted (GOV-19); an unknown account is its own."""
        people = self.governance.people
        return next((one.subject for one in people if subject in one.accounts), subject)

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
            for person in map(self._whole, self.governance.people)
            if set(roles) & set(person.roles) and not self.is_excluded(person.subject)
        )

    def provenance(self, subject: str, roles: Collection[str], at: datetime) -> tuple[str, datetime]:
        """Which sources give these roles to a person, and as of when the oldest of them says so."""
        person = self.person(subject)
        if person is None:
            return self.source, self.as_of
        found: dict[str, datetime] = {}
        for one in self.memberships:
            since = one.since(person.accounts)
            if since is not None and one.role in roles:
                words = one.printed(at)
                found[words] = min(since, found.get(words, since))
        if not found or not {one.role for one in self.memberships} >= set(roles):
            found = {self.source: self.as_of, **found}
        return "; ".join(found), min(found.values())

    def refuse_unknown(self, wanted: Collection[str]) -> None:
        """Raise Refused(directory_unavailable) when nobody can say now who holds one of these roles (GOV-5)."""
        for one in self.memberships:
            if one.unavailable and one.role in wanted:
                raise Refused(
                    Refusal.directory_unavailable,
                    f"who holds the role {one.role} is not known now: {one.source}: {one.unavailable}.",
                    "Nothing was done. Try again when it answers; roles of other sources still count.",
                )

    def _whole(self, person: Member) -> Member:
        given = tuple(one.role for one in self.memberships if one.since(person.accounts) is not None)
        return person.model_copy(update={"roles": (*person.roles, *given)}) if given else person

    def permit(self, kind: DecisionKind, roles: tuple[str, ...]) -> None:
        """Raise Refused(not_your_role) unless one of `roles` may do `kind`."""
        allowed = self.governance.rights.get(kind, ())
        if not allowed:
            raise Refused(
                Refusal.not_your_role,
                f"{kind.value} is open to nobody: the governance file names no role for it.",
                f"Name roles in the governance file, under `rights.{kind.value}`, or decide something else.",
            )
        if not set(allowed) & set(roles):
            people = ", ".join(person.name for person in self.holders(*allowed)) or "nobody"
            raise Refused(
                Refusal.not_your_role,
                f"{kind.value} needs the role {' or '.join(allowed)}; you hold {', '.join(roles) or 'no role'}.",
                f"Ask one of: {people}.",
            )


def unheld(directory: Directory) -> list[str]:
    """What nobody can do as the sources of roles stand now; empty when everything has its people (GOV-6)."""
    problems = []
    for one in directory.memberships:
        if one.unavailable:
            problems.append(f"role {one.role}: {one.source}: {one.unavailable}")
        elif not directory.holders(one.role):
            left_out = f" ({'; '.join(one.left_out)})" if one.left_out else ""
            problems.append(f"role {one.role}: {one.source} names nobody who is among the people{left_out}")
    holders = {person.subject: directory.roles_of(person.subject) for person in directory.governance.people}
    for row in directory.governance.actions:
        if lacking := unreachable(row, holders):
            problems.append(f"actions: nobody is left to {row.does}; missing: {', '.join(lacking)}")
    for kind, roles in directory.governance.rights.items():
        if not directory.holders(*roles):
            problems.append(f"rights.{kind}: nobody holds {' or '.join(roles)}")
    return problems


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
    roles = directory.governance.rights.get(DecisionKind.proceed_incomplete, ())
    if playbook.evidence_freeze.if_incomplete == "ask" and not directory.holders(*roles):
        problems.append("evidence_freeze.if_incomplete: nobody may proceed_incomplete; name roles under `rights`")
    return problems

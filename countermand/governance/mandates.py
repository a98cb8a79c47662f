"""With which roles does a person act here and now: their own, or lent ones (GOV-19…21)?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from countermand.canonical import instant
from countermand.governance.decision import Actor, DelegatedBy, Refusal, Refused
from countermand.governance.delegation import Delegation, Scope
from countermand.governance.directory import Directory
from countermand.plan.target import Value


class HeldRole(Value):
    """One role that somebody may act with; `delegated_by` is None when it is their own."""

    role: str
    delegated_by: DelegatedBy | None


def powerless(delegation: Delegation, directory: Directory, at: datetime) -> tuple[str, ...]:
    """Why a delegation gives nothing at `at`, in words; empty when it gives at least one role.

    Only the delegator's own roles can be lent, so a lent role cannot be lent on.
    """
    reasons = []
    if at < delegation.not_before:
        reasons.append(f"it begins at {instant(delegation.not_before)}")
    if at >= delegation.ends:
        reasons.append(f"it ended at {instant(delegation.ends)}")
    for part, subject in (("delegator", delegation.delegator), ("delegate", delegation.delegate)):
        if directory.person(subject) is None:
            reasons.append(f"the {part} {subject!r} is not among the people of the governance file, or is excluded")
    if directory.principal_of(delegation.delegator) == directory.principal_of(delegation.delegate):
        reasons.append("delegator and delegate are accounts of one person")
    if not lent(delegation, directory):
        reasons.append(f"{delegation.delegator!r} does not hold {' or '.join(delegation.roles)} in their own right")
    return tuple(reasons)


def lent(delegation: Delegation, directory: Directory) -> tuple[str, ...]:
    """The roles of the delegation that its delegator holds in their own right."""
    own = directory.roles_of(delegation.delegator)
    return tuple(role for role in delegation.roles if role in own)


def in_force(directory: Directory, subject: str, scope: Scope, at: datetime) -> tuple[Delegation, ...]:
    """Delegations to this person that give a role for this scope at this instant, by id."""
    person = directory.principal_of(subject)
    return tuple(
        delegation
        for delegation in sorted(directory.governance.delegations, key=lambda one: one.id)
        if directory.principal_of(delegation.delegate) == person
        and delegation.covers(scope)
        and not powerless(delegation, directory, at)
    )


def effective_roles(directory: Directory, subject: str, scope: Scope, at: datetime) -> tuple[HeldRole, ...]:
    """All roles the person may act with: own ones first, then lent ones by delegation id."""
    own = [HeldRole(role=role, delegated_by=None) for role in directory.roles_of(subject)]
    borrowed = [
        HeldRole(role=role, delegated_by=_by(delegation, directory))
        for delegation in in_force(directory, subject, scope, at)
        for role in lent(delegation, directory)
    ]
    return (*own, *borrowed)


def delegators_of(directory: Directory, subject: str, scope: Scope, at: datetime) -> frozenset[str]:
    """People for whom this person may act now; they count as one person where eyes are counted (GOV-19)."""
    return frozenset(
        directory.principal_of(delegation.delegator) for delegation in in_force(directory, subject, scope, at)
    )


def actor(directory: Directory, subject: str, wanted: Collection[str], scope: Scope, at: datetime) -> Actor:
    """The actor of a decision that needs one of the `wanted` roles, for the gateway to sign.

    Own roles come first; a lent role is used only by somebody who has none of the wanted ones. Raises
    Refused(external_account) for an excluded account, Refused(directory_unavailable) for somebody without a wanted
    role while it is not known who holds one of them; else the actor without any has their own roles, and the rule
    that asks refuses them.
    """
    if directory.is_excluded(subject):
        raise Refused(
            Refusal.external_account,
            f"the account {subject!r} may not take part in decisions.",
            "Sign in with your own account of this organisation.",
        )
    by: DelegatedBy | None = None
    roles = directory.roles_of(subject)
    if not set(wanted) & set(roles):
        for delegation in in_force(directory, subject, scope, at):
            borrowed = lent(delegation, directory)
            if set(wanted) & set(borrowed):
                roles, by = borrowed, _by(delegation, directory)
                break
        else:
            directory.refuse_unknown(wanted)
    source, as_of = directory.provenance(by.subject if by else subject, roles, at)
    return Actor(
        subject=directory.principal_of(subject),
        printed_name=directory.name_of(subject),
        principal="person",
        roles=roles,
        role_source=source,
        role_as_of=as_of,
        delegated_by=by,
    )


def ended_between(
    before: Directory, after: Directory, since: datetime, until: datetime, scope: Scope
) -> tuple[Delegation, ...]:
    """Delegations that gave a role at `since` as `before` says, and give none of them at `until` as `after` says.

    Votes cast under them are stale (GOV-21), whether they ran out, were revoked, were taken from the file, or the
    delegator lost the role.
    """
    now = {delegation.id: delegation for delegation in after.governance.delegations}
    return tuple(
        delegation
        for delegation in before.governance.delegations
        if delegation.covers(scope)
        and not powerless(delegation, before, since)
        and not (
            (later := now.get(delegation.id)) is not None
            and (later.delegator, later.delegate) == (delegation.delegator, delegation.delegate)
            and later.covers(scope)
            and not powerless(later, after, until)
        )
    )


def _by(delegation: Delegation, directory: Directory) -> DelegatedBy:
    return DelegatedBy(
        delegation_id=delegation.id,
        subject=directory.principal_of(delegation.delegator),
        name=directory.name_of(delegation.delegator),
        not_after=delegation.ends,
    )

"""Who may vote on an ask: role, four eyes, one vote per person (GOV-15, 17, 19), each refusal in words."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from countermand.canonical import instant
from countermand.governance.ask import Vote
from countermand.governance.ballot import Ballot
from countermand.governance.decision import Actor, Decision, Refusal, Refused
from countermand.governance.mandates import delegators_of


class Voted(Protocol):
    """Votes that count so far."""

    @property
    def votes(self) -> tuple[Vote, ...]: ...


def counts_as(ask: Ballot, actor: Actor) -> frozenset[str]:
    """The people an actor is counted as: themselves, and the one whose roles they act with."""
    people = {ask.directory.principal_of(actor.subject)}
    if actor.delegated_by is not None:
        people.add(ask.directory.principal_of(actor.delegated_by.subject))
    return frozenset(people)


def vote_of(ask: Ballot, state: Voted, actor: Actor) -> Vote | None:
    """The counted vote of the same person, or of somebody who acts for them or for whom they act."""
    people = counts_as(ask, actor)
    return next((vote for vote in state.votes if people & counts_as(ask, vote.actor)), None)


def own_votes(ask: Ballot, state: Voted, actor: Actor) -> tuple[Vote, ...]:
    """The counted votes that this person can take back: their own, whatever account they used."""
    person = ask.directory.principal_of(actor.subject)
    return tuple(vote for vote in state.votes if ask.directory.principal_of(vote.actor.subject) == person)


def refuse_ineligible(ask: Ballot, state: Voted, decision: Decision, now: datetime) -> None:
    """Raise Refused unless this person may cast an approving or rejecting vote now."""
    actor = decision.actor
    _refuse_own_request(ask, actor, now)
    wanted = ask.voting_roles
    if not set(wanted) & set(actor.roles):
        people = ", ".join(person.name for person in ask.directory.holders(*wanted)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this decision needs {' or '.join(wanted)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Asked are: {people}.",
        )
    voted = vote_of(ask, state, actor)
    if voted is None:
        return
    if ask.directory.principal_of(voted.actor.subject) != ask.directory.principal_of(actor.subject):
        raise Refused(
            Refusal.already_voted,
            f"{voted.actor.printed_name} already voted {voted.kind} and counts as one person with you, "
            "because one of you acts for the other.",
            f"If that is wrong, {voted.actor.printed_name} can retract.",
        )
    raise Refused(
        Refusal.already_voted,
        f"you already voted {voted.kind} at {instant(voted.at)}; one person counts once.",
        "Retract your vote first if you changed your mind.",
    )


def refuse_ended_delegation(ask: Ballot, actor: Actor, now: datetime) -> None:
    """Raise Refused unless the roles are the actor's own, or lent at `now`."""
    by = actor.delegated_by
    if by is None:
        return
    if ask.scope is None:
        raise Refused(
            Refusal.not_your_role,
            f"this request takes no lent roles, and yours are lent by {by.name}.",
            f"Ask {by.name} to decide.",
        )
    if now >= by.not_after:
        raise Refused(
            Refusal.delegation_ended,
            f"the delegation {by.delegation_id!r} of {by.name} ended at {instant(by.not_after)}.",
            f"Ask {by.name} to decide, or to delegate anew.",
        )


def _refuse_own_request(ask: Ballot, actor: Actor, now: datetime) -> None:
    involved = {ask.directory.principal_of(subject) for subject in (ask.requester, *ask.excluded)}
    lenders = delegators_of(ask.directory, actor.subject, ask.scope, now) if ask.scope else frozenset[str]()
    people = counts_as(ask, actor)
    if people & involved or actor.subject in (ask.requester, *ask.excluded):
        detail = f"you {ask.involves}; somebody else has to decide."
        if ask.directory.principal_of(actor.subject) not in involved and actor.delegated_by is not None:
            detail = f"{actor.delegated_by.name}, for whom you act, {ask.involves}."
        raise Refused(Refusal.four_eyes, detail, "Tell another person who is asked.")
    if lenders & involved:
        raise Refused(
            Refusal.four_eyes,
            f"somebody who delegated to you {ask.involves}.",
            "Tell another person who is asked.",
        )

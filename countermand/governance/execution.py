"""Does an approval still carry an effect? Asked before the first stage, or before each (GOV-4, 10, 21)."""

from __future__ import annotations

from datetime import datetime

from countermand.governance.ask import ApprovalState, ApprovalStatus, Ask, Vote
from countermand.governance.decision import Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.mandates import in_force, lent
from countermand.governance.quorum import QuorumState, quorum_state


def roles_now(ask: Ask, vote: Vote, directory: Directory, at: datetime) -> tuple[str, ...]:
    """The roles a vote rests on, as far as the directory still gives them at `at`; empty when none is left."""
    by = vote.actor.delegated_by
    if by is None:
        return directory.roles_of(vote.actor.subject)
    if ask.scope is None:
        return ()
    running = in_force(directory, vote.actor.subject, ask.scope, at)
    found = next((one for one in running if one.id == by.delegation_id), None)
    if found is None or directory.principal_of(found.delegator) != directory.principal_of(by.subject):
        return ()
    return lent(found, directory)


def quorum_now(ask: Ask, state: ApprovalState, directory: Directory, at: datetime) -> QuorumState:
    """The quorum that the approving votes reach with today's roles and delegations."""
    involved = {directory.principal_of(subject) for subject in (ask.requester, *ask.excluded)}
    voters = {}
    for vote in state.votes:
        person = directory.principal_of(vote.actor.subject)
        if vote.kind == "approve" and person not in involved:
            voters[person] = roles_now(ask, vote, directory, at)
    return quorum_state(ask.policy.quorum, voters)


def stale_votes(ask: Ask, state: ApprovalState, directory: Directory, at: datetime) -> tuple[Vote, ...]:
    """Approving votes whose roles are gone: the person left, lost the role, or the delegation ended (GOV-21)."""
    wanted = set(ask.voting_roles)
    return tuple(
        vote for vote in state.votes if vote.kind == "approve" and not wanted & set(roles_now(ask, vote, directory, at))
    )


def recheck(ask: Ask, state: ApprovalState, plan_digest: str, directory: Directory, at: datetime) -> ApprovalState:
    """The state as it is, or `stale` because the plan is another one or the roles behind the votes are gone.

    An open ask is stale as soon as one of its votes is; an approved one when its quorum no longer holds. A closed
    ask that was not approved, and an approval that was used, stay as they are.
    """
    if state.consumed_at is not None or state.status not in (ApprovalStatus.pending, ApprovalStatus.approved):
        return state
    if plan_digest != ask.plan_digest:
        return _stale(state, "the plan is not the one that was asked for", at)
    lost = stale_votes(ask, state, directory, at)
    names = ", ".join(vote.actor.printed_name for vote in lost)
    if state.status is ApprovalStatus.pending:
        return _stale(state, f"role lost: the vote of {names} rests on a role that is gone", at) if lost else state
    quorum = quorum_now(ask, state, directory, at)
    if state.basis == "votes" and not quorum.satisfied:
        missing = ", ".join(quorum.missing)
        return _stale(state, f"role lost: {names or 'an approver'} no longer counts; missing now: {missing}", at)
    return state


def consume(ask: Ask, state: ApprovalState, plan_digest: str, directory: Directory, at: datetime) -> ApprovalState:
    """The approval marked as used by the first effect. Raises Refused unless it carries exactly this plan now;
    the code is `directory_unavailable` when roles it needs may be gone and nobody can say now.

    Consuming again returns the state unchanged, so that a retried first stage is the same first stage.
    """
    if state.status is not ApprovalStatus.approved:
        raise Refused(Refusal.wrong_state, f"this request is {state.status.value}, not approved.", "Ask again.")
    if plan_digest != ask.plan_digest:
        raise Refused(Refusal.stale, "the plan is not the one that was approved.", "Ask again.")
    now = recheck(ask, state, plan_digest, directory, at)
    if now.status is not ApprovalStatus.approved:
        directory.refuse_unknown(ask.voting_roles)
        raise Refused(Refusal.stale, f"{now.because}.", "Ask again.")
    return now if now.consumed_at is not None else now.model_copy(update={"consumed_at": at})


def _stale(state: ApprovalState, because: str, at: datetime) -> ApprovalState:
    return state.model_copy(update={"status": ApprovalStatus.stale, "because": because, "closed_at": at})

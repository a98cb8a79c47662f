"""The ladder of an ask: which rungs are due, and who is left in peace (GOV-22, GOV-25)."""

from __future__ import annotations

from datetime import datetime, timedelta

from countermand.governance.ask import Acknowledgement, ApprovalState, Ask
from countermand.playbook.model import ApprovalPolicy


def acknowledge(ask: Ask, state: ApprovalState, subject: str, now: datetime) -> ApprovalState:
    """Note that somebody has seen the ask: pages to them pause, nothing else changes (GOV-25).

    A closed ask stays as it is.
    """
    if state.closed:
        return state
    person = ask.directory.principal_of(subject)
    others = tuple(one for one in state.acknowledged if one.subject != person)
    return state.model_copy(update={"acknowledged": (*others, Acknowledgement(subject=person, at=now))})


def may_page(ask: Ask, state: ApprovalState, subject: str, now: datetime) -> bool:
    """Whether a page to this person makes sense: the ask is open, they have not voted and not just acknowledged."""
    person = ask.directory.principal_of(subject)
    quiet = ask.directory.governance.limits.ack_quiet
    voted = any(ask.directory.principal_of(vote.actor.subject) == person for vote in state.votes)
    seen = any(one.subject == person and now < one.at + quiet for one in state.acknowledged)
    return not state.closed and not voted and not seen


def due_rungs(
    policy: ApprovalPolicy, elapsed: timedelta, done: int, extended_by: timedelta = timedelta(0)
) -> list[int]:
    """Indices of rungs that are due now and not done; a reminder overtaken by a later due rung is dropped.

    After an outage the ladder catches up once, without a burst of reminders (F2). An extension moves the last rung.
    """
    last = len(policy.ladder) - 1
    due = [
        index
        for index, rung in enumerate(policy.ladder)
        if index >= done and rung.after + (extended_by if index == last else timedelta(0)) <= elapsed
    ]
    return [index for index in due if policy.ladder[index].do != "remind" or index == due[-1]]

"""Is a plan approved, or the glass broken for it, as the Ledger and the gateway's signatures say? Asked before every
effect (I2)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from countermand.governance import break_glass
from countermand.governance.ask import approval_digest
from countermand.governance.break_glass import Emergency
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refused
from countermand.governance.directory import Directory
from countermand.governance.quorum import quorum_state
from countermand.governance.rights import Right
from countermand.governance.signature import satisfies
from countermand.ledger.bodies import (
    AskClosed,
    AskOpened,
    DecisionMade,
    GlassBroken,
    RolloutIntent,
    StageIntent,
    StageOutcome,
    parse_body,
)
from countermand.ledger.record import Record
from countermand.plan.model import Plan
from countermand.plan.target import Split
from countermand.playbook.model import Quorum, QuorumSlot


def lacking_approval(plan_digest: str, ask_id: str, records: Sequence[Record], keys: GatewayKeys) -> str:
    """Why there is no valid approval; empty when the ask for exactly this plan was closed as approved and enough
    different people signed for it, in the class it asks for, before it expired."""
    bodies = [(record.at, parse_body(record)) for record in records]
    opened = next((body for _, body in bodies if isinstance(body, AskOpened) and body.ask_id == ask_id), None)
    if opened is None or opened.plan_digest != plan_digest:
        return f"the ledger holds no request {ask_id!r} for this plan."
    quorum = _quorum(opened)
    if quorum is None or opened.approval_digest != approval_digest(opened, quorum, opened.rules):
        return f"the record of request {ask_id!r} says something else than what people signed."
    closed = next((body for _, body in bodies if isinstance(body, AskClosed) and body.ask_id == ask_id), None)
    if closed is None or closed.status != "approved":
        return f"request {ask_id!r} was not approved."
    voters: dict[str, tuple[str, ...]] = {}
    counted: set[str] = set()
    until = opened.expires_at
    for at, body in bodies:
        if not isinstance(body, DecisionMade) or body.decision.approval_digest != opened.approval_digest:
            continue
        decision, actor = body.decision, body.decision.actor
        if decision.kind not in (DecisionKind.approve, DecisionKind.extend) or at >= until:
            continue
        try:
            keys.verify(decision)
        except Refused:
            continue
        if decision.kind is DecisionKind.extend:  # at most once, and never past twice the window (governance.md §1)
            until = opened.expires_at + (opened.expires_at - opened.opened_at)
            continue
        if not satisfies(decision, opened.signature_class):
            continue
        people = {actor.subject} | ({actor.delegated_by.subject} if actor.delegated_by else set())
        lent_in_time = actor.delegated_by is None or at < actor.delegated_by.not_after
        if people & {opened.requester, *opened.excluded} or not lent_in_time:
            continue
        if actor.subject in voters or not people & counted:
            voters[actor.subject] = actor.roles
            counted |= people
    missing = quorum_state(quorum, voters).missing
    return f"too few signed approvals of request {ask_id!r}; missing: {', '.join(missing)}." if missing else ""


def _quorum(opened: AskOpened) -> Quorum | None:
    """Who must agree, as the record of the request says; None where it says what no playbook can ask for."""
    needed = {role: opened.need_roles.count(role) for role in opened.need_roles}
    with suppress(ValidationError):
        roles = tuple(QuorumSlot(role=role, min=count) for role, count in needed.items())
        return Quorum(roles=roles, distinct_people=opened.need_people)
    return None


def lacking_break_glass(
    plan: Plan,
    decision_id: str,
    records: Sequence[Record],
    keys: GatewayKeys,
    directory: Directory,
    right: Right,
) -> str:
    """Why no use of break-glass carries this plan; empty when one does.

    It carries one thing: all users back to the baseline at once, by the plan that was recorded when the glass was
    broken. `right`: the row `break_glass` in force.
    """
    bodies = [parse_body(record) for record in records]
    decision = _signed(plan, bodies, keys).get(decision_id)
    if decision is None:
        return f"the ledger holds no signed decision {decision_id!r} of this incident."
    wanted = break_glass.asked_for(decision, target_eligible=True)  # it was checked before the use was recorded
    if wanted is None or wanted.emergency is Emergency.stop:
        return f"decision {decision_id!r} moves no user."
    try:
        break_glass.check(wanted, decision, directory, right)
    except Refused as refused:
        return refused.detail
    if not any(
        isinstance(body, GlassBroken) and (body.decision_id, body.plan_digest) == (decision_id, plan.digest)
        for body in bodies
    ):
        return f"the ledger holds no use of break-glass {decision_id!r} with this plan."
    if [stage.desired for stage in plan.stages] != [Split.candidate(0)]:
        return "break-glass moves all users to the baseline at once, and nothing else."
    return ""


def lacking_undo(plan: Plan, records: Sequence[Record], keys: GatewayKeys, directory: Directory) -> str:
    """Why members may not be brought back to the state before the plan; empty when they may.

    Either somebody who may do so signed `reverse` for this incident, or the plan says that what moved is brought back
    when a follower does not follow, and the Ledger shows one that was tried and did not. records: decisions of the
    incident and writes of its release, in order. What came before another plan wrote says nothing about this one.
    """
    since: list[object] = []
    for record in records:
        body = parse_body(record)
        if isinstance(body, StageIntent | RolloutIntent) and body.plan_digest != plan.digest:
            since = []
        else:
            since.append(body)
    for decision in _signed(plan, since, keys).values():
        if decision.kind is DecisionKind.reverse and permitted(decision, directory):
            return ""
    if plan.on_member_failure == "compensate" and _left_behind(plan, since):
        return ""
    return "nobody who may do so signed that this is undone."


def permitted(decision: Decision, directory: Directory) -> bool:
    """Whether a person made it who may: decisions stand in the Ledger as they were submitted, before anybody judged
    them."""
    try:
        directory.permit(decision.kind, decision.actor.roles)
    except Refused:
        return False
    return decision.actor.principal == "person" and not directory.is_excluded(decision.actor.subject)


def _left_behind(plan: Plan, bodies: Sequence[object]) -> bool:
    """Whether a follower of this plan was tried and is known not to have moved, the last time it was tried."""
    last, left = plan.stages[-1].number, set()
    for body in bodies:
        match body:
            case StageIntent(member=str() as member, stage=stage) if (body.plan_digest, stage) == (plan.digest, last):
                left.add(member)
            case StageOutcome(member=str() as member, stage=stage) if stage == last:
                if body.result in ("applied", "already", "ambiguous"):
                    left.discard(member)
    return bool(left)


def _signed(plan: Plan, bodies: Sequence[object], keys: GatewayKeys) -> dict[str, Decision]:
    """Decisions of the plan's incident that our key signed."""
    return {
        body.decision.decision_id: body.decision
        for body in bodies
        if isinstance(body, DecisionMade)
        and body.decision.incident_id == plan.incident_id
        and _is_signed(body.decision, keys)
    }


def _is_signed(decision: Decision, keys: GatewayKeys) -> bool:
    try:
        keys.verify(decision)
    except Refused:
        return False
    return True

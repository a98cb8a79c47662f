"""Is a plan approved, as the Ledger and the gateway's signatures say? Asked before every effect (I2)."""

from __future__ import annotations

from collections.abc import Sequence

from countermand.governance.decision import DecisionKind, GatewayKeys, Refused
from countermand.governance.quorum import quorum_state
from countermand.governance.signature import satisfies
from countermand.ledger.bodies import AskClosed, AskOpened, DecisionMade, parse_body
from countermand.ledger.record import Record
from countermand.playbook.model import Quorum, QuorumSlot


def lacking_approval(plan_digest: str, ask_id: str, records: Sequence[Record], keys: GatewayKeys) -> str:
    """Why there is no valid approval; empty when the ask for exactly this plan was closed as approved and enough
    different people signed for it, in the class it asks for, before it expired."""
    bodies = [(record.at, parse_body(record)) for record in records]
    opened = next((body for _, body in bodies if isinstance(body, AskOpened) and body.ask_id == ask_id), None)
    if opened is None or opened.plan_digest != plan_digest:
        return f"the ledger holds no request {ask_id!r} for this plan."
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
    needed = {role: opened.need_roles.count(role) for role in opened.need_roles}
    quorum = Quorum(
        roles=tuple(QuorumSlot(role=role, min=count) for role, count in needed.items()),
        distinct_people=opened.need_people,
    )
    missing = quorum_state(quorum, voters).missing
    return f"too few signed approvals of request {ask_id!r}; missing: {', '.join(missing)}." if missing else ""

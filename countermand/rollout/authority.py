"""Who starts and stops a rollout, as signed decisions say: one person, for exactly one plan (GOV-8, GOV-17)."""

from __future__ import annotations

from collections.abc import Sequence

from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right, RightsTable
from countermand.governance.signature import refuse_weak
from countermand.ledger.bodies import DecisionMade, parse_body
from countermand.ledger.record import Record
from countermand.playbook.terms import Severity
from countermand.rollout.plan import RolloutPlan

#: What people decide about a rollout.
KINDS = (DecisionKind.start_rollout, DecisionKind.stop_rollout)


def right_to(kind: DecisionKind, table: RightsTable) -> Right:
    """The row that governs starting or stopping."""
    return table.row(Action(kind.value), Severity.sev1)


def check(
    decision: Decision, plan: RolloutPlan, registered_by: str, keys: GatewayKeys, directory: Directory, right: Right
) -> None:
    """Raise Refused unless this decision starts or stops exactly this rollout now. right: the row of `right_to`.

    Who registered the release cannot start it: nobody alone both puts a version out and lets users have it.
    """
    keys.verify(decision)
    actor = decision.actor
    if decision.kind not in KINDS or decision.addressed_to != plan.workflow_id:
        raise Refused(
            Refusal.unknown_ask, f"this decision is for {decision.addressed_to!r}.", "Reload the page of the release."
        )
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not set(right.roles) & set(actor.roles) & set(directory.roles_of(actor.subject)):
        people = ", ".join(person.name for person in directory.holders(*right.roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"to {right.does} needs {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    principal = directory.principal_of
    if decision.kind is DecisionKind.start_rollout and principal(actor.subject) == principal(registered_by):
        raise Refused(
            Refusal.four_eyes, "you registered this release; somebody else has to start it.", "Ask another person."
        )
    if decision.approval_digest != plan.digest:
        raise Refused(Refusal.stale, "what you decided on is not this plan.", "Read the plan again, and decide again.")
    refuse_short(decision)
    if right.signature is not None:
        refuse_weak(decision, right.signature)


def lacking_start(
    plan: RolloutPlan,
    registered_by: str,
    records: Sequence[Record],
    keys: GatewayKeys,
    directory: Directory,
    table: RightsTable,
) -> str:
    """Why no person's signature carries this rollout now; empty when one does, and nobody stopped it afterwards.

    records: the decisions of this release, in order.
    """
    started, why = False, "nobody signed a start of this plan."
    for record in records:
        body = parse_body(record)
        if not isinstance(body, DecisionMade) or body.decision.kind not in KINDS:
            continue
        try:
            check(body.decision, plan, registered_by, keys, directory, right_to(body.decision.kind, table))
        except Refused as refused:
            if not started and refused.code is not Refusal.stale:
                why = refused.detail
            continue
        started = body.decision.kind is DecisionKind.start_rollout
        why = f"{body.decision.actor.printed_name} stopped it."
    return "" if started else why


class Desk:
    """Takes decisions about one rollout while they are wanted: a start, and a stop. Deterministic, no I/O."""

    def __init__(self, plan: RolloutPlan, registered_by: str, keys: GatewayKeys, people: Directory, table: RightsTable):
        self._plan = plan
        self._registered_by = registered_by
        self._keys = keys
        self._people = people
        self._table = table
        self._used: set[str] = set()
        self.wants_start = False
        self.over = False
        self.start: Decision | None = None
        self.stop: Decision | None = None

    def refuse(self, decision: Decision) -> None:
        """Raise Refused unless this decision counts now."""
        right = right_to(decision.kind, self._table) if decision.kind in KINDS else None
        if right is None or self.over or self.stop is not None:
            raise Refused(Refusal.wrong_state, "nothing is decided here now.", "Look at the page of the release.")
        check(decision, self._plan, self._registered_by, self._keys, self._people, right)
        if decision.decision_id in self._used:
            raise Refused(Refusal.already_decided, "this was decided before.", "Decide anew if you mean it again.")
        if decision.kind is DecisionKind.start_rollout and not self.wants_start:
            raise Refused(Refusal.wrong_state, "it runs already.", "Stop it, or let it go on.")

    def take(self, decision: Decision) -> None:
        """Accept a decision that `refuse` lets through. Raises Refused."""
        self.refuse(decision)
        self._used.add(decision.decision_id)
        if decision.kind is DecisionKind.stop_rollout:
            self.stop = decision
        else:
            self.start, self.wants_start = decision, False

"""A targeted investigation: who may fill in its form, who decides, what a finding needs, and its ladder (GOV-32…34).

Pure and deterministic, the same in workflow and tests. `RULES` names the version; it stands in every finding.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from countermand.canonical import instant
from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.investigation_form import Outcome, filled, form_digest, missing, outcome_of
from countermand.governance.quorum import match_slots
from countermand.governance.rights import Condition, Right
from countermand.governance.signature import refuse_weak
from countermand.plan.target import Value
from countermand.playbook.approvals import ApprovalPolicy, Quorum, QuorumSlot, Rung

RULES = "investigation/1"
REVIEWER = "fairness_reviewer"
EXECUTIVE = "executive"
#: The trigger of what a person says who reports a pattern of unfairness.
REPORTED = "unfairness_reported"

#: One person must not keep others from a finding, nor use up what one workflow can hold, by filling it in for ever.
MOST_FILLS = 100

#: Kinds of decisions that an investigation takes.
KINDS = (DecisionKind.fill_investigation, DecisionKind.decide_finding)


class InvestigationRequest(Value):
    """What is looked at, by whom until when. right: the row of findings; reports: of those who may fill in the form.

    protected: segment keys of generated slices that name a protected attribute. excluded: who put the release out.
    """

    investigation_id: str
    workflow_id: str
    incident_id: str
    opened_at: datetime
    window: timedelta
    extends_once: bool
    ends_by: datetime
    right: Right
    reports: Right
    protected: tuple[str, ...]
    excluded: tuple[str, ...]
    directory: Directory
    keys: GatewayKeys


class Signed(Value):
    """One signature under a finding."""

    decision_id: str
    subject: str
    name: str
    roles: tuple[str, ...]


class InvestigationState(Value):
    """Where it stands. `signed` are for `outcome` on the form as it is; any change of either takes them away.

    fills: how often each person filled in the form.
    """

    form: dict[str, str] = Field(default_factory=dict)
    slices_sha256: str = ""
    used: tuple[str, ...] = ()
    fills: dict[str, int] = Field(default_factory=dict)
    outcome: Outcome | None = None
    adjustment: str = ""
    signed: tuple[Signed, ...] = ()
    until: datetime
    extended: bool = False
    found: bool = False

    def digest(self, request: InvestigationRequest) -> str:
        """What a finding is signed on."""
        return form_digest(request.investigation_id, self.form, self.slices_sha256)


def ladder(since: datetime, until: datetime) -> tuple[tuple[datetime, Literal["remind", "call"]], ...]:
    """When people are told again within one window; at its end executives are told, and nothing is changed."""
    return (since + (until - since) / 2, "remind"), (since + (until - since) * 3 / 4, "call")


def check(request: InvestigationRequest, state: InvestigationState, decision: Decision, *, over: bool = False) -> None:
    """Raise Refused unless this decision counts now. Changes nothing."""
    if over:
        raise Refused(Refusal.already_decided, "this investigation is over.", "Open the incident.")
    apply(request, state, decision)


def apply(request: InvestigationRequest, state: InvestigationState, decision: Decision) -> InvestigationState:
    """The state after a decision. Raises Refused."""
    _refuse_unfit(request, state, decision)
    used = {"used": (*state.used, decision.decision_id)}
    if decision.kind is DecisionKind.fill_investigation:
        _refuse_others(request, request.reports, decision)
        form, who = filled(state.form, decision), request.directory.principal_of(decision.actor.subject)
        fills = {**state.fills, who: state.fills.get(who, 0) + 1}
        if fills[who] > MOST_FILLS:
            raise Refused(
                Refusal.wrong_state,
                f"you filled in this form {MOST_FILLS} times; each time takes the signatures of others away.",
                "Somebody else has to fill in what is still wrong.",
            )
        return state.model_copy(
            update=used | {"fills": fills, "form": form, "signed": (), "outcome": None, "adjustment": ""}
        )
    _refuse_others(request, row(request, state), decision)
    _refuse_incomplete(state)
    if decision.approval_digest != state.digest(request):
        raise Refused(
            Refusal.stale, "the form or its numbers changed since you read them.", "Reload, read it, and decide again."
        )
    if request.right.signature is not None:
        refuse_weak(decision, request.right.signature)
    outcome, adjustment = outcome_of(decision.terms), decision.terms.get("adjustment", "").strip()
    if outcome is Outcome.adjust and len(adjustment) < MIN_REASON:
        raise Refused(
            Refusal.reason_too_short,
            f"adjustment {adjustment!r} is shorter than {MIN_REASON} characters.",
            "Say what is changed instead of going back.",
        )
    one = Signed(
        decision_id=decision.decision_id,
        subject=request.directory.principal_of(decision.actor.subject),
        name=decision.actor.printed_name,
        roles=decision.actor.roles,
    )
    same = state.signed if (state.outcome, state.adjustment) == (outcome, adjustment) else ()
    if any(other.subject == one.subject for other in same):
        raise Refused(Refusal.already_voted, "you signed this finding before.", "Another person has to sign as well.")
    state = state.model_copy(update=used | {"outcome": outcome, "adjustment": adjustment, "signed": (*same, one)})
    if lacking(request, state):
        return state
    if outcome is Outcome.insufficient_evidence:
        longer = request.extends_once and not state.extended
        until = min(state.until + request.window, request.ends_by) if longer else state.until
        return state.model_copy(update={"extended": True, "until": until, "signed": (), "outcome": None})
    return state.model_copy(update={"found": True})


def lacking(request: InvestigationRequest, state: InvestigationState) -> tuple[str, ...]:
    """Roles whose signature the finding still needs, in words; empty when it is complete."""
    slots = row(request, state).slots()
    matched = match_slots(slots, {one.subject: one.roles for one in state.signed})
    return tuple(" or ".join(sorted(slot)) for index, slot in enumerate(slots) if index not in matched)


def next_window(state: InvestigationState, until: datetime, ends_by: datetime) -> InvestigationState:
    """The state after a window in which nobody found anything: nothing is changed, and the next one begins."""
    return state.model_copy(update={"until": min(until, ends_by)})


def with_reviewer(policy: ApprovalPolicy) -> ApprovalPolicy:
    """The policy with a place for a fairness reviewer, who is asked with the others (GOV-34)."""
    slots = policy.quorum.roles
    if any(slot.role == REVIEWER for slot in slots):
        return policy
    more = (*slots, QuorumSlot(role=REVIEWER, min=1))
    people = max(policy.quorum.distinct_people, sum(slot.min for slot in more))
    first, *others = policy.ladder
    asked = Rung(after=first.after, do=first.do, to=tuple(dict.fromkeys((*first.to, REVIEWER))), action=first.action)
    return policy.model_copy(update={"quorum": Quorum(roles=more, distinct_people=people), "ladder": (asked, *others)})


def row(request: InvestigationRequest, state: InvestigationState) -> Right:
    """The row of findings; one that rests on a protected attribute needs its further role."""
    rests = request.protected or state.form.get("protected") == "yes"
    conditions: tuple[Condition, ...] = ("protected_attribute",) if rests else ()
    return request.right.under(conditions)


def _refuse_unfit(request: InvestigationRequest, state: InvestigationState, decision: Decision) -> None:
    request.keys.verify(decision)
    meant = (decision.addressed_to, decision.incident_id)
    if meant != (request.workflow_id, request.incident_id) or decision.kind not in KINDS:
        raise Refused(
            Refusal.unknown_ask, f"this decision is for {decision.addressed_to!r}.", "Open the investigation."
        )
    actor = decision.actor
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if request.directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if actor.delegated_by is not None and decision.decided_at >= actor.delegated_by.not_after:
        ended = instant(actor.delegated_by.not_after)
        raise Refused(Refusal.delegation_ended, f"the delegation ended at {ended}.", "Ask its owner to decide.")
    if decision.decision_id in state.used:
        raise Refused(Refusal.already_decided, "this decision was counted before.", "Decide anew if you mean it again.")
    if state.found:
        raise Refused(Refusal.already_decided, "this investigation has its finding.", "Open the incident.")


def _refuse_others(request: InvestigationRequest, right: Right, decision: Decision) -> None:
    actor = decision.actor
    if not set(right.roles) & set(actor.roles):
        people = ", ".join(person.name for person in request.directory.holders(*right.roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this needs the role {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Tell one of: {people}.",
        )
    if decision.kind is DecisionKind.decide_finding:
        out = {request.directory.principal_of(one) for one in request.excluded}
        if request.directory.principal_of(actor.subject) in out:
            raise Refused(Refusal.four_eyes, "you put this release out.", "Somebody else has to decide.")
        if len(decision.reason.strip()) < MIN_REASON:
            raise Refused(
                Refusal.reason_too_short,
                f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
                "Say in a sentence why; it stands in the record.",
            )


def _refuse_incomplete(state: InvestigationState) -> None:
    if empty := missing(state.form):
        raise Refused(
            Refusal.wrong_state, f"the form is not complete; empty: {', '.join(empty)}.", "Fill in these fields first."
        )

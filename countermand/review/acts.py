"""What people do in a review, read from a signed Decision: write, open and close actions, waive, sign (LRN-3…LRN-6).

Texts of people are terms of the decision, or its reason. Automation can do none of this.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import get_args

from countermand.canonical import digest
from countermand.governance.ballot import MIN_REASON
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.quorum import QuorumState, quorum_state
from countermand.governance.rights import Action, RightsTable
from countermand.governance.signature import refuse_weak
from countermand.ledger.review_bodies import (
    ActionChanged,
    ActionDropped,
    ActionOpened,
    ActionVerified,
    Publication,
    ReviewAct,
    ReviewClosed,
    ReviewPart,
    ReviewSigned,
)
from countermand.plan.target import Value
from countermand.playbook.model import Quorum
from countermand.playbook.terms import Severity
from countermand.review import terms
from countermand.review.actions import ActionState, ActionType
from countermand.review.lint import Remark, lint
from countermand.review.parts import ASKED, FACTORS, MIN_FACTORS, Part
from countermand.review.state import ReviewState, Signature

LEVELS: tuple[Publication, ...] = get_args(Publication)


#: Parts in which roles say more than names.
_NO_NAMES = (Part.narrative, Part.factors, Part.sense, Part.went_poorly)


class Act(StrEnum):
    """What can be done beside signing."""

    part = "part"
    open_action = "open_action"
    change_action = "change_action"
    verify_action = "verify_action"
    drop_action = "drop_action"
    waive = "waive"


class Situation(Value):
    """What an act is judged against. actions: those that this review looks after. must: why it cannot be waived."""

    state: ReviewState
    actions: tuple[ActionState, ...]
    sign_off: Quorum
    environment: str
    must: str
    now: datetime

    @property
    def signers(self) -> tuple[str, ...]:
        """The roles that sign."""
        return tuple(dict.fromkeys(slot.role for slot in self.sign_off.roles))

    def action(self, decision: Decision) -> ActionState:
        """The action that the terms name. Raises Refused."""
        named = decision.terms.get("action", "")
        found = next((one for one in self.actions if one.action_id == named), None)
        if found is None:
            accepted = ", ".join(one.action_id for one in self.actions) or "none; open one first"
            raise Refused(Refusal.wrong_state, f"this review has no action {named!r}.", f"Accepted: {accepted}.")
        return found


def must_be_held(severity: Severity, *, broke_glass: bool) -> str:
    """Why nobody can waive the review; empty when the safety lead may."""
    if broke_glass:
        return "somebody broke the glass"
    return "it was serious harm (sev1)" if severity is Severity.sev1 else ""


def quorum(state: ReviewState, sign_off: Quorum) -> QuorumState:
    """Who signed what stands now, and who is missing; one person of any of the roles is enough for a near miss."""
    voters = {one.subject: one.roles for one in state.signatures}
    found = quorum_state(sign_off, voters)
    if state.form == "near_miss":
        return found.model_copy(
            update={"missing_roles": () if found.people else found.missing_roles[:1], "people_needed": 1}
        )
    return found


def roles_for(kind: DecisionKind, said: dict[str, str], rights: RightsTable, situation: Situation) -> tuple[str, ...]:
    """Who may do what these terms say by a role; an action's owner may change and verify it beside them."""
    if kind is DecisionKind.sign_review:
        return situation.signers
    if said.get("act") in (Act.waive, Act.drop_action):
        return rights.row(Action.waive_review, min(Severity)).roles
    writers = rights.row(Action.keep_review, min(Severity)).roles
    return tuple(dict.fromkeys((*writers, situation.state.drafted.owner, *situation.signers)))


def check(decision: Decision, directory: Directory, rights: RightsTable, situation: Situation) -> None:
    """Raise Refused unless this person may do this now. The caller has verified the signature."""
    actor = decision.actor
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never sign.", "A person has to sign in.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    roles = roles_for(decision.kind, decision.terms, rights, situation)
    own = decision.terms.get("act") in (Act.change_action, Act.verify_action) and (
        situation.action(decision).owner == directory.principal_of(actor.subject)
    )
    if not own and not set(roles) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this needs the role {' or '.join(roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    waives = decision.terms.get("act") in (Act.waive, Act.drop_action)
    wanted = rights.row(Action.waive_review if waives else Action.keep_review, min(Severity)).signature
    if wanted is not None:
        refuse_weak(decision, wanted)
    if decision.terms.get("act") in _REASONED and len(decision.reason.strip()) < MIN_REASON:
        raise Refused(
            Refusal.reason_too_short,
            f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
            "Say in a sentence why; it stands in the record.",
        )


def carried_out(decision: Decision, directory: Directory, situation: Situation) -> ReviewAct | ReviewClosed:
    """The record of an act that `check` accepted. Raises Refused when its terms are not whole, or it comes too late."""
    if decision.kind is DecisionKind.sign_review:
        return _signed(decision, situation)
    said = decision.terms.get("act", "")
    if said not in tuple(Act):
        raise Refused(Refusal.wrong_state, f"act {said!r} is not known.", f"Accepted: {', '.join(Act)}.")
    return _ACTS[Act(said)](decision, directory, situation)


def closing(signed: ReviewSigned, situation: Situation) -> ReviewClosed | None:
    """What ends the review, when this signature is the last one that it needs."""
    mine = Signature(
        subject=signed.subject,
        name=signed.name,
        roles=signed.roles,
        at=situation.now,
        publication=signed.publication,
        content_sha256=signed.content_sha256,
    )
    state = situation.state.model_copy(update={"signed": (*situation.state.signed, mine)})
    if not quorum(state, situation.sign_off).satisfied:
        return None
    return ReviewClosed(
        review_id=state.drafted.review_id,
        outcome="signed",
        by=tuple(one.name for one in state.signatures),
        publication=state.publication,
    )


def remarks(part: Part, text: str, directory: Directory) -> tuple[Remark, ...]:
    """Remarks about the wording of a part, each with a better one (LRN-3): the first role instead of a name."""
    people = directory.governance.people if part in _NO_NAMES else ()
    return lint(text, {one.name: next(iter(one.roles), "person concerned").replace("_", " ") for one in people})


def _who(decision: Decision) -> dict[str, str]:
    actor = decision.actor
    return {"decision_id": decision.decision_id, "subject": actor.subject, "name": actor.printed_name}


def _part(decision: Decision, directory: Directory, situation: Situation) -> ReviewAct:
    said = decision.terms
    if situation.state.closed is not None:
        raise Refused(
            Refusal.wrong_state,
            f"this review is {situation.state.status}; its text stays as it is.",
            "Open an action for what has still to be done.",
        )
    named = said.get("part", "")
    if named not in tuple(Part):
        raise Refused(Refusal.wrong_state, f"there is no part {named!r}.", f"Accepted: {', '.join(Part)}.")
    part, text = Part(named), terms.text(said, "text")
    factors, others = terms.factors(said)
    if part is Part.factors and len({*factors, *others}) < MIN_FACTORS:
        raise Refused(
            Refusal.wrong_state,
            f"{len({*factors, *others})} factors are named; there is never only one cause.",
            f"Name at least {MIN_FACTORS}. Accepted: {', '.join(FACTORS)}, or words of your own.",
        )
    return ReviewPart(
        **_who(decision),
        part=part.value,
        text=text,
        factors=factors if part is Part.factors else (),
        others=others if part is Part.factors else (),
        dismissed=len(remarks(part, text, directory)),
    )


def _open(decision: Decision, directory: Directory, situation: Situation) -> ReviewAct:
    said = decision.terms
    kind = said.get("type", "")
    if kind not in tuple(ActionType):
        raise Refused(Refusal.wrong_state, f"type {kind!r} is not known.", f"Accepted: {', '.join(ActionType)}.")
    owner, due = terms.owner(said.get("owner", ""), directory), terms.due_day(said.get("due", ""), situation.now)
    factors, others = terms.factors(said)
    return ActionOpened(
        **_who(decision),
        action_id=f"act-{digest(decision.decision_id).removeprefix('sha256:')[:8]}",
        type=kind,
        what=terms.text(said, "text"),
        owner=owner.subject,
        owner_name=owner.name,
        due=due,
        verification=terms.text(said, "verification"),
        link=terms.link(said),
        before_re_release=terms.yes(said, "before_re_release"),
        factors=factors,
        others=others,
    )


def _change(decision: Decision, directory: Directory, situation: Situation) -> ReviewAct:
    one, said = _still_open(decision, situation), decision.terms
    owner = terms.owner(said["owner"], directory) if said.get("owner") else None
    return ActionChanged(
        **_who(decision),
        action_id=one.action_id,
        owner=owner.subject if owner else one.owner,
        owner_name=owner.name if owner else one.owner_name,
        due=terms.due_day(said["due"], situation.now) if said.get("due") else one.due,
        done=terms.yes(said, "done"),
        reason=decision.reason.strip(),
    )


def _verify(decision: Decision, directory: Directory, situation: Situation) -> ReviewAct:  # noqa: ARG001  # one shape
    one, sha256 = _still_open(decision, situation), terms.kept_digest(decision.terms)
    result = decision.terms.get("result", "").strip()
    if sha256 is None and len(result) < terms.MIN_TEXT:
        raise Refused(
            Refusal.wrong_state,
            f"the result {result!r} says too little.",
            f"Say in at least {terms.MIN_TEXT} characters what the check found, or attach its output.",
        )
    return ActionVerified(**_who(decision), action_id=one.action_id, result=result, result_sha256=sha256)


def _drop(decision: Decision, directory: Directory, situation: Situation) -> ReviewAct:  # noqa: ARG001  # one shape
    one = _still_open(decision, situation)
    role = next(iter(decision.actor.roles), "")
    return ActionDropped(**_who(decision), action_id=one.action_id, role=role, reason=decision.reason.strip())


def _waive(decision: Decision, directory: Directory, situation: Situation) -> ReviewClosed:  # noqa: ARG001  # one shape
    if situation.state.closed is not None:
        raise Refused(Refusal.wrong_state, f"this review is {situation.state.status}.", "Nothing more is needed.")
    if situation.must:
        raise Refused(
            Refusal.wrong_state, f"this review cannot be waived: {situation.must}.", "Write it and have it signed."
        )
    return ReviewClosed(
        review_id=situation.state.drafted.review_id,
        outcome="waived",
        by=(decision.actor.printed_name,),
        reason=decision.reason.strip(),
    )


def _signed(decision: Decision, situation: Situation) -> ReviewSigned:
    state, level = situation.state, decision.terms.get("publication", "internal")
    if state.closed is not None:
        raise Refused(Refusal.wrong_state, f"this review is {state.status}.", "Nothing more is needed.")
    if any(one.subject == decision.actor.subject for one in state.signatures):
        raise Refused(Refusal.already_voted, "you already signed this review.", "Nothing more is needed.")
    if state.missing:
        titles = ", ".join(ASKED[part].title for part in state.missing)
        raise Refused(Refusal.wrong_state, f"nobody has written yet: {titles}.", "Write these parts, then sign.")
    if level not in LEVELS:
        raise Refused(Refusal.wrong_state, f"publication {level!r} is not known.", f"Accepted: {', '.join(LEVELS)}.")
    return ReviewSigned(
        **_who(decision),
        roles=decision.actor.roles,
        publication=level,
        content_sha256=state.content_sha256,
    )


def _still_open(decision: Decision, situation: Situation) -> ActionState:
    one = situation.action(decision)
    if not one.open:
        raise Refused(Refusal.wrong_state, f"{one.action_id} is {one.state} already.", "Open another action.")
    return one


_REASONED = (Act.change_action, Act.drop_action, Act.waive)
_ACTS: dict[Act, Callable[[Decision, Directory, Situation], ReviewAct | ReviewClosed]] = {
    Act.part: _part,
    Act.open_action: _open,
    Act.change_action: _change,
    Act.verify_action: _verify,
    Act.drop_action: _drop,
    Act.waive: _waive,
}

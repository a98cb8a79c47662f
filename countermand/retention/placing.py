"""Placing a legal hold: one person, because it can only keep more (OBL-30)."""

from __future__ import annotations

from pydantic import ValidationError

from countermand.canonical import digest
from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Decision, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Right
from countermand.governance.signature import refuse_weak
from countermand.ledger.bodies import HoldPlaced
from countermand.retention.holding import Scope

#: The fields of a scope that a person names; each is a list in one term, separated by commas.
FIELDS = ("incidents", "classes", "subjects", "digests")
#: Characters of the matter that a hold is about.
MAX_MATTER = 300


def hold_id(decision_id: str) -> str:
    """The name of the hold that this decision places."""
    return f"hold-{decision_id[:8]}"


def terms(scope: Scope, matter: str, custodians: tuple[str, ...]) -> dict[str, str]:
    """As a decision carries it."""
    said = {name: ",".join(getattr(scope, name)) for name in FIELDS}
    return {name: text for name, text in said.items() if text} | {
        "matter": matter,
        "custodians": ",".join(custodians),
    }


def hold_digest(said: dict[str, str]) -> str:
    """What a second factor confirms for this hold: what it covers, without the words of people."""
    return digest({"place_hold": {name: said[name] for name in FIELDS if name in said}})


def scope_of(decision: Decision, releases: tuple[str, ...]) -> Scope:
    """What the hold covers. releases: those of its incidents. Raises Refused when it would cover nothing."""
    try:
        return Scope(releases=releases, **{name: _listed(decision, name) for name in FIELDS})
    except ValidationError as error:
        raise Refused(
            Refusal.wrong_state,
            f"the terms {decision.terms!r} name nothing to hold.",
            "Name an incident, a class, a subject or a digest.",
        ) from error


def check(decision: Decision, directory: Directory, right: Right) -> None:
    """Raise Refused unless this person may place a hold now. The caller has signed the decision for them.

    right: the row `place_hold` of the table in force.
    """
    actor = decision.actor
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not set(right.roles) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*right.roles)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"placing a hold needs {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    refuse_short(decision)
    if right.signature is not None:
        refuse_weak(decision, right.signature)
    if decision.approval_digest != hold_digest(decision.terms):
        raise Refused(Refusal.stale, "what was confirmed is not this hold.", "Confirm it again.")


def placed(decision: Decision, releases: tuple[str, ...]) -> HoldPlaced:
    """The record of a hold that `check` accepted. Raises Refused."""
    return HoldPlaced(
        hold_id=hold_id(decision.decision_id),
        scope=scope_of(decision, releases),
        reason=decision.reason,
        matter=decision.terms.get("matter", ""),
        custodians=_listed(decision, "custodians"),
        decision_id=decision.decision_id,
        subject=decision.actor.subject,
        name=decision.actor.printed_name,
    )


def listed(text: str) -> tuple[str, ...]:
    """What a person wrote with commas in between."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _listed(decision: Decision, name: str) -> tuple[str, ...]:
    return listed(decision.terms.get(name, ""))

"""Windows for unannounced rehearsals: signed by an executive; outside of one nobody is paged (LRN-25)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from countermand.canonical import instant, parse_instant
from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.ledger.bodies import DecisionMade, parse_body
from countermand.ledger.record import Record
from countermand.plan.target import Value

#: Who may have people woken up without a word before.
ROLES = ("executive",)
LONGEST = timedelta(days=14)


class Window(Value):
    """scenario: its id. known: who knows of it, in words. signed_by: printed name of the executive."""

    scenario: str
    begins: datetime
    until: datetime
    known: str
    signed_by: str
    decision_id: str


def terms(scenario: str, begins: datetime, until: datetime, known: str) -> dict[str, str]:
    """As a decision carries them."""
    return {"scenario": scenario, "not_before": instant(begins), "not_after": instant(until), "known": known}


def check(decision: Decision, directory: Directory) -> Window:
    """The window that a decision opens. Raises Refused unless this person may open it now."""
    actor = decision.actor
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not set(ROLES) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*ROLES)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"an unannounced rehearsal needs {' or '.join(ROLES)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    refuse_short(decision)
    window = _window(decision)
    if not decision.decided_at < window.until <= decision.decided_at + LONGEST or window.begins >= window.until:
        raise Refused(
            Refusal.wrong_state,
            f"{instant(window.begins)} to {instant(window.until)} is not accepted.",
            f"Write a window that begins before it ends and is over within {LONGEST.days} days from now.",
        )
    if not window.known.strip():
        raise Refused(Refusal.wrong_state, "nobody is named who knows of it.", "Name at least one person who knows.")
    return window


def windows(records: Iterable[Record], keys: GatewayKeys) -> tuple[Window, ...]:
    """Every window that was signed, oldest first; a record whose signature does not hold opens none."""
    found = []
    for record in records:
        body = parse_body(record)
        if not isinstance(body, DecisionMade) or body.decision.kind is not DecisionKind.open_window:
            continue
        try:
            keys.verify(body.decision)
        except Refused:
            continue
        if set(ROLES) & set(body.decision.actor.roles):
            found.append(_window(body.decision))
    return tuple(found)


def _window(decision: Decision) -> Window:
    try:
        return Window(
            scenario=decision.terms["scenario"],
            begins=parse_instant(decision.terms["not_before"]),
            until=parse_instant(decision.terms["not_after"]),
            known=decision.terms["known"],
            signed_by=decision.actor.printed_name,
            decision_id=decision.decision_id,
        )
    except (KeyError, ValueError) as error:
        raise Refused(
            Refusal.wrong_state,
            f"the terms {decision.terms!r} name no window.",
            "Name scenario, from, until and known.",
        ) from error

"""Whether a click is worth a dialog. Only to spare people a form that would be refused: the workflow judges again."""

from __future__ import annotations

from datetime import datetime

from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.delegation import Scope
from countermand.governance.directory import Directory
from countermand.governance.mandates import effective_roles
from countermand.messages.block_kit import Json, button
from countermand.messages.facts import spoken, utc
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import ASK_AGAIN
from countermand.messages.slack_dialog import Kind
from countermand.playbook.terms import Severity


def check_decision(
    kind: Kind, view: IncidentView, ask: AskView, people: Directory, subject: str, now: datetime
) -> None:
    """Raise Refused when this person cannot decide this now."""
    if kind in ("approve", "reject"):
        _check_open(ask, now)
        _check_voter(view, ask, people, subject, now)
        return
    if kind == "extend":
        _check_extend(view, ask, people, subject, now)
        return
    if view.phase is None or view.closed is not None or kind not in view.phase.commands:
        raise Refused(
            Refusal.wrong_state,
            f"{kind.replace('_', ' ')} is not possible now: {view.sentence}",
            "Open the console to see what is.",
        )
    people.permit(DecisionKind(kind), _roles(view, people, subject, now))


def check_acknowledge(view: IncidentView, ask: AskView, people: Directory, subject: str, now: datetime) -> None:
    """Raise Refused unless the request is open and this person is one of those asked so far."""
    _check_open(ask, now)
    _check_asked(view, ask, people, subject, now)


def _check_extend(view: IncidentView, ask: AskView, people: Directory, subject: str, now: datetime) -> None:
    _check_open(ask, now)
    if ask.extended is not None:
        raise Refused(
            Refusal.wrong_state,
            f"{ask.extended.name} took more time before, until {utc(ask.extended.until)}; this is possible once.",
            "Decide before then.",
        )
    _check_asked(view, ask, people, subject, now)


def _check_asked(view: IncidentView, ask: AskView, people: Directory, subject: str, now: datetime) -> None:
    asked = {*ask.opened.need_roles, *(role for rung in ask.rungs for role in rung.to)}
    if not asked & set(_roles(view, people, subject, now)):
        raise Refused(Refusal.not_your_role, f"this request asks {spoken(tuple(sorted(asked)))}.", _asked(ask))


def late_buttons(view: IncidentView, ask: AskView) -> list[Json]:
    """A late click is answered with the way on: ask again, where the incident can be asked again (SLK-5)."""
    possible = view.phase is not None and view.closed is None and ASK_AGAIN in view.phase.commands
    return [button(ASK_AGAIN, "Ask again…", ask.opened.ask_id)] if possible and ask.closed is not None else []


def _check_open(ask: AskView, now: datetime) -> None:
    if ask.closed is None and now < ask.expires_at:
        return
    status = f"already {ask.status} ({ask.closed.because})" if ask.closed else "expired"
    raise Refused(
        Refusal.expired if ask.status in ("expired", "pending") else Refusal.already_decided,
        f"this request is {status}; its time limit was {utc(ask.expires_at)}, it is now {utc(now)}.",
        "Open the incident to see what happens now.",
    )


def _check_voter(view: IncidentView, ask: AskView, people: Directory, subject: str, now: datetime) -> None:
    out = {people.principal_of(one) for one in (ask.opened.requester, *ask.opened.excluded)}
    if people.principal_of(subject) in out:
        raise Refused(
            Refusal.four_eyes,
            "you requested this rollback or put the release out; somebody else has to decide.",
            _asked(ask),
        )
    held = _roles(view, people, subject, now)
    if not set(ask.opened.need_roles) & set(held):
        raise Refused(
            Refusal.not_your_role,
            f"this decision needs {spoken(ask.opened.need_roles)}; you hold {spoken(held) if held else 'no role'}.",
            _asked(ask),
        )


def _roles(view: IncidentView, people: Directory, subject: str, now: datetime) -> tuple[str, ...]:
    """The person's own roles and those lent to them for this incident now."""
    opened = view.opened
    scope = Scope(release=view.release_id, environment=opened.environment, severity=Severity(opened.severity))
    return tuple(held.role for held in effective_roles(people, subject, scope, now))


def _asked(ask: AskView) -> str:
    return f"Asked are {spoken(ask.opened.asked)}."

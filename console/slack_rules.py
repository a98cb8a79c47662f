"""Whether a click is worth a dialog. Only to spare people a form that would be refused: the workflow judges again."""

from __future__ import annotations

from datetime import datetime

from countermand.governance.decision import DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.messages.block_kit import Json, button
from countermand.messages.facts import spoken, utc
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import ASK_AGAIN
from countermand.messages.slack_dialog import Kind


def check_decision(
    kind: Kind, view: IncidentView, ask: AskView, people: Directory, subject: str, now: datetime
) -> None:
    """Raise Refused when this person cannot decide this now."""
    if kind in ("approve", "reject"):
        _check_open(ask, now)
        _check_voter(ask, people, subject)
        return
    if view.phase is None or view.closed is not None or kind not in view.phase.commands:
        raise Refused(
            Refusal.wrong_state,
            f"{kind.replace('_', ' ')} is not possible now: {view.sentence}",
            "Open the console to see what is.",
        )
    people.permit(DecisionKind(kind), people.roles_of(subject))


def check_acknowledge(ask: AskView, people: Directory, subject: str, now: datetime) -> None:
    """Raise Refused unless the request is open and this person is one of those asked so far."""
    _check_open(ask, now)
    asked = {*ask.opened.need_roles, *(role for rung in ask.rungs for role in rung.to)}
    if not asked & set(people.roles_of(subject)):
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


def _check_voter(ask: AskView, people: Directory, subject: str) -> None:
    if subject == ask.opened.requester or subject in ask.opened.excluded:
        raise Refused(
            Refusal.four_eyes,
            "you requested this rollback or put the release out; somebody else has to decide.",
            _asked(ask),
        )
    if not set(ask.opened.need_roles) & set(people.roles_of(subject)):
        held = spoken(people.roles_of(subject)) if people.roles_of(subject) else "no role"
        raise Refused(
            Refusal.not_your_role,
            f"this decision needs {spoken(ask.opened.need_roles)}; you hold {held}.",
            _asked(ask),
        )


def _asked(ask: AskView) -> str:
    return f"Asked are {spoken(ask.opened.asked)}."

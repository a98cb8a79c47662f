"""Break-glass: acting first in an emergency, and answering for it within a business day (GOV-37…40)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import Field

from countermand.canonical import digest, instant
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.limits import Limits
from countermand.governance.rights import Right
from countermand.governance.signature import refuse_weak
from countermand.governance.working_time import WorkingTime
from countermand.plan.target import Value

MIN_REASON = 20
ROLE = "break_glass"
_DAYS = 30


class Emergency(StrEnum):
    """All that break-glass may do. Quarantine, thresholds, the deny list and holds are out of its reach."""

    stop = "stop"
    disable = "disable"
    last_known_good = "last_known_good"


class BreakGlass(Value):
    """What is wanted: `target_eligible` is about the last known good version, None when it could not be checked."""

    emergency: Emergency
    harm: str
    target_eligible: bool | None


def use_digest(workflow_id: str) -> str:
    """What a second factor confirms for break-glass in the incident of this workflow."""
    return digest({"break_glass": workflow_id})


def asked_for(decision: Decision, *, target_eligible: bool | None) -> BreakGlass | None:
    """What a `break_glass` decision asks for by its terms; None when they name no emergency that there is."""
    emergency = decision.terms.get("emergency", "")
    if emergency not in tuple(Emergency):
        return None
    return BreakGlass(
        emergency=Emergency(emergency), harm=decision.terms.get("harm", ""), target_eligible=target_eligible
    )


def check(wanted: BreakGlass, decision: Decision, directory: Directory, right: Right) -> None:
    """Raise Refused unless this person may break the glass now. The caller has verified the decision's signature.

    `right`: the row `break_glass` of the table in force. The role has to be the person's own.
    """
    actor = decision.actor
    if decision.kind is not DecisionKind.break_glass:
        raise Refused(Refusal.wrong_state, f"{decision.kind.value} is not break-glass.", "Use break-glass itself.")
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if actor.delegated_by is not None or ROLE not in directory.roles_of(actor.subject) or ROLE not in actor.roles:
        people = ", ".join(person.name for person in directory.holders(ROLE)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"break-glass needs the role {ROLE!r} in your own right; it cannot be delegated.",
            f"Call one of: {people}.",
        )
    if right.signature is not None:
        refuse_weak(decision, right.signature)
    if decision.approval_digest != use_digest(decision.addressed_to):
        raise Refused(
            Refusal.stale,
            "what was confirmed with the second factor is not break-glass in this incident.",
            "Open the incident, confirm break-glass there, and send it again.",
        )
    if len(decision.reason.strip()) < MIN_REASON:
        raise Refused(
            Refusal.reason_too_short,
            f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
            "Say in a sentence why this cannot wait.",
        )
    if not wanted.harm.strip():
        raise Refused(Refusal.reason_too_short, "no harm is declared.", "Say what harm to whom is going on.")
    if wanted.emergency is Emergency.last_known_good and wanted.target_eligible is not True:
        raise Refused(
            Refusal.target_not_eligible,
            "the last known good version is not known to be eligible.",
            "Stop or disable instead, or choose an eligible version.",
        )


class Ratification(Value):
    """The approval that follows a use of break-glass. Votes are subject → roles held when they voted; who votes with
    lent roles stands as the one who lent them."""

    used_by: str
    used_at: datetime
    environment: str
    due: datetime
    ratified_by: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    refused_by: str | None = None


def opened(used_by: str, environment: str, at: datetime, calendar: WorkingTime, days: int = 1) -> Ratification:
    """The retro-approval of a use at `at`, due `days` business days later."""
    due = calendar.after_business_days(at, days)
    return Ratification(used_by=used_by, used_at=at, environment=environment, due=due)


Outcome = Literal["open", "ratified", "not_ratified", "expired"]


def outcome(case: Ratification, right: Right, directory: Directory, now: datetime) -> Outcome:
    """Where the retro-approval stands. `right`: the row `decide_plan` at sev1 (GOV-39).

    The person who acted never counts. `expired` is not the end: it can still be ratified or not; until then
    `escalations` says how often somebody must have been told. Nothing is undone automatically.
    """
    if case.refused_by is not None:
        return "not_ratified"
    if not right.missing(_others(case.ratified_by, case.used_by, directory)):
        return "ratified"
    return "expired" if now >= case.due else "open"


def ratify(case: Ratification, decision: Decision, right: Right, directory: Directory) -> Ratification:
    """The case with one more vote: `ratify` approves, `reject` refuses. Raises Refused unless it counts.

    The caller has verified the decision's signature and that it is about this case.
    """
    actor = decision.actor
    if decision.kind not in (DecisionKind.ratify, DecisionKind.reject):
        raise Refused(Refusal.wrong_state, f"{decision.kind.value} does not apply here.", "Use ratify or reject.")
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if case.refused_by is not None or not right.missing(_others(case.ratified_by, case.used_by, directory)):
        raise Refused(Refusal.already_decided, "this use of break-glass is already decided.", "Nothing is needed.")
    person = directory.principal_of(actor.delegated_by.subject if actor.delegated_by else actor.subject)
    if directory.principal_of(case.used_by) in (person, directory.principal_of(actor.subject)):
        raise Refused(Refusal.four_eyes, "you broke the glass, or act for who did.", "Somebody else has to decide.")
    if not set(right.roles) & set(actor.roles):
        raise Refused(
            Refusal.not_your_role,
            f"this needs {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            "Tell somebody who holds one of these roles.",
        )
    if person in case.ratified_by:
        raise Refused(Refusal.already_voted, f"{directory.name_of(person)} is counted already.", "Nothing is needed.")
    if right.signature is not None:
        refuse_weak(decision, right.signature)
    if decision.kind is DecisionKind.reject:
        return case.model_copy(update={"refused_by": person})
    return case.model_copy(update={"ratified_by": {**case.ratified_by, person: actor.roles}})


def escalations(case: Ratification, right: Right, directory: Directory, now: datetime) -> int:
    """How often the overdue retro-approval must have been escalated by `now`: at the due time, then daily."""
    if outcome(case, right, directory, now) != "expired":
        return 0
    return (now - case.due) // timedelta(days=1) + 1


def overuse(used: Sequence[tuple[str, datetime]], environment: str, now: datetime, limits: Limits) -> str:
    """The governance finding about (environment, instant) uses of the last 30 days; empty when there is none."""
    recent = sorted(at for where, at in used if where == environment and now - timedelta(days=_DAYS) < at <= now)
    if len(recent) <= limits.break_glass_uses:
        return ""
    return (
        f"break-glass was used {len(recent)} times in {_DAYS} days in {environment!r}, first at {instant(recent[0])}; "
        f"more than {limits.break_glass_uses} needs a review of why the ordinary way is too slow"
    )


def _others(votes: Mapping[str, tuple[str, ...]], used_by: str, directory: Directory) -> dict[str, tuple[str, ...]]:
    actor = directory.principal_of(used_by)
    return {subject: roles for subject, roles in votes.items() if directory.principal_of(subject) != actor}

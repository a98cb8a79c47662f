"""The commands people may give to a running incident, in words; the workflow judges them again."""

from __future__ import annotations

from dataclasses import dataclass

from console.headline import active_stage
from countermand.governance import break_glass
from countermand.governance.decision import DecisionKind, SignatureClass
from countermand.governance.directory import Directory
from countermand.governance.rights import Action
from countermand.governance.shipped import rights_in_force
from countermand.messages.facts import spoken
from countermand.messages.incident import IncidentView
from countermand.playbook.terms import Severity
from countermand.playbook.units import format_percent

#: Commands in the order of how much they change.
COMMANDS = ("hold", "resume", "ask_again", "proceed_incomplete", "withdraw", "abort", "reverse")


@dataclass(frozen=True)
class Command:
    """One command of this phase: what it does, and who may give it when this person may not."""

    kind: str
    does: str
    permitted: bool
    holders: tuple[str, ...]


def commands(view: IncidentView, people: Directory | None, subject: str) -> list[Command]:
    """Commands of this phase that make sense now."""
    if view.closed is not None or view.phase is None:
        return []
    stage = active_stage(view)
    stopped = stage is not None and stage.state in ("held", "stopped")
    senseless = {"hold"} if stopped else {"resume"} if stage is not None else set()
    does = _does(view)
    roles = set(people.roles_of(subject)) if people else set()
    found = []
    for kind in COMMANDS:
        if kind in view.phase.commands and kind not in senseless:
            allowed = people.governance.rights.get(DecisionKind(kind), ()) if people else ()
            holders = tuple(person.name for person in people.holders(*allowed)) if people else ()
            found.append(Command(kind, does[kind], bool(roles & set(allowed)), holders))
    return found


@dataclass(frozen=True)
class Glass:
    """Whether this person may break the glass in this incident, else who may; `digest` is what a key confirms."""

    permitted: bool
    holders: tuple[str, ...]
    digest: str


def needs_key(people: Directory, action: Action = Action.break_glass) -> bool:
    """Whether the act is signed with a security key, as the table of rights in force says."""
    right = rights_in_force(people.governance).row(action, Severity.sev1)
    return right.signature is SignatureClass.step_up


def glass_state(view: IncidentView, people: Directory | None, subject: str) -> Glass | None:
    """None when there is nothing left to stop or to take back, or nobody can decide."""
    if view.closed is not None or people is None or view.status in ("verifying", "not_verified"):
        return None
    holders = tuple(person.name for person in people.holders(break_glass.ROLE))
    own = break_glass.ROLE in people.roles_of(subject)
    return Glass(own, holders, break_glass.use_digest(view.opened.workflow_id))


def _does(view: IncidentView) -> dict[str, str]:
    before = "the recorded share"
    if view.plan is not None:
        before = f"{format_percent(view.plan.before.candidate_bp)} of users, as recorded before the first stage"
        if view.plan.followers:
            before += f", and bring back {spoken(tuple(one.name for one in view.plan.followers))}"
    verifying = view.status in ("verifying", "not_verified")
    ended = view.investigation.ended if view.investigation else None
    resume = "Verify again with new answers." if verifying else "Go on with this stage."
    if view.status == "held" and ended is not None and ended.outcome == "adjust":
        resume = "Confirm that the adjusted candidate is registered. The incident is closed; nobody went back."
    abort = "Stop here for good. Users stay where they are now; a review follows."
    again = "Read the target again, make a new plan and ask for approval now."
    if view.freeze_gap is not None and view.waiver is None and view.plan is None:
        again = "Try once more to copy what is missing. Nothing is changed meanwhile."
    return {
        "hold": "Stay at this stage. Nothing moves until somebody resumes.",
        "resume": resume,
        "ask_again": again,
        "proceed_incomplete": "Go on without the missing evidence. The review shows that you decided it and why.",
        "withdraw": "Take the request back. Nothing is rolled back and the incident is closed.",
        "abort": "Close now, with what is shown so far." if verifying else abort,
        "reverse": f"Undo the rollback: give the candidate back {before}.",
    }


def waits_for_people(view: IncidentView) -> bool:
    """Whether nothing more happens until a person gives a command, or until the time for it is over."""
    stage = active_stage(view)
    stopped = stage is not None and stage.state in ("held", "stopped", "partial")
    return stopped or view.status in ("held", "not_verified")

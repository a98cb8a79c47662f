"""What people decide about a duty that they are asked to do: it is done, or it is left out this time."""

from __future__ import annotations

from typing import Literal

from countermand.canonical import digest
from countermand.governance.ballot import refuse_short
from countermand.governance.decision import Decision, DecisionKind, GatewayKeys, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.ledger.cadence_bodies import CadenceDone, CadenceSkipped, Decided, Verdict
from countermand.plan.target import Value
from countermand.playbook.model import Playbook

#: Most minutes of people that one run can have taken: a week.
MOST_MINUTES = 10_080
#: Who is asked when nobody was free twice.
EXECUTIVE = "executive"
#: Most characters of a note.
MAX_NOTE = 2_000
_VERDICTS: tuple[Verdict, ...] = ("keep", "change", "shadow")


class DutyAsked(Value):
    """The run that people are asked in. criteria: those a threshold review decides on, by name."""

    duty: str
    subject: str
    workflow_id: str
    asks: tuple[str, ...]
    criteria: tuple[str, ...] = ()


def criteria_of(playbook: Playbook) -> tuple[str, ...]:
    """Every criterion of a playbook by name: its trigger and its signal, counted where one stands twice."""
    names: list[str] = []
    for trigger in playbook.detection.triggers:
        for criterion in trigger.criteria:
            name = f"{trigger.id}/{criterion.signal}"
            same = sum(one == name or one.startswith(f"{name}#") for one in names)
            names.append(f"{name}#{same + 1}" if same else name)
    return tuple(names)


def terms(
    act: Literal["done", "skip"], duty: str, subject: str, *, minutes: int = 0, criteria: dict[str, str] | None = None
) -> dict[str, str]:
    """As a decision carries it. `duty` is `id`, or `id/playbook` where it is about one."""
    said = {"act": act, "duty": f"{duty}/{subject}" if subject else duty}
    if act == "done":
        said["minutes"] = str(minutes)
    if criteria:
        said["criteria"] = ",".join(f"{name}={verdict}" for name, verdict in sorted(criteria.items()))
    return said


def terms_digest(said: dict[str, str]) -> str:
    """What is signed, as a digest."""
    return digest({"do_duty": said})


def check(asked: DutyAsked, decision: Decision, keys: GatewayKeys, directory: Directory) -> None:
    """Raise Refused unless this person may say this about the duty now."""
    keys.verify(decision)
    if decision.addressed_to != asked.workflow_id or decision.kind is not DecisionKind.do_duty:
        raise Refused(Refusal.wrong_state, f"{decision.kind.value} does not apply to a duty.", "Look at /cadence.")
    actor = decision.actor
    if actor.principal != "person":
        raise Refused(Refusal.actor_not_a_person, "automation can never decide.", "A person has to sign in and decide.")
    if directory.is_excluded(actor.subject):
        raise Refused(Refusal.external_account, f"{actor.subject!r} may not take part.", "Use your own account.")
    if not set(asked.asks) & set(actor.roles):
        people = ", ".join(person.name for person in directory.holders(*asked.asks)) or "nobody"
        raise Refused(
            Refusal.not_your_role,
            f"this needs {' or '.join(asked.asks)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Ask one of: {people}.",
        )
    said = decision.terms
    if said.get("duty") != (f"{asked.duty}/{asked.subject}" if asked.subject else asked.duty):
        raise Refused(Refusal.stale, f"{said.get('duty')!r} is not the duty that is asked here.", "Look at /cadence.")
    match said.get("act"):
        case "skip":
            refuse_short(decision)
        case "done":
            _minutes(said)
            _verdicts(asked, said)
        case other:
            raise Refused(Refusal.wrong_state, f"{other!r} is not known here.", "Write done or skip.")


def body_of(asked: DutyAsked, decision: Decision) -> CadenceDone | CadenceSkipped:
    """The record of a decision that `check` accepted."""
    run = {"duty": asked.duty, "subject": asked.subject, "workflow_id": asked.workflow_id}
    who = {"decision_id": decision.decision_id, "name": decision.actor.printed_name}
    if decision.terms["act"] == "skip":
        return CadenceSkipped(**run, **who, reason=decision.reason)
    criteria = _verdicts(asked, decision.terms)
    minutes = _minutes(decision.terms)
    decided = f", {len(criteria)} of {len(asked.criteria)} criteria decided" if asked.criteria else ""
    return CadenceDone(
        **run,
        **who,
        result="done",
        sentence=f"Done, {minutes} minutes of people{decided}.",
        minutes=minutes,
        criteria=tuple(Decided(criterion=name, verdict=word) for name, word in sorted(criteria.items())),
        note=decision.reason or None,
    )


def _minutes(said: dict[str, str]) -> int:
    given = said.get("minutes", "")
    if not given.isascii() or not given.isdigit() or not 0 < int(given[:9]) <= MOST_MINUTES:
        raise Refused(
            Refusal.wrong_state,
            f"{given!r} is no number of minutes.",
            f"Write how many minutes it took of people, 1 to {MOST_MINUTES}.",
        )
    return int(given)


def _verdicts(asked: DutyAsked, said: dict[str, str]) -> dict[str, Verdict]:
    decided: dict[str, Verdict] = {}
    for part in filter(None, said.get("criteria", "").split(",")):
        name, _, word = part.rpartition("=")
        verdict = next((one for one in _VERDICTS if one == word), None)
        if name not in asked.criteria or verdict is None:
            raise Refused(
                Refusal.wrong_state,
                f"{part!r} is not accepted.",
                f"Write keep, change or shadow for: {', '.join(asked.criteria) or 'nothing; no criteria are asked'}.",
            )
        decided[name] = verdict
    return decided

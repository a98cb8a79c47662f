"""People who say that a release is bad: a proposal, an emergency, a concern (governance.md §1 and GOV-37, R20).

What they say is a signed Decision with `terms`; these rules read it, judge it, and put it into words. The words of a
person are quoted and fenced wherever others read them.
"""

from __future__ import annotations

from enum import StrEnum

from countermand.canonical import digest
from countermand.governance.approval import MIN_REASON
from countermand.governance.decision import Decision, DecisionKind, Refusal, Refused
from countermand.governance.directory import Directory
from countermand.governance.rights import Action, Right, RightsTable
from countermand.governance.signature import refuse_weak
from countermand.ledger.bodies import VerdictChanged
from countermand.messages.fencing import fenced
from countermand.plan.target import Value
from countermand.playbook.terms import Severity

#: Most characters of a declared harm.
MAX_HARM = 300


class Mode(StrEnum):
    """propose: people are asked to approve a rollback. emergency: the same, and everybody is told at once. unfairness:
    a pattern is reported; it is investigated before anything is changed (GOV-32)."""

    propose = "propose"
    emergency = "emergency"
    unfairness = "unfairness"


#: What a declaration is called as a trigger, and in words.
_SAID = {
    Mode.propose: ("rollback_proposed", "proposes a rollback"),
    Mode.emergency: ("emergency_declared", "declared an emergency"),
    Mode.unfairness: ("unfairness_reported", "reports a pattern of unfairness"),
}


class Declaration(Value):
    """What a person declares. `harm`: what is going on and whom it hits, in their words."""

    mode: Mode
    severity: Severity
    harm: str

    @property
    def terms(self) -> dict[str, str]:
        """As they are signed."""
        return {"mode": self.mode.value, "severity": self.severity.value, "harm": self.harm}


def declared(decision: Decision) -> Declaration:
    """What a `declare` decision says. Raises Refused when its terms are not whole."""
    return Declaration(
        mode=Mode(_one_of(decision, "mode", tuple(Mode))),
        severity=severity_of(decision),
        harm=harm_of(decision),
    )


def severity_of(decision: Decision) -> Severity:
    """The severity somebody gives. Raises Refused."""
    return Severity(_one_of(decision, "severity", tuple(Severity)))


def harm_of(decision: Decision) -> str:
    """The declared harm. Raises Refused when it is missing or too long."""
    harm = decision.terms.get("harm", "").strip()
    if not MIN_REASON <= len(harm) <= MAX_HARM:
        raise Refused(
            Refusal.reason_too_short,
            f"the harm {harm[:60]!r} has {len(harm)} characters; {MIN_REASON} to {MAX_HARM} are accepted.",
            "Say in a sentence what goes wrong for whom.",
        )
    return harm


def right_to(kind: DecisionKind, severity: Severity, table: RightsTable, mode: str = Mode.propose) -> Right:
    """The row that governs a declaration of this mode, or a concern."""
    if kind is DecisionKind.raise_concern:
        return table.row(Action.raise_concern, severity)
    return table.row(Action.report_unfairness if mode == Mode.unfairness else Action.propose, severity)


def check(decision: Decision, directory: Directory, right: Right) -> None:
    """Raise Refused unless this person may say this now. The caller has verified the signature and the terms.

    `right`: the row that `right_to` names.
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
            f"this needs the role {' or '.join(right.roles)}; you hold {', '.join(actor.roles) or 'no role'}.",
            f"Tell one of: {people}.",
        )
    if right.signature is not None:
        refuse_weak(decision, right.signature)
    if len(decision.reason.strip()) < MIN_REASON:
        raise Refused(
            Refusal.reason_too_short,
            f"the reason {decision.reason.strip()!r} is shorter than {MIN_REASON} characters.",
            "Say in a sentence why; it stands in the record.",
        )


def statement(decision: Decision) -> VerdictChanged:
    """A declaration as the verdict that opens or joins an incident. It says in words that a person declared it, and
    rests on no measurement. Raises Refused like `declared`."""
    said = declared(decision)
    actor = decision.actor
    roles = ", ".join(role.replace("_", " ") for role in actor.roles)
    trigger, did = _SAID[said.mode]
    return VerdictChanged(
        watch_id=f"decision/{decision.decision_id}",
        word="trigger",
        severity=said.severity.value,
        trigger=trigger,
        sentence=f"{actor.printed_name} ({roles}) {did}, {said.severity.value}. In their words, the harm: "
        f"“{fenced(said.harm)}” The reason: “{fenced(decision.reason)}”",
        row=0,
        evidence_digest=digest(decision.model_dump(mode="json")),
        verdicts=(),
        said_by=actor.subject,
    )


def _one_of(decision: Decision, term: str, values: tuple[StrEnum, ...]) -> str:
    said = decision.terms.get(term, "")
    if said not in values:
        raise Refused(
            Refusal.wrong_state,
            f"{term} {said!r} is not known.",
            f"Accepted: {', '.join(values)}.",
        )
    return said

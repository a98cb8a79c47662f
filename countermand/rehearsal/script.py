"""The words of a scenario's script: what people can do in it, and which events it can wait for (LRN-22).

An event is what a record of the Ledger says happened; the same function tells the conductor when to act and the oracle
what happened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from typing import get_args

from countermand.governance.ask import ApprovalStatus
from countermand.governance.decision import Refusal
from countermand.ledger import bodies as b
from countermand.ledger.record import Kind, Record
from countermand.ledger.stage_bodies import StageWord
from countermand.playbook.model import Playbook


class ActKind(StrEnum):
    """What a person of a scenario can do. Most are decisions; the others leave records of their own."""

    approve = "approve"
    reject = "reject"
    retract = "retract"
    withdraw = "withdraw"
    acknowledge = "acknowledge"
    extend = "extend"
    hold = "hold"
    resume = "resume"
    abort = "abort"
    reverse = "reverse"
    ask_again = "ask_again"
    proceed_incomplete = "proceed_incomplete"
    declare = "declare"
    propose = "propose"
    raise_concern = "raise_concern"
    break_glass = "break_glass"
    ratify = "ratify"
    finding = "finding"
    clear_evidence = "clear_evidence"
    deny_version = "deny_version"
    place_hold = "place_hold"
    record_fact = "record_fact"
    record_anchor = "record_anchor"
    file_report = "file_report"
    register_release = "register_release"
    sign_review = "sign_review"


#: Acts whose decision has another name in the Ledger.
_DECISIONS = {"propose": "declare", "record_fact": "keep_obligation", "record_anchor": "keep_obligation"} | {
    "file_report": "keep_obligation",
    "finding": "decide_finding",
}

#: What a refusal can be called: the reason codes of decisions, and the two reasons a release is not registered.
CODES = (*(code.value for code in Refusal), "candidate_denied", "candidate_quarantined")

_STAGE = re.compile(r"stage_([1-9][0-9]?)_([a-z]+)")
_CHECK = re.compile(r"check_([a-z][a-z0-9_-]*)_(pass|fail|unknown)")


def decision_of(act: ActKind) -> str:
    """The kind of the decision that an act becomes, as the Ledger names it."""
    return _DECISIONS.get(act.value, act.value)


def _words(body: type[b.Body], field: str) -> tuple[str, ...]:
    return get_args(body.model_fields[field].annotation)


#: Events that do not depend on the playbook.
EVENTS = frozenset(
    {
        *("release_registered", "release_refused", "incident_opened", "incident_closed", "all_clear"),
        *("evidence_frozen", "evidence_incomplete", "evidence_waived", "plan_made", "gate_clear", "gate_doubtful"),
        *("ask_opened", "ask_acknowledged", "ask_extended", "ask_remind", "ask_escalate", "default_taken"),
        *("decision_refused", "glass_broken", "breach", "concern_raised", "quarantined", "message_failed"),
        *("rollout_held", "rollout_ended", "consent_opened", "consent_overdue", "clock_started", "report_filed"),
        *("hold_placed", "review_drafted", "review_closed", "verdict_ok", "verdict_watch", "verdict_unknown"),
        *("verdict_trigger", "update_overdue", "version_marked"),
        *(f"phase_{word}" for word in _words(b.IncidentPhase, "phase")),
        *(f"closed_{word}" for word in _words(b.IncidentClosed, "outcome")),
        *(f"gate_{word}" for word in _words(b.GateDecided, "act")),
        *(f"vote_{word}" for word in _words(b.AskVote, "vote")),
        *(f"ask_{word.value}" for word in ApprovalStatus if word is not ApprovalStatus.pending),
        *(f"default_{word}" for word in _words(b.AskDefaulted, "action")),
        *(f"outcome_{word}" for word in _words(b.StageOutcome, "result")),
        *(f"guard_{word}" for word in _words(b.GuardState, "state")),
        *(f"consent_{word}" for word in _words(b.ConsentClosed, "status")),
        *(f"finding_{word}" for word in _words(b.InvestigationFound, "outcome")),
        *("investigation_opened", "investigation_ended", "investigation_overridden"),
    }
)


def events_of(record: Record) -> tuple[str, ...]:
    """What the record says happened, by the names that a scenario uses; empty when it waits for nothing like it."""
    body = b.parse_body(record)
    match body:
        case b.VerdictChanged():
            return (f"verdict_{body.word}",)
        case b.IncidentPhase():
            return (f"phase_{body.phase}",)
        case b.IncidentClosed():
            clear = ("all_clear",) if body.outcome == "reverted" else ()
            return ("incident_closed", f"closed_{body.outcome}", *clear)
        case b.GateDecided():
            return (f"gate_{body.act}", "gate_clear" if body.clear else "gate_doubtful")
        case b.AskRung() if body.do in ("remind", "escalate"):
            return (f"ask_{body.do}",)
        case b.AskVote():
            return (f"vote_{body.vote}",)
        case b.AskClosed():
            return (f"ask_{body.status}",)
        case b.AskDefaulted():
            return ("default_taken", f"default_{body.action}")
        case b.StageState():
            return (f"stage_{body.stage}_{body.state}",)
        case b.StageOutcome():
            return (f"outcome_{body.result}",)
        case b.CheckDone():
            return (f"check_{body.name}_{body.word}",)
        case b.GuardState():
            return (f"guard_{body.state}",)
        case b.InvestigationFound() if not body.missing:
            return (f"finding_{body.outcome}",)
        case b.ConsentClosed():
            return (f"consent_{body.status}",)
        case _:
            return _PLAIN.get(record.kind, ())


_PLAIN: dict[Kind, tuple[str, ...]] = {
    Kind.release_registered: ("release_registered",),
    Kind.release_refused: ("release_refused",),
    Kind.incident_opened: ("incident_opened",),
    Kind.freeze_completed: ("evidence_frozen",),
    Kind.freeze_incomplete: ("evidence_incomplete",),
    Kind.freeze_waived: ("evidence_waived",),
    Kind.plan: ("plan_made",),
    Kind.ask_opened: ("ask_opened",),
    Kind.ask_acknowledged: ("ask_acknowledged",),
    Kind.ask_extended: ("ask_extended",),
    Kind.decision_refused: ("decision_refused",),
    Kind.glass_broken: ("glass_broken",),
    Kind.requarantine_breach: ("breach",),
    Kind.concern_raised: ("concern_raised",),
    Kind.version_quarantined: ("quarantined",),
    Kind.version_marked: ("version_marked",),
    Kind.comms_failed: ("message_failed",),
    Kind.update_overdue: ("update_overdue",),
    Kind.rollout_held: ("rollout_held",),
    Kind.rollout_ended: ("rollout_ended",),
    Kind.consent_opened: ("consent_opened",),
    Kind.consent_overdue: ("consent_overdue",),
    Kind.obligation_clock: ("clock_started",),
    Kind.obligation_filed: ("report_filed",),
    Kind.hold_placed: ("hold_placed",),
    Kind.investigation_opened: ("investigation_opened",),
    Kind.investigation_overridden: ("investigation_overridden",),
    Kind.investigation_ended: ("investigation_ended",),
    Kind.review_drafted: ("review_drafted",),
    Kind.review_closed: ("review_closed",),
}


def unknown_event(event: str, playbook: Playbook) -> str:
    """Why nothing can ever be called this under the playbook, and what would be accepted; empty when it can."""
    if event in EVENTS:
        return ""
    if stage := _STAGE.fullmatch(event):
        last = len(playbook.revert.stages)
        words = get_args(StageWord)
        if int(stage[1]) <= last and stage[2] in words:
            return ""
        return f"{event!r} never happens; write stage_1 to stage_{last} and {spoken(words)}"
    if check := _CHECK.fullmatch(event):
        names = sorted(
            {one.id for one in playbook.data_integrity.checks} | {"configured", "observed", *playbook.detection.signals}
        )
        return "" if check[1] in names else f"{event!r} names no check; write check_ and {spoken(names)} and the word"
    alike = get_close_matches(event, sorted(EVENTS), n=4, cutoff=0.4) or ["ask_opened"]
    return f"{event!r} is no event; events like it: {spoken(alike)}; all of them are in docs/rehearsals.md"


def spoken(options: Iterable[str]) -> str:
    """`a, b or c`."""
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last

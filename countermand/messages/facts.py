"""The one list of facts every message is rendered from: a pure function of the Ledger (COM-5).

Two messages made from the same Ledger state cannot contradict each other, because nothing else feeds them.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from countermand.governance.gates import CLEAR
from countermand.ledger.release_bodies import BREACH
from countermand.messages.fencing import fenced
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.investigation import slice_lines
from countermand.plan.build import stage_sentence
from countermand.playbook.model import Step
from countermand.playbook.units import format_percent


def utc(at: datetime) -> str:
    """`2026-11-20 03:14:07 UTC`."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC")


def in_words(span: timedelta) -> str:
    """A duration as people say it: `45 seconds`, `12 minutes`, `3 hours`, `5 days`."""
    seconds = round(span.total_seconds())
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size or seconds == size:
            count = round(seconds / size)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return f"{seconds} second{'s' if seconds != 1 else ''}"


def spoken(names: list[str] | tuple[str, ...]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    names = [name.replace("_", " ") for name in names]
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nobody"


DEFAULT_WORDS = {
    "hold": "nothing is changed: the candidate keeps its present share of users, the incident stays open, "
    "and approval is asked again",
    "abort": "the request is closed without any change, and a review is opened",
    "proceed": "the plan is carried out if a standing authorisation covers it and people could have said no; else "
    "nothing is changed, and approval is asked again",
}


def default_words(ask: AskView) -> str:
    """What happens, or happened, because nobody decided."""
    taken = ask.defaulted
    if taken is None:
        return DEFAULT_WORDS[ask.opened.default]
    if taken.action == "proceed":
        return f"the plan is carried out under standing authorisation {taken.authorisation_id!r}"
    words = DEFAULT_WORDS[taken.action]
    return f"{words}; it does not proceed: {'; '.join(taken.degraded)}" if taken.degraded else words


def gate_lines(view: IncidentView) -> tuple[str, ...]:
    """Why people decide, where the newest gate says so: each clause that does not hold."""
    gate = view.gate
    if gate is None or view.plan is None or gate.plan_digest != view.plan.digest or gate.act == "automatic":
        return ()
    if gate.clear:
        return tuple(f"not automatic: {clause}" for clause in gate.because if clause != CLEAR)
    return tuple(f"not clear: {clause}" for clause in gate.because)


def facts(
    view: IncidentView,
    *,
    step: Step,
    console_url: str,
    reask_every: timedelta,
    next_update_at: datetime | None = None,
) -> dict[str, Any]:
    """Facts for messages about `step`. Unknown things are said to be unknown, never left blank or zero.

    `next_update_at`: what is promised to people outside the responders; a timer has to stand behind it.
    """
    opened = view.opened
    known: dict[str, Any] = {
        "step": step.value,
        "incident_id": view.incident_id,
        "service": opened.service,
        "environment": opened.environment,
        "release_id": view.release_id,
        "severity": opened.severity,
        "candidate_name": opened.candidate_name,
        "baseline_name": opened.baseline_name,
        "trigger": opened.trigger,
        "verdict_sentence": opened.sentence,
        "opened_at": utc(view.opened_at),
        "console_url": f"{console_url}/incidents/{view.incident_id}",
        "candidate_share": format_percent(view.candidate_bp) if view.candidate_bp is not None else "not yet read",
        "unknowns": unknowns(view),
        "next_update": _next_update(view, reask_every, next_update_at),
        "state": state_in_words(view),
        "ask": _ask(view.ask, reask_every),
        "plan": _plan(view),
        "automatic": _automatic(view),
        "decision": _decision(view.ask),
        "stage": _stage(view),
        "stop": _stop(view),
        "verification": {
            "sentence": " ".join(f"{c.name.replace('_', ' ')}: {c.sentence}" for c in _newest_checks(view))
            or "not done yet"
        },
        "review": _review(view),
        "statement": view.statement.sentence if view.statement else None,
        "glass": _glass(view),
        "breach": _breach(view),
        "investigation": _investigation(view),
    }
    return known


#: What people outside the responders read where no timer stands behind a promise.
NO_PROMISE = "as soon as there is news"


def _next_update(view: IncidentView, reask_every: timedelta, at: datetime | None) -> str:
    if view.closed is not None:
        return "none, the incident is over"
    if at is not None:
        return f"by {utc(at)} at the latest"
    return f"at every step, and at the latest in {in_words(reask_every)}"


_ENDED = {
    "adjusted": "it was looked into and something was adjusted instead of going back",
    "continued": "it was looked into and the new version stays in use; it is watched more closely",
    "reverted": "it works well again: everybody is on the earlier version, and that has been measured",
    "reverted_not_verified": "everybody is on the earlier version, but it could not be shown that it works well",
    "reversed": "the way back was undone on purpose; the new version is in use as before",
    "aborted": "the way back was ended by people; nothing more is changed",
    "rejected": "people looked at it and decided to keep the new version in use",
}


def state_in_words(view: IncidentView) -> str:
    """How things stand, in fixed words that people outside the responders may read (COM-8)."""
    if view.closed is not None:
        return _ENDED.get(view.closed.outcome, "it was ended without a change; a review looks into it")
    begun = [stage for stage in view.stages if stage.started_at is not None]
    if not begun and view.status == "paused_for_investigation":
        return "nothing is changed yet; it is looked into who is served worse before anything is"
    if not begun:
        return "nothing is changed yet; people are deciding what to do"
    done = sum(stage.state == "completed" for stage in view.stages)
    if done == len(view.stages):
        return "everybody is back on the earlier version; it is being checked that it works well"
    return f"people are being taken back to the earlier version: {done} of {len(view.stages)} stages are complete"


def unknowns(view: IncidentView) -> list[str]:
    """What is not known yet, in words."""
    missing = ["the cause: the review will look for it"]
    if view.freeze is None:
        missing.append("how many users saw a bad answer before the watch noticed")
    if view.waiver is not None:
        missing.append(f"what was not copied before something was changed: {view.waiver.missing}")
    missing += [f"{c.name.replace('_', ' ')}: {c.sentence}" for c in _newest_checks(view) if c.word == "unknown"]
    return missing


def _newest_checks(view: IncidentView) -> list[Any]:
    return list({check.name: check for check in view.verification}.values())


def _ask(ask: AskView | None, reask_every: timedelta) -> dict[str, Any] | None:
    if ask is None:
        return None
    opened = ask.opened
    return {
        "id": opened.ask_id,
        "digest12": opened.approval_digest.removeprefix("sha256:")[:12],
        "have": ask.have,
        "need": opened.need_people,
        "missing": [role.replace("_", " ") for role in ask.missing],
        "deadline": utc(ask.expires_at),
        "deadline_relative": in_words(ask.expires_at - opened.opened_at) + " after the request",
        "default_words": default_words(ask) + (f" after {in_words(reask_every)}" if opened.default == "hold" else ""),
        "people": list(opened.asked),
    }


def _plan(view: IncidentView) -> dict[str, Any] | None:
    if view.plan is None:
        return None
    return {
        "digest12": view.plan.digest.removeprefix("sha256:")[:12],
        "stages": [stage_sentence(view.plan, stage) for stage in view.plan.stages],
        "expected_minutes": max(1, round(view.plan.expected_duration / timedelta(minutes=1))),
        "warnings": list(view.plan.warnings),
    }


def _automatic(view: IncidentView) -> dict[str, Any] | None:
    """Under which standing authorisation the plan runs without a decision of people."""
    gate, taken = view.gate, view.ask.defaulted if view.ask else None
    if taken is not None and taken.action == "proceed":
        return {"authorisation": taken.authorisation_id, "why": "nobody decided in time"}
    if gate is not None and gate.act == "automatic":
        return {"authorisation": gate.authorisation_id, "why": "; ".join(gate.because)}
    return None


def _decision(ask: AskView | None) -> dict[str, Any] | None:
    if ask is None or ask.closed is None:
        return None
    votes = ask.standing_votes
    if ask.defaulted is not None and ask.defaulted.action == "proceed":
        by = f"standing authorisation {ask.defaulted.authorisation_id}"
        return {"outcome": ask.closed.status, "because": ask.closed.because, "by": [by], "reason": ask.closed.because}
    return {
        "outcome": ask.closed.status,
        "because": ask.closed.because,
        "by": [vote.name for vote in votes] or ["nobody"],
        "reason": "; ".join(vote.reason for vote in votes if vote.reason) or "none given",
    }


def _stage(view: IncidentView) -> dict[str, Any] | None:
    begun = [stage for stage in view.stages if stage.started_at is not None]
    if not begun:
        return None
    stage = begun[-1]
    return {
        "number": stage.number,
        "of": len(view.stages),
        "give_back": format_percent(stage.give_back_bp),
        "candidate_share": format_percent(stage.candidate_bp),
        "state": stage.state,
        "sentence": stage.sentence or "under way",
    }


def _stop(view: IncidentView) -> dict[str, Any] | None:
    words = ("stopped", "held", "aborted", "reversed", "partial", "compensated")
    stopped = next((stage for stage in reversed(view.stages) if stage.state in words), None)
    if stopped is None:
        return None
    phase = view.phase.sentence if view.phase else "people are asked what to do"
    return {"why": stopped.sentence, "next": phase}


def _review(view: IncidentView) -> dict[str, Any] | None:
    if view.review is None:
        return None
    return {"due": utc(view.review.due), "owner": view.review.owner.replace("_", " ")}


def _breach(view: IncidentView) -> str | None:
    """That a version in quarantine is back: what opened this incident, or what was seen after it was over."""
    if view.breach is not None:
        return view.breach.sentence
    return view.statement.sentence if view.statement and view.statement.trigger == BREACH else None


#: What break-glass does, in words.
GLASS_WORDS = {
    "stop": "everything is held where it is",
    "disable": "the candidate is switched off: all users get the baseline",
    "last_known_good": "all users go back to the last known good version",
}


def _investigation(view: IncidentView) -> dict[str, Any] | None:
    """What is looked into, by whom until when; with how it ended once it has."""
    found = view.investigation
    if found is None:
        return None
    return {
        "because": "; ".join(found.opened.because),
        "asked": list(found.opened.asked) or ["nobody: no one holds the role"],
        "until": utc(found.until),
        "slices": list(slice_lines(found.slices)) or ["no numbers could be had"],
        "news": found.rungs[-1].sentence if found.rungs else "",
        "beside": [one.sentence for one in found.overridden],
        "ended": found.ended.sentence if found.ended else "it is still open",
    }


def _glass(view: IncidentView) -> dict[str, Any] | None:
    if not view.glass:
        return None
    broken = view.glass[-1]
    return {
        "name": broken.name,
        "does": GLASS_WORDS[broken.emergency],
        "sentence": broken.sentence,
        "harm": fenced(broken.harm),
        "reason": fenced(broken.reason),
        "ratify_by": utc(broken.ratify_by),
    }

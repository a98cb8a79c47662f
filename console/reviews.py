"""Reviews for pages, API and command line: what is written, what has to be done, and since when it waits."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from activities.review_keeping import WHOLE, situation_of
from console.decide import Act as Deed
from console.decide import Person
from console.deps import Console
from countermand.canonical import instant
from countermand.governance.decision import DecisionKind, Refused
from countermand.governance.directory import Directory
from countermand.ledger.record import Kind
from countermand.messages.facts import in_words
from countermand.plan.target import Value
from countermand.review import acts
from countermand.review.actions import ACTIONS, ActionState
from countermand.review.acts import Situation
from countermand.review.lint import Remark
from countermand.review.parts import ASKED, Part
from workflows.decisions import Answer

#: What a form or a request may say beside its reason.
TERMS = (
    *("act", "part", "text", "factors", "others", "action", "type", "owner", "due", "verification", "link"),
    *("before_re_release", "done", "result", "sha256"),
)


class Waits(Value):
    """One review or action that waits. since: when it was due; None where it is not over yet."""

    incident_id: str
    action_id: str | None
    title: str
    due: datetime
    overdue: bool
    age: str
    state: str


async def one(deps: Console, incident_id: str) -> Situation | None:
    """The review as it stands; None before it is drafted, and for drafts of older versions."""
    mine = await deps.ledger.records(incident_id=incident_id, kinds=WHOLE)
    try:
        return situation_of(mine, await deps.ledger.records(kinds=ACTIONS), incident_id, deps.clock())
    except Refused:
        return None


async def waiting(deps: Console) -> list[Waits]:
    """Open reviews and open actions, the longest overdue first: by review, never by person (LRN-5)."""
    drafted = await deps.ledger.records(kinds=[Kind.review_drafted])
    now, found = deps.clock(), dict[str, Waits]()
    for record in drafted:
        seen = await one(deps, record.incident_id or "")
        if seen is None:
            continue
        state = seen.state
        if state.closed is None:
            title = f"Review of {state.incident_id}"
            found[state.incident_id] = _waits(state.incident_id, None, title, state.drafted.due, "pending", now)
        for action in seen.actions:
            if action.open:
                title = f"{action.type}: {action.what}"
                name = action.incident_id
                found[action.action_id] = _waits(name, action.action_id, title, action.due, action.state, now)
    return sorted(found.values(), key=lambda waits: waits.due)


async def act(
    deps: Console,
    person: Person,
    channel: Literal["web", "api"],
    incident_id: str,
    *,
    terms: dict[str, str],
    reason: str = "",
    decision_id: str | None = None,
) -> Answer:
    """Have somebody write, open, change, verify, drop or waive. Raises Refused or OutcomeUnknown."""
    deed = Deed(
        kind=DecisionKind.keep_review,
        incident_id=incident_id,
        reason=reason,
        decision_id=decision_id,
        terms={name: value for name, value in terms.items() if name in TERMS and value},
    )
    return await deps.gate.decide(deed, person, channel)


def remarks(seen: Situation, directory: Directory | None) -> dict[Part, tuple[Remark, ...]]:
    """Remarks about the wording of every part as it stands."""
    if directory is None:
        return {}
    return {part: acts.remarks(part, written.text, directory) for part, written in seen.state.parts.items()}


def review_json(seen: Situation, directory: Directory | None) -> dict[str, Any]:
    """`countermand.review/v1`."""
    state, said = seen.state, remarks(seen, directory)
    quorum = acts.quorum(state, seen.sign_off)
    return {
        "schema": "countermand.review/v1",
        "incident_id": state.incident_id,
        "form": state.form,
        "state": state.status,
        "owner": state.drafted.owner,
        "due": instant(state.drafted.due),
        "meeting_at": instant(state.drafted.meeting_at) if state.drafted.meeting_at else None,
        "overdue": state.overdue(seen.now),
        "draft_sha256": state.drafted.draft_sha256,
        "missing": [part.value for part in state.missing],
        "cannot_be_waived": seen.must,
        "dismissed_remarks": state.dismissed,
        "parts": [
            {
                "part": part.value,
                "title": ASKED[part].title,
                "required": part.value in state.drafted.required,
                "text": state.parts[part].text if part in state.parts else "",
                "factors": list(state.parts[part].factors) if part in state.parts else [],
                "remarks": [one.model_dump(mode="json") for one in said.get(part, ())],
            }
            for part in Part
        ],
        "signed": [{"name": one.name, "publication": one.publication} for one in state.signatures],
        "have": quorum.people,
        "need": quorum.people_needed,
        "still_needed": list(quorum.missing),
        "publication": state.publication,
        "actions": [action_json(one, seen.now) for one in seen.actions],
    }


def action_json(one: ActionState, now: datetime) -> dict[str, Any]:
    return {
        "action_id": one.action_id,
        "incident_id": one.incident_id,
        "state": one.state,
        "type": one.type,
        "what": one.what,
        "owner": one.owner_name,
        "due": instant(one.due),
        "overdue": one.overdue(now),
        "age": in_words(now - one.opened_at),
        "verification": one.verification,
        "link": one.link,
        "before_re_release": one.before_re_release,
        "prevents": list(one.prevents),
        "reopened_by": list(one.reopened_by),
        "said": one.said,
        "result_sha256": one.result_sha256,
    }


def _waits(incident_id: str, action_id: str | None, title: str, due: datetime, state: str, now: datetime) -> Waits:
    late = now - due
    age = f"{in_words(late)} late" if late > timedelta() else f"due in {in_words(-late)}"
    return Waits(
        incident_id=incident_id,
        action_id=action_id,
        title=title,
        due=due,
        overdue=late > timedelta(),
        age=age,
        state=state,
    )

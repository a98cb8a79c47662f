"""What people are told when a review or one of its actions waits (LRN-1, LRN-5)."""

from __future__ import annotations

from collections.abc import Mapping

from countermand.messages.facts import spoken, utc
from countermand.review.actions import ActionState
from countermand.review.calls import MEETING, SOON, Call
from countermand.review.parts import ASKED
from countermand.review.state import ReviewState


def call_text(
    call: Call,
    state: ReviewState,
    action: ActionState | None,
    roles: Mapping[str, tuple[str, ...]],
    console_url: str,
) -> tuple[str, str]:
    """(subject, text): what waits since when, who is asked to do what, and what happens if nobody does.

    roles: who is told beside the owner of an action, with their holders.
    """
    asked = [
        f"{role.replace('_', ' ')} ({spoken(names) if names else 'nobody holds this role'})"
        for role, names in roles.items()
    ]
    if action is not None:
        asked.insert(0, action.owner_name)
    where = f"{console_url}/reviews/{state.incident_id}"
    subject, first, wanted = _action(call, action) if action else _review(call, state)
    return subject, "\n\n".join(
        (
            first,
            f"For: {spoken(tuple(asked))}.",
            f"What is asked: {wanted}",
            f"If nothing is done: it stays open, and people are told again on {utc(call.coming)}; the longer it takes, "
            "the more of them.",
            where,
        )
    )


def _review(call: Call, state: ReviewState) -> tuple[str, str, str]:
    missing = spoken(tuple(ASKED[part].title for part in state.missing))
    wanted = (
        f"write what is missing ({missing}), then sign."
        if missing
        else "read it and sign. Everything that has to be written is there."
    )
    if call.point == MEETING:
        when = state.drafted.meeting_at or call.due
        subject = f"Review of {state.incident_id}: people should have met by {utc(when)}"
        return subject, f"The review of incident {state.incident_id} is due {utc(call.due)}.", wanted
    subject = f"Review of {state.incident_id} was due {utc(call.due)}"
    return subject, f"The review of incident {state.incident_id} was due {utc(call.due)}, and it is not signed.", wanted


def _action(call: Call, action: ActionState) -> tuple[str, str, str]:
    about = f"Action {action.action_id} of the review of {action.incident_id}"
    gate = " Its version is not released again before." if action.before_re_release else ""
    wanted = (
        "run its check and attach the result, or say why it takes longer."
        if action.state == "done_unverified"
        else "do it, run its check and attach the result; or say why it takes longer, or have it dropped."
    )
    if call.point == SOON:
        return (
            f"{about} is due {utc(call.due)}",
            f"{about} is due {utc(call.due)}.{gate}",
            wanted,
        )
    was = f"{about} was due {utc(call.due)}"
    return was, f"{was}, and it is {action.state.replace('_', ' ')}.{gate}", wanted

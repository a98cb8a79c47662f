"""What of a review goes out of this organisation (LRN-6): built from facts, never cut out of what people wrote.

Nothing that a person typed is in it, no name, no role of a person and no record number. A public summary says less
than what customers get.
"""

from __future__ import annotations

from collections.abc import Sequence

from countermand.ledger.review_bodies import Publication
from countermand.messages.facts import in_words, spoken, utc
from countermand.messages.incident import IncidentView
from countermand.review.actions import ActionState
from countermand.review.parts import FACTORS
from countermand.review.state import ReviewState

_OUTCOMES = {
    "reverted": "The earlier version was restored, and the service was shown to be well.",
    "reverted_not_verified": "The earlier version was restored. That the service is well was not shown.",
    "reversed": "A change back was begun and taken back.",
}


def published(
    view: IncidentView, state: ReviewState, actions: Sequence[ActionState], level: Publication
) -> tuple[str, ...]:
    """Paragraphs for readers outside; empty for `internal`, where the review itself is read."""
    if level == "internal":
        return ()
    where = f"{view.opened.service} ({view.opened.environment})" if level == "customers" else view.opened.service
    begun, ended = view.opened_at, view.closed_at
    outcome = _OUTCOMES.get(view.closed.outcome if view.closed else "", "Nothing was changed by it.")
    said = [
        f"On {utc(begun)} a release of {where} was found to do harm or to be in doubt.",
        f"{outcome} It took {in_words(ended - begun)}." if ended else outcome,
    ]
    if level == "customers":
        known = tuple(FACTORS[one] for one in state.factors if one in FACTORS)
        if known:
            said.append(f"Several things came together: {spoken(known)}.")
    done = sum(one.state == "verified" for one in actions)
    dropped = sum(one.state == "dropped" for one in actions)
    if actions:
        kinds = spoken(tuple(sorted({one.type for one in actions})))
        said.append(f"{len(actions)} actions came out of it ({kinds}): {done} are verified, {dropped} were dropped.")
    else:
        said.append("No action came out of it.")
    return tuple(said)

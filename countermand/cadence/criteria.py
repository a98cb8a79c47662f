"""Which criteria of a playbook nobody decided on in its newest threshold review (LRN §4, R92)."""

from __future__ import annotations

from collections.abc import Iterable

from countermand.cadence.acts import criteria_of
from countermand.ledger.bodies import CadenceDone, parse_body
from countermand.ledger.record import Record
from countermand.playbook.model import Playbook

#: The duty in which people decide on criteria.
THRESHOLD_REVIEW = "threshold_review"


def undecided_criteria(records: Iterable[Record], playbook: Playbook) -> tuple[str, ...]:
    """Criteria (`trigger/signal`) without keep, change or shadow in the newest review; all of them before the first.

    records: of the kind cadence.done, in order.
    """
    decided: set[str] = set()
    for record in records:
        body = parse_body(record)
        if isinstance(body, CadenceDone) and (body.duty, body.subject) == (THRESHOLD_REVIEW, playbook.name):
            decided = {one.criterion for one in body.criteria}
    return tuple(name for name in criteria_of(playbook) if name not in decided)

"""Actions: who has to do what until when, how it is checked, and what became of it (LRN-4, LRN-5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from countermand.ledger import review_bodies as b
from countermand.ledger.private import ERASED
from countermand.ledger.record import Kind, Record
from countermand.plan.target import Value

#: Records about actions.
ACTIONS = (
    Kind.action_opened,
    Kind.action_changed,
    Kind.action_verified,
    Kind.action_dropped,
    Kind.action_escalated,
    Kind.action_reopened,
)
#: An action whose factor came again is due anew after this long.
DUE_AGAIN = timedelta(days=14)


class ActionType(StrEnum):
    """What an action is for."""

    prevent = "prevent"
    detect = "detect"
    mitigate = "mitigate"
    process = "process"
    governance = "governance"
    data = "data"


ActionWord = Literal["open", "done_unverified", "verified", "dropped"]


class ActionState(Value):
    """One action as it stands.

    incident_id, release_id: of the review that it came out of; `reopened_by` names incidents in which a factor that it
    should prevent was found again. `prevents`: these factors. escalated: `due/point` of each call to people.
    """

    action_id: str
    incident_id: str
    release_id: str
    type: str
    what: str
    owner: str
    owner_name: str
    opened_by: str
    opened_at: datetime
    due: datetime
    verification: str
    link: str
    before_re_release: bool
    prevents: tuple[str, ...]
    state: ActionWord = "open"
    reopened_by: tuple[str, ...] = ()
    escalated: tuple[str, ...] = ()
    said: str = ""
    result_sha256: str | None = None

    @property
    def open(self) -> bool:
        """Whether something has still to be done or checked."""
        return self.state in ("open", "done_unverified")

    def overdue(self, now: datetime) -> bool:
        return self.open and now > self.due

    def belongs_to(self, incident_id: str) -> bool:
        """Whether the review of this incident looks after it."""
        return incident_id in (self.incident_id, *self.reopened_by)


def actions(records: Iterable[Record]) -> tuple[ActionState, ...]:
    """All actions of these records as they stand, oldest first. records: in order; other kinds are passed over."""
    found: dict[str, ActionState] = {}
    for record in records:
        match record.kind:
            case Kind.action_opened:
                opened = b.ActionOpened.model_validate(record.body)
                found[opened.action_id] = _opened(record, opened)
            case Kind.action_changed:
                changed = b.ActionChanged.model_validate(record.body)
                _put(
                    found,
                    changed.action_id,
                    owner=changed.owner,
                    owner_name=changed.owner_name,
                    due=changed.due,
                    state="done_unverified" if changed.done else "open",
                    said=changed.reason,
                )
            case Kind.action_verified:
                verified = b.ActionVerified.model_validate(record.body)
                said = {"said": verified.result, "result_sha256": verified.result_sha256}
                _put(found, verified.action_id, state="verified", **said)
            case Kind.action_dropped:
                dropped = b.ActionDropped.model_validate(record.body)
                _put(found, dropped.action_id, state="dropped", said=dropped.reason)
            case Kind.action_reopened:
                again = b.ActionReopened.model_validate(record.body)
                before = found.get(again.action_id)
                by = (*before.reopened_by, again.by_incident) if before else ()
                _put(found, again.action_id, state="open", due=again.due, reopened_by=by)
            case Kind.action_escalated:
                called = b.ActionEscalated.model_validate(record.body)
                before = found.get(called.action_id)
                points = (*before.escalated, called_key(called.due, called.point)) if before else ()
                _put(found, called.action_id, escalated=points)
    return tuple(found.values())


def open_actions(records: Iterable[Record]) -> tuple[ActionState, ...]:
    """Those in which something has still to be done or checked."""
    return tuple(one for one in actions(records) if one.open)


def called_key(due: datetime, point: str) -> str:
    """What names one call about one due time."""
    return f"{due:%Y%m%dT%H%M%S}/{point}"


def recurring(
    factors: Iterable[str], found: Iterable[ActionState], incident_id: str
) -> tuple[tuple[ActionState, tuple[str, ...]], ...]:
    """Actions of earlier reviews that should have prevented one of these factors, each with those that came again."""
    again = set(factors) - {ERASED}
    met = ((one, tuple(name for name in one.prevents if name in again)) for one in found)
    return tuple((one, names) for one, names in met if names and not one.belongs_to(incident_id))


def before_re_release(found: Iterable[ActionState], incidents: Iterable[str]) -> tuple[ActionState, ...]:
    """Actions of these incidents that keep a version out until they are verified (LRN-30).

    One that was dropped keeps nothing out: somebody with the right to decide that signed why.
    """
    named = tuple(incidents)
    return tuple(
        one for one in found if one.before_re_release and one.open and any(one.belongs_to(name) for name in named)
    )


def _opened(record: Record, body: b.ActionOpened) -> ActionState:
    return ActionState(
        action_id=body.action_id,
        incident_id=record.incident_id or "",
        release_id=record.release_id or "",
        type=body.type,
        what=body.what,
        owner=body.owner,
        owner_name=body.owner_name,
        opened_by=body.name,
        opened_at=record.at,
        due=body.due,
        verification=body.verification,
        link=body.link,
        before_re_release=body.before_re_release,
        prevents=(*body.factors, *body.others),
    )


def _put(found: dict[str, ActionState], action_id: str, **changes: object) -> None:
    """Nothing for an action that these records do not open: a pack of a period may begin later."""
    if action_id in found:
        found[action_id] = found[action_id].model_copy(update=changes)

"""Does a standing authorisation carry this plan, as the Ledger and the gateway's signatures say (I2, GOV-28)?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from countermand.governance.past import PastRevert, runs
from countermand.governance.rights import Right
from countermand.governance.standing import NONE_ISSUED, PlanFacts, StandingAuthorisation, Validity, valid
from countermand.ledger.bodies import AskClosed, AskDefaulted, GateDecided, StageIntent, parse_body
from countermand.ledger.record import Kind, Record
from countermand.plan.model import Plan
from countermand.plan.target import Value

#: Kinds of records of the plan's incident that `lacking_standing` reads.
KINDS = (Kind.gate_decided, Kind.ask_defaulted, Kind.ask_closed, Kind.stage_intent)

#: A run that began longer ago is judged as if it began now.
_ONE_RUN = timedelta(days=1)


class Known(Value):
    """What the Ledger says about standing authorisations; `right` is the row of the table in force.

    reverts: those of the last 24 hours at least. rehearsed_at: of the plan's playbook; fresh_for: how long it counts.
    """

    authorisations: tuple[StandingAuthorisation, ...]
    reverts: tuple[PastRevert, ...]
    rehearsed_at: datetime | None
    fresh_for: timedelta
    right: Right


class Covered(Value):
    """Whether a plan is covered, and by which authorisation."""

    validity: Validity
    authorisation_id: str | None = None


def covering(plan: Plan, triggers: Sequence[str], known: Known, now: datetime) -> Covered:
    """The first authorisation that covers the plan now; else why the one that comes closest does not.

    triggers: the ids of those that fired.
    """
    judged = [(one.authorisation_id, _valid(plan, triggers, one, known, now)) for one in known.authorisations]
    for name, validity in judged:
        if validity.ok:
            return Covered(validity=validity, authorisation_id=name)
    if not judged:
        return Covered(validity=NONE_ISSUED)
    name, closest = min(judged, key=lambda one: len(one[1].reasons))
    reasons = tuple(f"standing authorisation {name!r}: {reason}" for reason in closest.reasons)
    return Covered(validity=Validity(ok=False, reasons=reasons))


def lacking_standing(plan: Plan, records: Sequence[Record], known: Known, now: datetime, *, undo: bool = False) -> str:
    """Why no standing authorisation carries this plan; empty when one does.

    records: those of the plan's incident, of `KINDS`. A run is judged as of its first stage, so that it does not end
    in the middle; only a revocation counts at once. `undo`: what began may be undone whatever became of it since.
    """
    bodies = [(record.at, parse_body(record)) for record in records]
    approved = {body.ask_id for _, body in bodies if isinstance(body, AskClosed) and body.status == "approved"}
    named = [
        body
        for _, body in bodies
        if isinstance(body, GateDecided | AskDefaulted)
        and body.plan_digest == plan.digest
        and (body.act == "automatic" if isinstance(body, GateDecided) else _proceeds(body, approved))
    ]
    if not named:
        return "no standing authorisation is named for this plan."
    began = [at for at, body in bodies if isinstance(body, StageIntent) and body.plan_digest == plan.digest]
    if undo and began:
        return ""
    cause = named[-1]
    found = next((one for one in known.authorisations if one.authorisation_id == cause.authorisation_id), None)
    if found is None:
        return f"nobody issued the standing authorisation {cause.authorisation_id!r}."
    since = min(began, default=now)
    if now - since > _ONE_RUN or (found.revoked_at is not None and now >= found.revoked_at):
        since = now
    validity = _valid(plan, cause.triggers, found, known, since)
    return (
        f"standing authorisation {found.authorisation_id!r}: {'; '.join(validity.reasons)}." if not validity.ok else ""
    )


def _valid(
    plan: Plan, triggers: Sequence[str], authorisation: StandingAuthorisation, known: Known, now: datetime
) -> Validity:
    return valid(
        authorisation,
        PlanFacts.of(plan, triggers),
        now,
        right=known.right,
        rehearsed_at=known.rehearsed_at,
        fresh_for=known.fresh_for,
        runs_today=runs(known.reverts, authorisation.authorisation_id, now, but=plan.digest),
    )


def _proceeds(body: AskDefaulted, approved: set[str]) -> bool:
    return body.action == "proceed" and body.ask_id in approved

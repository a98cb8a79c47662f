"""What happened before, folded from the Ledger: the facts that protection and standing authorisations ask for.

`protection` and `standing` say what follows from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from countermand.governance.protection import Attempt, Reverted
from countermand.ids import REVERSE_STAGE
from countermand.ledger.bodies import (
    AskDefaulted,
    CheckDone,
    GateDecided,
    PlanMade,
    RehearsalPassed,
    StageIntent,
    StageOutcome,
    parse_body,
)
from countermand.ledger.record import Kind, Record
from countermand.plan.model import Plan
from countermand.plan.target import Value

#: Kinds of records of one incident that `past_reverts` reads.
KINDS = (
    Kind.plan,
    Kind.gate_decided,
    Kind.ask_defaulted,
    Kind.stage_intent,
    Kind.stage_outcome,
    Kind.check_result,
)
_DAY = timedelta(days=1)


class PastRevert(Value):
    """One try to carry out one plan. `changed`: something took effect; `reversed_at`: people took it back.

    improved: whether the service was then shown to be healthy; None when nobody looked yet.
    authorisation_id: the standing authorisation it rests on, None when people voted.
    """

    incident_id: str
    plan: Plan
    began_at: datetime
    ended_at: datetime
    changed: bool
    reversed_at: datetime | None
    improved: bool | None
    authorisation_id: str | None


class NotKnown(ValueError):
    """A stage whose plan does not stand in the records: what happened cannot be told."""


def past_reverts(records: Sequence[Record]) -> tuple[PastRevert, ...]:
    """The reverts of one incident, in order, from its records of `KINDS`. Raises NotKnown."""
    bodies = [(record, parse_body(record)) for record in records]
    plans = {body.plan_digest: Plan.model_validate(body.plan) for _, body in bodies if isinstance(body, PlanMade)}
    standing = {
        body.plan_digest: body.authorisation_id
        for _, body in bodies
        if (isinstance(body, GateDecided) and body.act == "automatic")
        or (isinstance(body, AskDefaulted) and body.action == "proceed")
    }
    found: dict[int, PastRevert] = {}
    checks: dict[tuple[int, str], str] = {}
    for record, body in bodies:
        match body:
            case StageIntent() if body.revert not in found:
                if body.plan_digest not in plans:
                    raise NotKnown(f"the plan {body.plan_digest!r} of {record.incident_id!r} is not on record")
                found[body.revert] = PastRevert(
                    incident_id=record.incident_id or "",
                    plan=plans[body.plan_digest],
                    began_at=record.at,
                    ended_at=record.at,
                    changed=False,
                    reversed_at=None,
                    improved=None,
                    authorisation_id=standing.get(body.plan_digest),
                )
            case StageOutcome() if body.revert in found and body.result in ("applied", "already"):
                back = body.stage == REVERSE_STAGE
                seen: dict[str, object] = {"reversed_at": record.at} if back else {"ended_at": record.at}
                found[body.revert] = found[body.revert].model_copy(update=seen | {"changed": True})
            case CheckDone() if body.phase == "verification":
                checks[body.revert, body.name] = body.word
    return tuple(
        one.model_copy(update={"improved": _improved(word for (at, _), word in checks.items() if at == number)})
        for number, one in found.items()
    )


def moves(reverts: Iterable[PastRevert]) -> tuple[Reverted, ...]:
    """What changed what users get: each revert that took effect, and each that people took back."""
    found = []
    for one in reverts:
        plan = one.plan
        there = Reverted(
            family=plan.service,
            environment=plan.environment,
            from_bundle=plan.candidate.digest,
            to_bundle=plan.baseline.digest,
            at=one.ended_at,
            automatic=one.authorisation_id is not None,
        )
        if one.changed:
            found.append(there)
        if one.reversed_at is not None:
            back = {"from_bundle": there.to_bundle, "to_bundle": there.from_bundle, "at": one.reversed_at}
            found.append(there.model_copy(update=back | {"automatic": False}))
    return tuple(found)


def attempts(reverts: Iterable[PastRevert], family: str, environment: str) -> tuple[Attempt, ...]:
    """The plans that were carried out for one release family, and whether each helped."""
    return tuple(
        Attempt(at=one.ended_at, improved=one.improved)
        for one in reverts
        if one.changed and (one.plan.service, one.plan.environment) == (family, environment)
    )


def runs(reverts: Iterable[PastRevert], authorisation_id: str, now: datetime, *, but: str) -> int:
    """How many plans other than `but` (a plan digest) began under the authorisation in the last 24 hours."""
    return sum(
        one.authorisation_id == authorisation_id and now - _DAY < one.began_at <= now and one.plan.digest != but
        for one in reverts
    )


def rehearsed_at(records: Iterable[Record], playbook_digest: str) -> datetime | None:
    """When exactly this playbook was last rehearsed and passed; None if never."""
    return max(
        (
            record.at
            for record in records
            if isinstance(body := parse_body(record), RehearsalPassed) and body.playbook_digest == playbook_digest
        ),
        default=None,
    )


def _improved(words: Iterable[str]) -> bool | None:
    seen = list(words)
    return all(word == "pass" for word in seen) if seen else None

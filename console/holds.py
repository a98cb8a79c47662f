"""Legal holds as people see them: which are in force, placing one, and asking to release one."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, Literal

from console.decide import Act, Person
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.governance.decision import DecisionKind
from countermand.governance.rights import Action, unreachable
from countermand.governance.shipped import rights_in_force
from countermand.messages.facts import spoken
from countermand.playbook.terms import Severity
from countermand.retention import placing
from countermand.retention.holding import Hold, Scope
from countermand.retention.register import KINDS, holds_in_force
from workflows.consent import ConsentInput
from workflows.decisions import Answer

#: So long people may take to sign a release.
TIME_LIMIT = timedelta(days=7)


async def in_force(deps: Console) -> list[Hold]:
    """The holds in force, oldest first."""
    return holds_in_force(await deps.ledger.records(kinds=KINDS))


def hold_json(hold: Hold) -> dict[str, Any]:
    """One item of `countermand.holds/v1`."""
    covers = {name: list(value) for name, value in hold.scope.model_dump().items() if value}
    said = "; ".join(f"{name}: {', '.join(value)}" for name, value in covers.items())
    return {**hold.model_dump(mode="json"), "covers": said}


async def place(
    deps: Console,
    person: Person,
    channel: Literal["web", "api"],
    scope: Scope,
    *,
    matter: str,
    custodians: tuple[str, ...],
    reason: str,
    decision_id: str | None,
    step_up: str | None,
) -> Answer:
    """Place one, at once. Raises Refused."""
    said = placing.terms(scope, matter.strip(), custodians)
    act = Act(
        kind=DecisionKind.place_hold,
        approval_digest=placing.hold_digest(said),
        reason=reason,
        decision_id=decision_id,
        step_up=step_up,
        terms=said,
    )
    return await deps.gate.decide(act, person, channel)


async def ask_to_release(deps: Console, person: Person, hold_id: str, reason: str) -> dict[str, Any]:
    """Ask people to release one. Raises Problem, OutcomeUnknown."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    if hold_id not in {hold.hold_id for hold in await in_force(deps)}:
        raise Problem(404, "unknown_hold", f"no hold {hold_id!r} is in force.", "`countermand hold list`")
    right = rights_in_force(directory.governance).row(Action.release_hold, Severity.sev1)
    asker = directory.principal_of(person.subject)
    others = [one for one in directory.holders(*right.roles) if one.subject != asker]
    if lacking := unreachable(right, {one.subject: one.roles for one in others}):
        raise Problem(
            422,
            "quorum_unattainable",
            f"without you, who ask for it, nobody is left to sign as {spoken(lacking)}.",
            "Let somebody else ask for it, or add people to the governance file.",
        )
    consent_id = f"hold-release-{uuid.uuid4().hex[:8]}"
    await deps.workflows.start_releasing(
        ConsentInput(
            consent_id=consent_id,
            right=right,
            subject=f"May legal hold {hold_id} be released?",
            document={"act": Action.release_hold.value, "hold_id": hold_id, "because": reason},
            requester=asker,
            excluded=(),
            incident_id=None,
            release_id=None,
            environment="",
            time_limit=TIME_LIMIT,
            overdue="lapse",
            directory=directory,
            keys=deps.keys.gateway_keys(),
        )
    )
    until = instant(deps.clock() + TIME_LIMIT)
    return {
        "consent_id": consent_id,
        "status": "pending",
        "sentence": f"{spoken(tuple(one.name for one in others))} are asked to sign until {until}. "
        "Until then the hold stays; if nobody signs, it stays.",
    }

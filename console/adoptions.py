"""Asking people to adopt a playbook, and what was adopted (T9)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.governance.adoption import ACTIONS, document
from countermand.governance.directory import Governance
from countermand.governance.rights import unreachable
from countermand.governance.shipped import rights_in_force
from countermand.messages.facts import spoken
from countermand.playbook.model import Playbook, Severity
from workflows.consent import ConsentInput

#: How long people have to sign.
TIME_LIMIT = timedelta(days=7)


async def ask_to_adopt(deps: Console, person: Person, digest: str, because: str) -> dict[str, Any]:
    """Ask people to adopt a stored playbook; whoever asks cannot sign. Raises Problem, OutcomeUnknown."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    playbook, _ = await stored(deps, digest)
    refused, last, found = await deps.adoptions.next(playbook)
    if refused:
        raise Problem(409, "version_not_above", f"{refused}.", "Give the playbook a higher `version`.")
    right = rights_in_force(directory.governance).row(ACTIONS[found.change], Severity.sev1)
    asker = directory.principal_of(person.subject)
    others = [one for one in directory.holders(*right.roles) if one.subject != asker]
    if lacking := unreachable(right, {one.subject: one.roles for one in others}):
        raise Problem(
            422,
            "quorum_unattainable",
            f"without you, who ask for it, nobody is left to sign as {spoken(lacking)}.",
            "Let somebody else ask for it, or add people to the governance file.",
        )
    consent_id = f"adopt-{uuid.uuid4().hex[:8]}"
    await deps.workflows.start_adopting(
        ConsentInput(
            consent_id=consent_id,
            right=right,
            subject=f"May releases of {playbook.service} be watched and rolled back by version {playbook.version} of "
            f"{playbook.name}?",
            document=document(playbook, digest, last, found, because),
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
    return {
        "consent_id": consent_id,
        "status": "pending",
        "change": found.change,
        "changes": [one.model_dump(mode="json") for one in found.changes],
        "sentence": f"{spoken(tuple(one.name for one in others))} are asked to sign "
        f"until {instant(deps.clock() + TIME_LIMIT)}.",
    }


async def stored(deps: Console, digest: str, *, status: int = 404) -> tuple[Playbook, bytes]:
    """A stored playbook and its exact bytes. Raises Problem (`status` when there is none; 409 when they changed)."""
    try:
        raw = await deps.catalogue.playbook_bytes(digest)
    except KeyError:
        raise Problem(
            status, "unknown_playbook", f"no playbook {digest!r}", "`countermand playbook send FILE`"
        ) from None
    except ValueError as changed:
        raise Problem(
            409,
            "playbook_changed",
            f"{changed}. Somebody changed them in the database; nothing new runs by it.",
            "Put the row back from a backup, and find out who wrote to the database.",
        ) from None
    return await deps.catalogue.playbook(digest), raw


async def refuse_unadopted(deps: Console, playbook: Playbook, digest: str, governance: Governance) -> None:
    """Raises Problem when a new release may not name this playbook."""
    why = await deps.adoptions.refuse_release(playbook, digest, governance)
    if not why:
        return
    known = await deps.adoptions.of(playbook.name)
    if any(one.digest == digest for one in known):
        raise Problem(409, "playbook_not_newest", f"{why}.", f"Name that one: `playbook_digest: {known[-1].digest}`.")
    raise Problem(
        409,
        "playbook_not_adopted",
        f"{why}.",
        "Have people sign it: `countermand playbook adopt FILE --reason TEXT`, then `countermand consent show ID`.",
    )


async def history(deps: Console, name: str) -> dict[str, Any]:
    """`countermand.playbook_history/v1`: the adoptions of a playbook that hold, the oldest first."""
    items = [body.model_dump(mode="json") for body in await deps.adoptions.of(name)]
    return {"schema": "countermand.playbook_history/v1", "name": name, "items": items}

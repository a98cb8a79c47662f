"""Standing authorisations as people see them, and asking for a new one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand import ids
from countermand.canonical import instant
from countermand.governance.register import KINDS, standing_authorisations
from countermand.governance.rights import Action, unreachable
from countermand.governance.shipped import rights_in_force
from countermand.governance.standing import StandingAuthorisation, ended
from countermand.governance.standing_draft import DraftInvalid, authorisation_of, parse_draft
from countermand.messages.facts import spoken
from workflows.consent import ConsentInput

#: So long people may take to sign one.
TIME_LIMIT = timedelta(days=7)


@dataclass(frozen=True)
class Standing:
    """One that was issued. `why` says why it does not hold now; empty while it does."""

    authorisation: StandingAuthorisation
    state: Literal["in_force", "lapsed", "revoked"]
    why: str

    @property
    def consent_id(self) -> str:
        return ids.standing_consent(self.authorisation.authorisation_id)

    def json(self) -> dict[str, Any]:
        """`countermand.standing/v1`."""
        return {
            **self.authorisation.model_dump(mode="json"),
            "signers": [signer.printed_name for signer in self.authorisation.signers],
            "consent_id": self.consent_id,
            "state": self.state,
            "why": self.why,
        }


async def standings(deps: Console) -> list[Standing]:
    """All that were issued, newest first. Raises GovernanceInvalid."""
    records = await deps.ledger.records(kinds=KINDS)
    table = rights_in_force((await deps.people.snapshot()).governance)
    found = []
    for one in reversed(standing_authorisations(records, deps.keys.gateway_keys())):
        right = table.row(Action.standing_authorisation, min(one.severities))
        lacking = right.missing({signer.subject: signer.roles for signer in one.signers})
        reasons = [*ended(one, deps.clock()), *(f"it lacks the signature of {place}" for place in lacking)]
        state: Literal["in_force", "lapsed", "revoked"] = "lapsed" if reasons else "in_force"
        found.append(Standing(one, "revoked" if one.revoked_at else state, "; ".join(reasons)))
    return found


async def ask_for(deps: Console, raw: bytes, person: Person) -> dict[str, Any]:
    """Ask people to sign what these bytes describe. Raises Problem with everything that is wrong in them."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    now, authorisation_id = deps.clock(), f"sa-{uuid.uuid4().hex[:8]}"
    try:
        draft = parse_draft(raw)
        playbook = await deps.catalogue.playbook(draft.playbook_digest)
        document = authorisation_of(draft, playbook, authorisation_id, now)
    except KeyError as error:
        raise Problem(
            422,
            "unknown_playbook",
            f"no playbook {draft.playbook_digest!r}",
            "Send it first: `countermand playbook send`.",
        ) from error
    except DraftInvalid as error:
        listed = [one.model_dump() for one in error.problems]
        raise Problem(
            422, "standing_invalid", str(error), "docs/governance.md has an example.", problems=listed
        ) from error
    right = rights_in_force(directory.governance).row(Action.standing_authorisation, min(draft.severities))
    signers = directory.holders(*right.roles)
    asker = directory.principal_of(person.subject)
    others = {one.subject: one.roles for one in signers if one.subject != asker}
    if lacking := unreachable(right, others):
        raise Problem(
            422,
            "quorum_unattainable",
            f"without you, who ask for it, nobody is left to sign as {spoken(lacking)}.",
            "Let somebody else ask for it, or add people to the governance file.",
        )
    asked = ConsentInput(
        consent_id=ids.standing_consent(authorisation_id),
        right=right,
        subject=f"May {playbook.service} in {draft.environment} be rolled back without asking, as described here?",
        document=document.document,
        requester=asker,
        excluded=(),
        incident_id=None,
        release_id=None,
        environment=draft.environment,
        time_limit=TIME_LIMIT,
        overdue="lapse",
        directory=directory,
        keys=deps.keys.gateway_keys(),
    )
    await deps.workflows.start_standing(authorisation_id, asked)
    return {
        "authorisation_id": authorisation_id,
        "consent_id": asked.consent_id,
        "status": "pending",
        "sentence": f"{spoken(tuple(one.name for one in signers if one.subject != asker))} are asked to sign "
        f"until {instant(now + TIME_LIMIT)}.",
    }

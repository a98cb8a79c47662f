"""Is there somebody for everything that has to be decided, as the sources of roles stand now (GOV-6)?"""

from __future__ import annotations

from typing import Any

from adapters.directory_file import GovernanceInvalid
from console.deps import Console
from countermand.governance.directory import unattainable, unheld


async def people_check(deps: Console) -> dict[str, Any]:
    """A check for `/readyz` and `countermand doctor`: roles without members, quorums of watched releases."""
    try:
        directory = await deps.people.snapshot()
    except GovernanceInvalid as error:
        return _check(str(error))
    problems = unheld(directory)
    watched = {one.release.playbook_digest for one in await deps.catalogue.releases() if one.closed_at is None}
    for digest in sorted(watched):
        playbook = await deps.catalogue.playbook(digest)
        problems += [f"playbook {playbook.name} {one}" for one in unattainable(playbook, directory)]
    return _check("; ".join(problems))


def _check(problem: str) -> dict[str, Any]:
    sentence = problem or "every act and every quorum of a watched release has its people"
    return {"name": "people", "ok": not problem, "sentence": sentence}

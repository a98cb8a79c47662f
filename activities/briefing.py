"""Everything a workflow pins when it starts: playbook, people, keys, release; so a running rollback never
changes its rules half-way (F13)."""

from __future__ import annotations

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.adopting import Adoptions
from activities.ports import Catalogue, KeyRing, RoleDirectory
from countermand.governance.decision import GatewayKeys
from countermand.governance.directory import Directory
from countermand.governance.rights import RightsTable
from countermand.governance.shipped import rights_in_force
from countermand.plan.model import Release
from countermand.plan.target import Value
from countermand.playbook.model import Playbook


class BriefRequest(Value):
    release_id: str


class Brief(Value):
    """The pinned case file."""

    release: Release
    playbook: Playbook
    directory: Directory
    keys: GatewayKeys
    rights: RightsTable


class BriefingActivities:
    """Ports: Catalogue, RoleDirectory, KeyRing; what was adopted."""

    def __init__(self, catalogue: Catalogue, people: RoleDirectory, keys: KeyRing, adoptions: Adoptions) -> None:
        self._catalogue = catalogue
        self._people = people
        self._keys = keys
        self._adoptions = adoptions

    @activity.defn(name="brief")
    async def brief(self, request: BriefRequest) -> Brief:
        """Load the case file. An unknown release is never retried, nor a playbook that nobody adopted."""
        status = await self._catalogue.release(request.release_id)
        if status is None:
            raise ApplicationError(f"unknown release {request.release_id!r}", non_retryable=True)
        playbook = await self._catalogue.playbook(status.release.playbook_digest)
        directory = await self._people.snapshot()
        refused = await self._adoptions.refuse_run(playbook, status.release.playbook_digest, directory.governance)
        if refused:
            raise ApplicationError(f"{refused}; adopt it: countermand playbook adopt", non_retryable=True)
        return Brief(
            release=status.release,
            playbook=playbook,
            directory=directory,
            keys=self._keys.gateway_keys(),
            rights=rights_in_force(directory.governance),
        )

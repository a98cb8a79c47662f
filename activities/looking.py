"""What the targets of a release say now."""

from __future__ import annotations

import asyncio

from activities.ports import Targets
from countermand.plan.build import Found, members_of
from countermand.plan.model import Release
from countermand.plan.target import Member, Split
from countermand.playbook.model import Playbook


async def look(targets: Targets, release: Release, playbook: Playbook) -> list[Found]:
    """State and readiness of every member, in the order of `members_of`. Raises TargetRejected, TargetUnavailable."""
    return list(await asyncio.gather(*(_look(targets, member) for member in members_of(release, playbook))))


async def _look(targets: Targets, member: Member) -> Found:
    target = targets(member.target)
    return Found(
        state=await target.read(member),
        preflight=await target.preflight(member, Split.candidate(0)),
        capabilities=target.capabilities,
    )

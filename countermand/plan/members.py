"""Everything that one way back moves: the lead member first."""

from __future__ import annotations

from countermand.plan.build import member_of
from countermand.plan.model import Plan, Release
from countermand.plan.target import Member
from countermand.playbook.model import Playbook


def members_of(release: Release, playbook: Playbook) -> tuple[Member, ...]:
    """What a way back of this release would move."""
    return (member_of(release, playbook),)


def members_of_plan(plan: Plan) -> tuple[Member, ...]:
    """What this plan moves."""
    return (plan.member,)

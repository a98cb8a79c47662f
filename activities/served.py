"""What users get from a target now: its split, and the digest that each arm serves."""

from __future__ import annotations

from activities.ports import Leases, Target, TargetRejected
from countermand.plan.target import WHOLE, Member, Split, TargetState
from countermand.rollout.plan import ServedState


async def served(target: Target, member: Member) -> tuple[TargetState, ServedState]:
    """Raises TargetUnavailable, TargetRejected. A preflight towards an arm tells what that arm serves; where everybody
    has the candidate already there is no such preflight, and its digest is not known."""
    state = await target.read(member)
    now = state.split.candidate_bp
    back = await target.preflight(member, Split.candidate(0))
    candidate = None
    if now < WHOLE:
        more = min(now + target.capabilities.granularity_bp, WHOLE)
        candidate = (await target.preflight(member, Split.candidate(more))).destination_digest
    return state, ServedState(split=state.split, candidate_digest=candidate, baseline_digest=back.destination_digest)


def leases_of(target: Target) -> Leases:
    """The target's leases. Raises TargetRejected when it has none."""
    if not isinstance(target, Leases):
        raise TargetRejected(f"{target!r} says that it has leases and has none")
    return target

"""From a release, a playbook and the state read from the target to a Plan. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import get_args

from countermand.plan.model import Bundle, Moving, Plan, PlannedStage, Release
from countermand.plan.target import Capabilities, Member, Preflight, Split, TargetState, Value
from countermand.playbook.model import Playbook, Severity
from countermand.playbook.terms import Part
from countermand.playbook.units import format_percent

_PARTS = get_args(Part)


class NothingToRevert(ValueError):
    """The candidate already serves nobody."""


class Found(Value):
    """What a target said about one member: its state, whether it may take the change, what the system can do."""

    state: TargetState
    preflight: Preflight
    capabilities: Capabilities


def members_of(release: Release, playbook: Playbook) -> tuple[Member, ...]:
    """The controllable things this release lives in; the one that moves in stages comes first."""
    revert = playbook.revert
    return tuple(
        Member(
            target=one.target,
            name=one.member,
            candidate_digest=_digest(release.candidate, one.part),
            baseline_digest=_digest(release.baseline, one.part),
        )
        for one in (revert, *revert.together)
    )


def _digest(bundle: Bundle, part: Part | None) -> str:
    return bundle.digest if part is None else str(getattr(bundle, part))


def build_plan(
    *,
    incident_id: str,
    release: Release,
    playbook: Playbook,
    governance_digest: str,
    severity: Severity,
    found: Sequence[Found],
    readiness: str = "",
) -> Plan:
    """The Plan for what was just found at each of `members_of`. Raises NothingToRevert.

    Each stage leaves the candidate `before × (1 − give_back)`, rounded down to what the target can express
    (TGT-22); stages that change nothing after rounding are dropped. Where only followers are left to move, one stage
    moves them.
    """
    lead, followers = _moving(release, playbook, found)
    before = lead.before.candidate_bp
    if not any(one.before.candidate_bp for one in (lead, *followers)):
        raise NothingToRevert(f"the candidate of {release.release_id!r} already serves 0 % of users")
    stages: list[PlannedStage] = []
    share = before
    at_one_time = lead.kind == "alias" or not before
    for spec in playbook.revert.stages[-1:] if at_one_time else playbook.revert.stages:
        left = before * (10_000 - spec.give_back) // 10_000
        left -= left % found[0].capabilities.granularity_bp
        if left >= share and before:
            continue
        share = left
        stages.append(
            PlannedStage(
                number=len(stages) + 1,
                give_back_bp=spec.give_back,
                desired=Split.candidate(left),
                soak=spec.soak,
                time_limit=playbook.revert.stage_time_limit,
            )
        )
    moved = (lead, *followers)
    warnings = [warning for one, at in zip(moved, found, strict=True) for warning in _warnings(one, at)]
    warnings += _left_behind(release, moved)
    return Plan(
        incident_id=incident_id,
        release_id=release.release_id,
        environment=release.environment,
        service=release.service,
        severity=severity,
        candidate=release.candidate,
        baseline=release.baseline,
        member=lead.member,
        before=lead.before,
        before_revision=lead.before_revision,
        before_fence=lead.before_fence,
        kind=lead.kind,
        part=lead.part,
        followers=followers,
        on_member_failure=playbook.revert.on_member_failure or "hold",
        observed=playbook.revert.traffic.observed,
        stages=tuple(stages),
        checks=playbook.data_integrity.checks,
        checks_before=playbook.data_integrity.before,
        checks_between=playbook.data_integrity.between,
        checks_after=playbook.data_integrity.after,
        residual_bp=playbook.revert.traffic.residual,
        settle=playbook.revert.traffic.settle,
        traffic_time_limit=playbook.revert.traffic.time_limit,
        playbook_digest=release.playbook_digest,
        governance_digest=governance_digest,
        readiness=readiness,
        warnings=tuple(warnings),
    )


def _moving(release: Release, playbook: Playbook, found: Sequence[Found]) -> tuple[Moving, tuple[Moving, ...]]:
    wanted = (playbook.revert, *playbook.revert.together)
    lead, *followers = (
        Moving(
            member=member,
            kind=at.capabilities.kind,
            part=one.part,
            before=at.state.split,
            before_revision=at.state.revision,
            before_fence=at.state.fence,
        )
        for one, member, at in zip(wanted, members_of(release, playbook), found, strict=True)
    )
    return lead, tuple(followers)


def _warnings(one: Moving, found: Found) -> list[str]:
    warnings = list(found.preflight.problems)
    if not found.capabilities.durable:
        warnings.append(f"target {one.member.target!r} forgets the change when it restarts")
    if found.capabilities.compare_and_swap == "none":
        warnings.append(f"target {one.member.target!r} cannot tell whether somebody else changes it meanwhile")
    if one.kind == "alias":
        warnings.append(f"{one.name} changes for all users at once")
    return warnings


def _left_behind(release: Release, moved: Sequence[Moving]) -> list[str]:
    """That parts differ which no member holds: they stay as the candidate has them, and nobody tested that bundle."""
    held = {one.part for one in moved}
    if None in held:
        return []
    left = [part for part in release.candidate.differs_from(release.baseline) if part in _PARTS and part not in held]
    if not left:
        return []
    return [f"nothing here takes back {', '.join(left)}: left as in {release.candidate.name}"]


def at_once(plan: Plan, time_limit: timedelta) -> Plan:
    """The same way back in one stage without soak: everybody returns to the baseline now (GOV-38)."""
    stage = PlannedStage(
        number=1, give_back_bp=10_000, desired=Split.candidate(0), soak=timedelta(), time_limit=time_limit
    )
    return plan.model_copy(update={"stages": (stage,)})


def stage_sentence(plan: Plan, stage: PlannedStage) -> str:
    """`10 % of the candidate's users go back (candidate 50 % → 45 % of all users)`, and what moves with them."""
    lead = plan.members[0]
    moved = [f"{one.name} {one.says(Split.candidate(0))}" for one in plan.followers if plan.due(stage.number)[1:]]
    if lead.kind == "alias":
        return "; ".join([f"{lead.name} {lead.says(stage.desired)}", *moved])
    if not lead.before.candidate_bp:
        return "; ".join(moved)
    earlier = [plan.before, *(other.desired for other in plan.stages if other.number < stage.number)]
    users = (
        f"{format_percent(stage.give_back_bp)} of the candidate's users go back "
        f"(candidate {format_percent(earlier[-1].candidate_bp)} → "
        f"{format_percent(stage.desired.candidate_bp)} of all users)"
    )
    return "; ".join([users, *moved])

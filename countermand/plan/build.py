"""From a release, a playbook and the state read from the target to a Plan. Pure."""

from __future__ import annotations

from datetime import timedelta

from countermand.plan.model import Plan, PlannedStage, Release
from countermand.plan.target import Capabilities, Member, Preflight, Split, TargetState
from countermand.playbook.model import Playbook, Severity
from countermand.playbook.units import format_percent


class NothingToRevert(ValueError):
    """The candidate already serves nobody."""


def member_of(release: Release, playbook: Playbook) -> Member:
    """The controllable thing this release lives in."""
    return Member(
        target=playbook.revert.target,
        name=playbook.revert.member,
        candidate_digest=release.candidate.digest,
        baseline_digest=release.baseline.digest,
    )


def build_plan(
    *,
    incident_id: str,
    release: Release,
    playbook: Playbook,
    governance_digest: str,
    severity: Severity,
    state: TargetState,
    preflight: Preflight,
    capabilities: Capabilities,
) -> Plan:
    """The Plan for the state just read. Raises NothingToRevert.

    Each stage leaves the candidate `before × (1 − give_back)`, rounded down to what the target can express
    (TGT-22); stages that change nothing after rounding are dropped.
    """
    before = state.split.candidate_bp
    if before == 0:
        raise NothingToRevert(f"the candidate of {release.release_id!r} already serves 0 % of users")
    stages: list[PlannedStage] = []
    share = before
    for spec in playbook.revert.stages:
        left = before * (10_000 - spec.give_back) // 10_000
        left -= left % capabilities.granularity_bp
        if left >= share:
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
    warnings = list(preflight.problems)
    if not capabilities.durable:
        warnings.append(f"target {playbook.revert.target!r} forgets the change when it restarts")
    return Plan(
        incident_id=incident_id,
        release_id=release.release_id,
        environment=release.environment,
        service=release.service,
        severity=severity,
        candidate=release.candidate,
        baseline=release.baseline,
        member=member_of(release, playbook),
        before=state.split,
        before_revision=state.revision,
        before_fence=state.fence,
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
        warnings=tuple(warnings),
    )


def at_once(plan: Plan, time_limit: timedelta) -> Plan:
    """The same way back in one stage without soak: everybody returns to the baseline now (GOV-38)."""
    stage = PlannedStage(
        number=1, give_back_bp=10_000, desired=Split.candidate(0), soak=timedelta(), time_limit=time_limit
    )
    return plan.model_copy(update={"stages": (stage,)})


def stage_sentence(plan: Plan, stage: PlannedStage) -> str:
    """`10 % of the candidate's users go back (candidate 50 % → 45 % of all users)`."""
    earlier = [plan.before, *(other.desired for other in plan.stages if other.number < stage.number)]
    return (
        f"{format_percent(stage.give_back_bp)} of the candidate's users go back "
        f"(candidate {format_percent(earlier[-1].candidate_bp)} → "
        f"{format_percent(stage.desired.candidate_bp)} of all users)"
    )

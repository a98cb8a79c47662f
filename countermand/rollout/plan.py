"""From a release, its playbook and the state read from the target to the plan of a rollout. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal

from countermand import ids
from countermand.canonical import digest
from countermand.messages.facts import in_words, spoken
from countermand.plan.build import members_of
from countermand.plan.model import Bundle, Release
from countermand.plan.target import Capabilities, Member, Split, TargetState, Value
from countermand.playbook.model import Playbook
from countermand.playbook.units import Duration, format_percent

#: sandbox: a small cohort that always goes back. ramp: the playbook's steps. reintroduce: the recorded way back, run
#: backwards until the state from before it.
Kind = Literal["sandbox", "ramp", "reintroduce"]


class CannotRollOut(ValueError):
    """There is nothing to roll out, or the target cannot express it."""


class ServedState(Value):
    """What users get: the split, and the digest that each arm serves, where the target knows it."""

    split: Split
    candidate_digest: str | None
    baseline_digest: str | None

    @property
    def known(self) -> bool:
        """Whether the target says what both arms serve."""
        return None not in (self.candidate_digest, self.baseline_digest)

    @property
    def digest(self) -> str:
        return digest(self)


class RolloutStep(Value):
    """One share, how long it lasts at least, and by when it must be shown to be healthy."""

    number: int
    desired: Split
    at_least: Duration
    time_limit: Duration


class RolloutPlan(Value):
    """Exact content of a rollout; a person's start is for its digest.

    `ends_with`: the state in which it ends when all goes well. lease: for a sandbox, after how long without its watcher
    the target goes back by itself; None where the target cannot. tightened: every step lasts twice as long, because
    this candidate was in quarantine before. unmoved: members of the bundle that stay as they are, as `target/member`.
    """

    rollout_id: str
    kind: Kind
    release_id: str
    environment: str
    service: str
    candidate: Bundle
    baseline: Bundle
    member: Member
    before: ServedState
    before_revision: str
    before_fence: int
    steps: tuple[RolloutStep, ...]
    ends_with: ServedState
    lease: Duration | None
    settle: Duration
    tightened: bool
    playbook_digest: str
    unmoved: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return digest(self)

    @property
    def workflow_id(self) -> str:
        return ids.rollout_workflow(self.environment, self.release_id)

    @property
    def goes_back(self) -> bool:
        """Whether it ends with the state from before, whatever is seen."""
        return self.kind == "sandbox"

    @property
    def left(self) -> str:
        """What this rollout leaves as it is, in a sentence; empty when it moves the whole bundle."""
        verb = "is" if len(self.unmoved) == 1 else "are"
        return f"{spoken(self.unmoved)} {verb} not moved by this rollout." if self.unmoved else ""

    def key(self, step: int) -> str:
        """Idempotency key of one effect; step 0 is the way back."""
        return ids.effect_key(self.workflow_id, self.digest, step, self.member.name)

    def fence(self, step: int) -> int:
        """Grows with every step; the way back comes after all of them."""
        return ids.fence(self.before_fence, step or len(self.steps) + 1)


def build(
    kind: Kind,
    *,
    rollout_id: str,
    release: Release,
    playbook: Playbook,
    state: TargetState,
    before: ServedState,
    capabilities: Capabilities,
    tightened: bool,
    recorded: Sequence[int] = (),
) -> RolloutPlan:
    """The plan for the state just read. Raises CannotRollOut.

    before: what users get now. recorded: for `reintroduce`, the candidate's shares in basis points before and during
    the last way back, the largest first.
    """
    if kind == "reintroduce" and playbook.revert.together:
        raise CannotRollOut("several members went back together; bring them forward with what deploys them")
    named = (release.candidate.digest, release.baseline.digest)
    for served, wanted in zip((before.candidate_digest, before.baseline_digest), named, strict=True):
        if served is not None and served != wanted:
            raise CannotRollOut(f"the target serves {served!r} where the release names {wanted!r}; deploy it first")
    now = state.split.candidate_bp
    steps = _steps(kind, playbook, now, tightened=tightened, recorded=recorded)
    for step in steps:
        if step.desired.candidate_bp % capabilities.granularity_bp:
            share = format_percent(step.desired.candidate_bp)
            raise CannotRollOut(
                f"{share} cannot be expressed by target {playbook.revert.target!r}; "
                f"multiples of {format_percent(capabilities.granularity_bp)} are accepted"
            )
    sandbox = playbook.rollout.sandbox if playbook.rollout and kind == "sandbox" else None
    lead, *followers = members_of(release, playbook)
    last = before if sandbox is not None else before.model_copy(update={"split": steps[-1].desired})
    return RolloutPlan(
        rollout_id=rollout_id,
        kind=kind,
        release_id=release.release_id,
        environment=release.environment,
        service=release.service,
        candidate=release.candidate,
        baseline=release.baseline,
        member=lead,
        before=before,
        before_revision=state.revision,
        before_fence=state.fence,
        steps=steps,
        ends_with=last,
        lease=sandbox.lease if sandbox is not None and capabilities.leases else None,
        settle=playbook.revert.traffic.settle,
        tightened=tightened,
        playbook_digest=release.playbook_digest,
        unmoved=tuple(f"{one.target}/{one.name}" for one in followers),
    )


def _steps(
    kind: Kind, playbook: Playbook, now: int, *, tightened: bool, recorded: Sequence[int]
) -> tuple[RolloutStep, ...]:
    rollout = playbook.rollout
    if rollout is None or (kind == "sandbox" and rollout.sandbox is None) or (kind != "sandbox" and not rollout.ramp):
        wanted = "rollout.sandbox" if kind == "sandbox" else "rollout.ramp"
        raise CannotRollOut(f"playbook {playbook.name!r} has no {wanted!r}; write one")
    least = playbook.detection.health.min_time if playbook.detection.health else timedelta()
    if kind == "sandbox" and rollout.sandbox is not None:
        if now != 0:
            raise CannotRollOut(f"the candidate already has {format_percent(now)} of users; a sandbox begins at 0 %")
        times = [(rollout.sandbox.share, timedelta(), rollout.sandbox.time_limit)]
    else:
        ramp = [(step.share, step.at_least, step.time_limit) for step in rollout.ramp]
        if kind == "reintroduce":
            if not recorded:
                raise CannotRollOut("no way back of this candidate is on record, so there is nothing to return to")
            # Each recorded share is watched as long as the next larger step of the ramp.
            shares = sorted(set(recorded))
            ramp = [(share, *next((one for one in ramp if one[0] >= share), ramp[-1])[1:]) for share in shares]
        elif tightened and now >= ramp[0][0]:
            raise CannotRollOut(
                f"this candidate was in quarantine and starts at {format_percent(ramp[0][0])}; "
                f"it has {format_percent(now)} of users, take it back first"
            )
        times = [one for one in ramp if one[0] > now]
    if not times:
        raise CannotRollOut(f"the candidate already has {format_percent(now)} of users; no larger step is planned")
    steps = []
    for number, (share, at_least, time_limit) in enumerate(times, start=1):
        shortest = max(at_least, least)
        more = shortest if tightened else timedelta()
        steps.append(
            RolloutStep(
                number=number,
                desired=Split.candidate(share),
                at_least=shortest + more,
                time_limit=time_limit + more,
            )
        )
    return tuple(steps)


def step_sentence(step: RolloutStep) -> str:
    """`5 % of users, at least 10 minutes, shown to be healthy within 2 hours`."""
    least = f"at least {in_words(step.at_least)}, " if step.at_least else ""
    share = format_percent(step.desired.candidate_bp)
    return f"{share} of users, {least}shown to be healthy within {in_words(step.time_limit)}"


def plan_lines(plan: RolloutPlan) -> tuple[str, ...]:
    """What the plan does, line by line, as people read it before they start it."""
    lines = [f"{step.number}. {step_sentence(step)}" for step in plan.steps]
    back = format_percent(plan.before.split.candidate_bp)
    if plan.goes_back:
        lines.append(f"It always ends with the state from before: {back} of users.")
        if plan.lease is not None:
            lines.append(f"If its watcher is lost, the target goes back by itself within {in_words(plan.lease)}.")
        else:
            lines.append("The target cannot go back by itself if the watcher is lost; somebody has to look.")
    else:
        lines.append(f"Held without a decision for a step's time limit, everybody goes back to {back} of users.")
    if plan.left:
        lines.append(plan.left)
    if plan.tightened:
        lines.append("This candidate was in quarantine: it starts at the smallest step, and each lasts twice as long.")
    return tuple(lines)

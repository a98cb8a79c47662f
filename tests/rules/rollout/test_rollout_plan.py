"""What a rollout does, fixed before anybody starts it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from countermand.plan.target import Capabilities, Split, TargetState
from countermand.playbook.model import Playbook
from countermand.rollout.plan import CannotRollOut, RolloutPlan, ServedState, build, plan_lines
from tests import cases, fakes
from tests.rollouts import RAMP, SANDBOX, LeasedTarget, document, playbook


def planned(
    kind: str = "sandbox",
    candidate_bp: int = 0,
    *,
    said: Playbook | None = None,
    capabilities: Capabilities = LeasedTarget.capabilities,
    **changes: Any,
) -> RolloutPlan:
    release = cases.release()
    state = TargetState(
        split=Split.candidate(candidate_bp),
        revision="7",
        idempotency_key=None,
        fence=3,
        read_at=fakes.now(),
        raw_sha256="sha256:0",
    )
    before = ServedState(
        split=state.split, candidate_digest=release.candidate.digest, baseline_digest=release.baseline.digest
    )
    given: dict[str, Any] = {"before": before, "tightened": False} | changes
    return build(
        kind,  # type: ignore[arg-type]  # parametrised
        rollout_id="rollout-1",
        release=release,
        playbook=said or playbook(),
        state=state,
        capabilities=capabilities,
        **given,
    )


def shares(plan: RolloutPlan) -> list[int]:
    return [step.desired.candidate_bp for step in plan.steps]


def test_a_sandbox_is_one_capped_step_under_a_lease_that_ends_where_it_began() -> None:
    plan = planned()
    assert (shares(plan), plan.lease, plan.goes_back) == ([100], timedelta(seconds=3), True)
    assert plan.ends_with == plan.before
    assert any("goes back by itself within 3 seconds" in line for line in plan_lines(plan))


def test_a_sandbox_begins_where_nobody_has_the_candidate() -> None:
    with pytest.raises(CannotRollOut, match="a sandbox begins at 0 %"):
        planned(candidate_bp=100)


def test_a_ramp_takes_the_steps_that_are_still_ahead() -> None:
    assert shares(planned("ramp")) == [500, 5_000]
    assert shares(planned("ramp", 500)) == [5_000]
    with pytest.raises(CannotRollOut, match="no larger step"):
        planned("ramp", 5_000)


def test_a_candidate_that_was_in_quarantine_starts_at_the_smallest_step_and_is_watched_twice_as_long() -> None:
    plain, tight = planned("ramp"), planned("ramp", tightened=True)
    assert [step.at_least for step in tight.steps] == [2 * step.at_least for step in plain.steps]
    assert all(step.at_least < step.time_limit for step in tight.steps)
    assert "was in quarantine" in plan_lines(tight)[-1]
    with pytest.raises(CannotRollOut, match="starts at 5 %"):
        planned("ramp", 500, tightened=True)


def test_the_return_after_a_way_back_ends_in_exactly_the_recorded_state() -> None:
    plan = planned("reintroduce", recorded=(5_000, 4_500, 2_500))
    assert shares(plan) == [2_500, 4_500, 5_000]
    assert plan.ends_with == plan.before.model_copy(update={"split": Split.candidate(5_000)})
    assert plan.ends_with.digest != plan.before.digest
    with pytest.raises(CannotRollOut, match="no way back"):
        planned("reintroduce")


def test_a_share_that_the_target_cannot_express_is_refused() -> None:
    alias = LeasedTarget.capabilities.model_copy(update={"kind": "alias", "granularity_bp": 10_000})
    with pytest.raises(CannotRollOut, match="5 % cannot be expressed by target 'fake'; multiples of 100 %"):
        planned("ramp", capabilities=alias)


def test_a_target_that_serves_another_version_is_refused() -> None:
    before = ServedState(split=Split.candidate(0), candidate_digest="sha256:other", baseline_digest=None)
    with pytest.raises(CannotRollOut, match="serves 'sha256:other'"):
        planned("ramp", before=before)


def test_the_way_back_has_a_fence_above_all_steps() -> None:
    plan = planned("ramp")
    fences = [plan.fence(step) for step in (1, 2, 0)]
    assert fences == sorted(set(fences))
    assert min(fences) > plan.before_fence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ramp": RAMP[::-1]}, "each step must be larger"),
        ({"sandbox": SANDBOX | {"share": "11%"}}, "11 % is not accepted"),
        ({"sandbox": SANDBOX | {"lease": "120s"}}, "must be shorter than time_limit"),
        ({"sandbox": SANDBOX | {"lease": "11m", "time_limit": "1h"}}, "10m or less"),
        ({"ramp": [RAMP[0] | {"at_least": "120s"}]}, "must be longer than at_least"),
        ({"ramp": [RAMP[0] | {"at_least": "0s", "time_limit": "400ms"}]}, "must be longer than min_time"),
        ({"sandbox": None, "ramp": []}, "write `sandbox`, `ramp` or both"),
    ],
)
def test_what_nothing_can_ever_promote_does_not_parse(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        playbook(**changes)


def test_a_rollout_without_a_certificate_of_health_does_not_parse() -> None:
    said = document()
    del said["detection"]["health"]
    with pytest.raises(ValidationError, match=r"write `detection\.health` as well"):
        Playbook.model_validate(said)


def test_members_that_a_rollout_leaves_as_they_are_stand_on_its_plan() -> None:
    said = document()
    said["revert"] |= {
        "together": [{"target": "registry", "member": "chat-prompt", "part": "prompt"}],
        "on_member_failure": "hold",
    }
    plan = planned("ramp", said=Playbook.model_validate(said))
    assert plan.unmoved == ("registry/chat-prompt",)
    assert "registry/chat-prompt is not moved by this rollout." in plan_lines(plan)
    assert planned("ramp").left == ""

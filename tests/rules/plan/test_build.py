"""The Plan: what goes back in which steps, and what changes its digest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.plan.build import NothingToRevert, build_plan, stage_sentence
from countermand.plan.model import Plan
from countermand.plan.target import Capabilities, Preflight, Split, TargetState
from countermand.playbook.model import Severity
from tests import cases

AT = datetime(2026, 3, 1, tzinfo=UTC)


def a_plan(before_bp: int, granularity: int = 1, *, problems: tuple[str, ...] = (), durable: bool = True) -> Plan:
    return build_plan(
        incident_id="inc-1",
        release=cases.release(),
        playbook=cases.playbook(),
        governance_digest="sha256:" + "b" * 64,
        severity=Severity.sev2,
        state=TargetState(
            split=Split.candidate(before_bp), revision="7", idempotency_key=None, fence=0, read_at=AT,
            raw_sha256="sha256:0",
        ),
        preflight=Preflight(ready=not problems, problems=problems, destination_digest=None, write_permitted=True),
        capabilities=Capabilities(
            kind="split", granularity_bp=granularity, compare_and_swap="native", durable=durable,
            stores_fence=True, observes="counters", dry_run="server",
        ),
    )  # fmt: skip


@given(st.integers(1, 10_000), st.sampled_from([1, 50, 100]))
def test_tgt_22_shares_only_fall_are_representable_and_end_at_zero(before_bp: int, granularity: int) -> None:
    plan = a_plan(before_bp, granularity)
    shares = [before_bp, *(stage.desired.candidate_bp for stage in plan.stages)]
    assert shares == sorted(set(shares), reverse=True)
    assert shares[-1] == 0
    assert all(share % granularity == 0 for share in shares[1:])
    assert [stage.number for stage in plan.stages] == list(range(1, len(plan.stages) + 1))


def test_a_candidate_that_serves_nobody_needs_no_plan() -> None:
    with pytest.raises(NothingToRevert, match="0 %"):
        a_plan(0)


def test_stage_sentences_say_who_goes_back_and_what_share_is_left() -> None:
    plan = a_plan(5_000)
    assert [stage_sentence(plan, stage) for stage in plan.stages] == [
        "10 % of the candidate's users go back (candidate 50 % → 45 % of all users)",
        "50 % of the candidate's users go back (candidate 45 % → 25 % of all users)",
        "100 % of the candidate's users go back (candidate 25 % → 0 % of all users)",
    ]


def test_gov_8_the_digest_covers_every_field_and_survives_json() -> None:
    plan = a_plan(5_000)
    assert Plan.model_validate_json(plan.model_dump_json()).digest == plan.digest
    changed = [
        plan.model_copy(update={"severity": Severity.sev1}),
        plan.model_copy(update={"before_revision": "8"}),
        plan.model_copy(update={"stages": plan.stages[:2]}),
        plan.model_copy(update={"playbook_digest": "sha256:" + "c" * 64}),
        plan.model_copy(update={"warnings": ("somebody else writes here too",)}),
    ]
    assert len({plan.digest, *(other.digest for other in changed)}) == 6


def test_doubts_stand_on_the_plan() -> None:
    plan = a_plan(5_000, problems=("baseline is slow",), durable=False)
    assert plan.warnings == ("baseline is slow", "target 'fake' forgets the change when it restarts")

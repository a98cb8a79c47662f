"""The Plan: what goes back in which steps, and what changes its digest."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.plan.build import Found, NothingToRevert, build_plan, stage_sentence
from countermand.plan.model import MemberKind, Plan
from countermand.plan.target import Capabilities, Preflight, Split, TargetState
from countermand.playbook.model import Playbook, Severity
from tests import cases

AT = datetime(2026, 3, 1, tzinfo=UTC)


def found(
    before_bp: int,
    granularity: int = 1,
    *,
    problems: tuple[str, ...] = (),
    durable: bool = True,
    kind: MemberKind = "split",
) -> Found:
    return Found(
        state=TargetState(
            split=Split.candidate(before_bp), revision="7", idempotency_key=None, fence=0, read_at=AT,
            raw_sha256="sha256:0",
        ),
        preflight=Preflight(ready=not problems, problems=problems, destination_digest=None, write_permitted=True),
        capabilities=Capabilities(
            kind=kind, granularity_bp=granularity, compare_and_swap="native", durable=durable,
            stores_fence=True, observes="counters", dry_run="server",
        ),
    )  # fmt: skip


def together(lead: Found, *followers: Found, part: str | None = None) -> Plan:
    """A plan for a bundle in several members; the followers hold the prompt, then the index."""
    document = cases.playbook_document()
    parts = [("registry", "prompt", "prompt"), ("registry", "index", "index")][: len(followers)]
    document["revert"] |= {
        "together": [{"target": target, "member": member, "part": holds} for target, member, holds in parts],
        "on_member_failure": "compensate",
    }
    if part is not None:
        document["revert"]["part"] = part
    return build_plan(
        incident_id="inc-1",
        release=cases.release(),
        playbook=Playbook.model_validate(document),
        governance_digest="sha256:" + "b" * 64,
        severity=Severity.sev2,
        found=[lead, *followers],
    )


def a_plan(before_bp: int, granularity: int = 1, *, problems: tuple[str, ...] = (), durable: bool = True) -> Plan:
    return build_plan(
        incident_id="inc-1",
        release=cases.release(),
        playbook=cases.playbook(),
        governance_digest="sha256:" + "b" * 64,
        severity=Severity.sev2,
        found=[found(before_bp, granularity, problems=problems, durable=durable)],
    )


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


ALIAS = found(10_000, 10_000, kind="alias")


def test_tgt_19_followers_move_with_the_last_stage_in_the_playbooks_order() -> None:
    plan = together(found(5_000), ALIAS, ALIAS)
    assert [plan.due(stage.number) for stage in plan.stages] == [(0,), (0,), (0, 1, 2)]
    assert [one.name for one in plan.members] == ["fake/test-bot", "registry/prompt", "registry/index"]
    last = stage_sentence(plan, plan.stages[-1])
    assert "0 % of all users); registry/prompt names the baseline; registry/index names the baseline" in last
    assert "registry" not in stage_sentence(plan, plan.stages[0])


def test_a_follower_holds_the_digest_of_its_part() -> None:
    plan, release = together(found(5_000), ALIAS), cases.release()
    assert plan.followers[0].member.candidate_digest == release.candidate.prompt
    assert plan.member.candidate_digest == release.candidate.digest


def test_an_alias_goes_back_in_one_stage_and_the_plan_says_that_everybody_changes_at_once() -> None:
    plan = together(ALIAS, ALIAS, part="model")
    assert [(stage.give_back_bp, stage.desired) for stage in plan.stages] == [(10_000, Split.candidate(0))]
    assert stage_sentence(plan, plan.stages[0]).startswith("fake/test-bot names the baseline; registry/prompt names")
    assert "fake/test-bot changes for all users at once" in plan.warnings


def test_what_is_left_of_a_divided_bundle_is_planned_in_one_stage() -> None:
    plan = together(found(0), ALIAS)
    assert [stage_sentence(plan, stage) for stage in plan.stages] == ["registry/prompt names the baseline"]
    with pytest.raises(NothingToRevert):
        together(found(0), found(0, 10_000, kind="alias"))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"together": [{"target": "fake", "member": "test-bot"}], "on_member_failure": "hold"}, "moved already"),
        ({"together": [{"target": "registry", "member": "prompt", "part": "prompt"}]}, "hold or compensate"),
        ({"on_member_failure": "hold"}, "nothing moves together"),
        ({"together": [{"target": "registry", "member": "p", "part": "weights"}]}, "part"),
    ],
)
def test_a_bundle_that_is_described_badly_does_not_parse(changes: dict[str, object], place: str) -> None:
    document = cases.playbook_document()
    document["revert"] |= changes
    with pytest.raises(ValidationError, match=place):
        Playbook.model_validate(document)


def test_a_plan_by_parts_names_the_parts_that_differ_and_that_nothing_takes_back() -> None:
    by_parts = together(found(5_000), found(10_000, 10_000, kind="alias"), part="model")
    assert "nothing here takes back decoding, index: left as in test-bot v7" in by_parts.warnings
    whole = together(found(5_000), found(10_000, 10_000, kind="alias"))
    assert not any("takes back" in warning for warning in whole.warnings), "the lead member holds the whole bundle"

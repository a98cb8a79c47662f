"""Inclusive test sets: counts are judged group by group, and a re-release needs every set on exactly its version."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from countermand.governance.eligible import Version
from countermand.ledger.bodies import GroupRun, InclusiveRun, RolloutEnded, VersionQuarantined
from countermand.ledger.body import Body
from countermand.ledger.record import Record
from countermand.playbook.fairness import InclusiveSet, SetLimit
from countermand.rollout.inclusive import after, judge, lacking, seen
from tests import fakes

LIMIT = SetLimit(groups=("de", "tr"), min_scored=100, at_most="5%")
SET = InclusiveSet(name="dialects", covers="dialects", includes=("regional wording",), limit=LIMIT)
BUNDLE = "sha256:" + "1" * 64
GOOD = (GroupRun(group="de", scored=200, passed=199), GroupRun(group="tr", scored=200, passed=198))


def run(*groups: GroupRun, **changes: Any) -> InclusiveRun:
    return InclusiveRun(
        **{
            "run_id": "1", "service": "test-bot", "bundle_digest": BUNDLE, "test_set": "dialects", "groups": groups,
            "evidence": "report 12", "by": "ci", "name": "ci", "principal": "source",
        } | changes
    )  # fmt: skip


async def kept(*bodies: Body, release_id: str = "r-1") -> list[Record]:
    ledger = fakes.FakeLedger()
    for number, body in enumerate(bodies):
        await ledger.append(body.entry(str(number), "worker", incident_id="inc-1", release_id=release_id))
    return await ledger.records()


@pytest.mark.parametrize(
    ("groups", "word", "says"),
    [
        (GOOD, "pass", "each of 2 groups"),
        (GOOD[:1], "unknown", "tr: not in the run."),
        ((GOOD[0], GroupRun(group="tr", scored=99, passed=99)), "unknown", "at least 100 are needed"),
        ((GOOD[0], GroupRun(group="tr", scored=100, passed=98)), "unknown", "too few to show"),
        ((GOOD[0], GroupRun(group="tr", scored=200, passed=180)), "fail", "tr: 20 bad of 200; at most 5 % is accepted"),
        ((*GOOD, GroupRun(group="pl", scored=200, passed=100)), "fail", "pl: 100 bad of 200"),
        ((GroupRun(group="tr", scored=200, passed=180),), "fail", "tr: 20 bad of 200"),
    ],
)
def test_r85_every_group_has_to_pass_by_itself(groups: tuple[GroupRun, ...], word: str, says: str) -> None:
    found = judge(LIMIT, groups)
    assert found[0] == word
    assert says in found[1]


def test_r85_without_a_limit_no_run_passes() -> None:
    assert judge(None, GOOD)[0] == "unknown"


@settings(max_examples=60, deadline=None)
@given(scored=st.integers(0, 2_000), share=st.floats(0, 1))
def test_r85_a_set_passes_only_when_enough_was_seen_and_one_more_bad_output_never_helps(
    scored: int, share: float
) -> None:
    bad = int(scored * share)
    one = SetLimit(groups=("de",), min_scored=100, at_most="5%")
    word = judge(one, (GroupRun(group="de", scored=scored, passed=scored - bad),))[0]
    if word == "pass":
        assert scored >= 100
        assert bad <= scored * 0.05
    elif bad < scored:
        assert judge(one, (GroupRun(group="de", scored=scored, passed=scored - bad - 1),))[0] != "pass"


async def test_r85_only_runs_on_exactly_this_version_of_this_service_count_and_the_newest_one_does() -> None:
    failed = (GroupRun(group="de", scored=200, passed=100), GOOD[1])
    others = [run(*GOOD, bundle_digest="sha256:" + "2" * 64), run(*GOOD, service="other"), run(*GOOD, test_set="other")]
    (none,) = seen((SET,), await kept(*others), bundle_digest=BUNDLE, service="test-bot")
    assert (none.word, none.runs) == ("missing", 0)
    (two,) = seen((SET,), await kept(run(*failed), run(*GOOD)), bundle_digest=BUNDLE, service="test-bot")
    assert (two.word, two.runs, two.not_passed) == ("pass", 2, 1)
    (worse,) = seen((SET,), await kept(run(*GOOD), run(*failed)), bundle_digest=BUNDLE, service="test-bot")
    assert worse.word == "fail"


def quarantined(digest: str, *, fairness: bool, environment: str = "prod") -> VersionQuarantined:
    return VersionQuarantined(digest=digest, name="x", environment=environment, members={}, fairness=fairness)


def ramped(**changes: Any) -> RolloutEnded:
    return RolloutEnded(
        **{
            "rollout_id": "r", "kind": "ramp", "environment": "prod", "member": "m", "candidate_digest": "d",
            "outcome": "done", "sentence": "Shown.", "restored": True, "signals": (),
        } | changes
    )  # fmt: skip


@pytest.mark.parametrize(
    ("bodies", "word"),
    [
        ([], ""),
        ([quarantined("another", fairness=False)], "rollback"),
        ([quarantined("another", fairness=True)], "fairness"),
        ([quarantined("another", fairness=True, environment="staging")], ""),
        ([quarantined("another", fairness=True), ramped()], ""),
        ([quarantined("another", fairness=True), ramped(kind="sandbox")], "fairness"),
        ([quarantined("another", fairness=True), ramped(outcome="doubtful")], "fairness"),
        ([quarantined("another", fairness=True), ramped(environment="staging")], "fairness"),
        ([quarantined(BUNDLE, fairness=True), ramped()], "fairness"),
        ([ramped(), quarantined("another", fairness=True)], "fairness"),
    ],
)
async def test_lrn_30_a_rollback_counts_until_the_service_went_forward_and_for_its_own_candidate_for_ever(
    bodies: list[Body], word: str
) -> None:
    records = await kept(*bodies)
    quarantines = [one for one in records if one.kind is VersionQuarantined.KIND]
    rollouts = [one for one in records if one.kind is RolloutEnded.KIND]
    services = {"r-1": "test-bot"}
    assert after(Version(digest=BUNDLE), "prod", "test-bot", quarantines, rollouts, services) == word
    other = after(Version(digest="sha256:other"), "prod", "another-bot", quarantines, rollouts, services)
    assert other == ""


async def test_lrn_30_after_harm_about_fairness_every_set_is_needed_else_those_that_gate() -> None:
    gates = SET.model_copy(update={"name": "screen_reader", "gate": "re_release"})
    sets = seen((SET, gates), await kept(run(*GOOD)), bundle_digest=BUNDLE, service="test-bot")
    assert lacking("", sets) == ""
    assert "screen reader (missing: no run of it on this version is on record)" in lacking("rollback", sets)
    nothing = seen((SET, gates), [], bundle_digest=BUNDLE, service="test-bot")
    assert "dialects" not in lacking("rollback", nothing)
    assert "dialects (missing" in lacking("fairness", nothing)
    both = seen((SET, gates), await kept(run(*GOOD), run(*GOOD, test_set="screen_reader")), bundle_digest=BUNDLE,
                service="test-bot")  # fmt: skip
    assert lacking("fairness", both) == ""


def test_a_set_that_gates_has_a_limit_and_names_each_group_once() -> None:
    said = SET.model_dump(mode="json")
    with pytest.raises(ValidationError, match="could never pass"):
        InclusiveSet.model_validate(said | {"gate": "re_release", "limit": None})
    with pytest.raises(ValidationError, match="listed before"):
        InclusiveSet.model_validate(said | {"limit": said["limit"] | {"groups": ["de", "de"]}})

"""A share that a rollout has set counts only when the target says it and traffic shows it (TGT-8, TGT-9)."""

from __future__ import annotations

import pytest

from activities.rolling_traffic import Follows, StepTraffic
from countermand import ids
from countermand.ledger.bodies import RolloutEnded
from countermand.ledger.record import Kind
from countermand.plan.target import CheckWord, Split
from countermand.playbook.way_back import TrafficVerification
from tests.activities.test_rolling import Road

WANTED = TrafficVerification.model_validate({"residual": "2%", "settle": "10ms", "time_limit": "1s"})


async def look(road: Road, wanted: TrafficVerification = WANTED, *, waiting: bool = True) -> Follows:
    plan = await road.plan("sandbox")
    return await StepTraffic(road.ledger, road.target, plan, 1, wanted).look(waiting=waiting)


async def begun() -> Road:
    road = Road()
    assert (await road.set(await road.plan("sandbox"))).result == "applied"
    return road


async def test_evidence_counts_from_the_moment_at_which_traffic_was_shown_to_follow() -> None:
    road = await begun()
    seen = await look(road)
    record = await road.ledger.find(ids.rollout_record("rollout-1", "traffic/1"))
    assert record is not None
    assert (seen.word, seen.since) == (CheckWord.passed, record.at)
    assert (await look(road)).since == record.at
    assert road.ledger.kinds()[Kind.rollout_traffic.value] == 1


@pytest.mark.parametrize(
    ("users", "follows", "word"), [(0, True, CheckWord.unknown), (150, True, CheckWord.unknown), (5_000, False, "fail")]
)
async def test_what_is_configured_and_not_seen_counts_for_nothing(users: int, follows: bool, word: CheckWord) -> None:
    road = await begun()
    road.target.users, road.target.traffic_follows = users, follows
    seen = await look(road, waiting=False)
    assert (seen.word, seen.since) == (word, None)
    assert Kind.rollout_traffic.value not in road.ledger.kinds()


async def test_a_playbook_that_takes_what_is_configured_gets_it_after_the_time_for_looking() -> None:
    road = await begun()
    road.target.users = 0
    wanted = WANTED.model_copy(update={"observed": "best_effort"})
    assert (await look(road, wanted)).word is CheckWord.unknown
    assert (await look(road, wanted, waiting=False)).since is not None
    assert road.ledger.bodies(Kind.rollout_traffic)[0]["basis"] == "configured_only"


async def test_a_share_that_somebody_changes_later_is_seen_at_the_next_look() -> None:
    road = await begun()
    assert (await look(road)).word is CheckWord.passed
    road.target.split = Split.candidate(700)
    seen = await look(road)
    assert seen.word is CheckWord.failed
    assert "7 %" in seen.sentence


async def test_a_target_that_does_not_answer_is_unknown() -> None:
    road = await begun()
    plan = await road.plan("sandbox")
    road.target.dark = True
    traffic = StepTraffic(road.ledger, road.target, plan, 1, WANTED)
    assert (await traffic.look(waiting=False)).word is CheckWord.unknown


async def ended(users: int) -> tuple[Road, RolloutEnded]:
    road = await begun()
    plan = await road.plan("sandbox")
    assert (await road.set(plan, 0)).result == "applied"
    await road.shown(plan, 1, "hallucinations")
    road.target.users = users
    return road, await road.end(plan)


async def test_a_way_back_that_nobody_saw_in_traffic_is_doubtful_and_the_next_sandbox_needs_a_person() -> None:
    road, body = await ended(users=0)
    assert (body.outcome, body.restored) == ("doubtful", False)
    assert "no traffic is not success" in body.sentence
    assert (await road.planned("sandbox", "rollout-2")).asks == ("sandbox rollout-1 did not verify its cleanup",)


async def test_a_way_back_that_traffic_shows_says_so() -> None:
    _, body = await ended(users=5_000)
    assert (body.outcome, body.restored) == ("done", True)
    assert "none of 5000 users was served by the candidate" in body.sentence

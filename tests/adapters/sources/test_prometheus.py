"""A real Prometheus: what is counted equals what happened, and whatever it cannot say is unknown, with the reason."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.ports import ReleaseStatus
from activities.sealing import Sealer
from activities.signal_ports import CountedBlock
from activities.watching import Evaluator
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.migrate import upgrade
from adapters.signals import SqlSignals
from countermand.detection.blocks import Arm, BlockState
from countermand.detection.models import VerdictWord
from countermand.playbook.load import parse
from tests import cases
from tests.adapters.sources.prometheus_cases import ARMS, latency, pulled, request, signal, source, utility
from tests.adapters.sources.prometheus_world import BLOCK, EDGES, World, ended, started
from tests.adapters.sources.servers import Prometheus


@pytest.fixture(scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    if not Prometheus.installed():
        pytest.skip("no Prometheus is installed (Debian: apt install prometheus)")
    running = await started(tmp_path_factory.mktemp("prometheus"))
    await running.lives()
    yield running
    await ended(running)


def counters(job: str) -> dict[str, str]:
    return {"bad": f'answers_bad_total{{job="{job}"}}', "total": f'answers_total{{job="{job}"}}'}


SCORES = {
    "sum": 'utility_sum_total{job="steady"}',
    "sumsq": 'utility_sumsq_total{job="steady"}',
    "count": 'answers_total{job="steady"}',
}


async def candidate(world: World, query: dict[str, str], block: int, **changes: Any) -> CountedBlock:
    found = await pulled(world.prometheus.url, signal(query, **changes), world.began + block * BLOCK)
    return found[Arm.candidate]


@pytest.mark.parametrize("job", ["steady", "restart", "growing", "codes"])
@pytest.mark.parametrize("block", [0, 1, 2])
async def test_what_is_counted_equals_the_log_over_restarts_and_new_replicas(
    world: World, job: str, block: int
) -> None:
    if job == "codes":
        query = {"bad": 'requests_total{code=~"5.."}', "total": "requests_total"}
        # The code 503 appears in block 1 with the value 4, on a process that was seen before.
        expected = (104, 4) if block == 1 else (100, 0)
    else:
        query, happened = counters(job), world.log[job, block]
        expected = (happened["total"], happened["bad"])
    both = await pulled(world.prometheus.url, signal(query), world.began + block * BLOCK)
    found = both[Arm.candidate]
    assert (found.state, found.reason) == (BlockState.ok, None)
    assert (found.scored, found.bad) == expected
    assert found.served == found.scored
    if job != "codes":
        assert (both[Arm.baseline].scored, both[Arm.baseline].bad) == (expected[0], 0)


async def test_consecutive_blocks_add_up_to_one_long_block(world: World) -> None:
    client = source(world.prometheus.url)
    spec = signal(counters("steady"))
    parts = [await pulled(world.prometheus.url, spec, world.began + block * BLOCK) for block in range(3)]
    whole = request(spec, world.began).model_copy(update={"end": world.began + 3 * BLOCK})
    (one, _) = (await client.pull(whole)).counts
    await client.close()
    assert one.scored == sum(part[Arm.candidate].scored for part in parts)
    assert one.bad == sum(part[Arm.candidate].bad for part in parts)


async def test_increase_is_neither_whole_nor_what_happened(world: World) -> None:
    """Guards against a silent switch: it leaves out what came before the first sample of the block, and guesses."""
    end = world.began + BLOCK
    text = 'increase(answers_total{job="steady",track="canary"}[5s])'
    (guessed,) = await world.prometheus.query(text, time=str(end.timestamp()))
    assert float(guessed["value"][1]) != world.log["steady", 0]["total"]
    assert (await candidate(world, counters("steady"), 0)).scored == world.log["steady", 0]["total"]


async def test_outputs_that_were_due_and_not_judged_are_served(world: World) -> None:
    query = counters("restart") | {"served": 'answers_due_total{job="restart"}'}
    found = await candidate(world, query, 0)
    assert (found.served, found.scored, found.bad) == (1100, 1000, 40)


async def test_scores_come_as_steps_of_their_range(world: World) -> None:
    for range_, quarter, half, one in (((0, 1), 2500, 5000, 10_000), ((0, 2), 1250, 2500, 5000)):
        both = await pulled(world.prometheus.url, utility(SCORES, range=range_), world.began)
        for found in both.values():
            assert (found.scored, found.bad, found.hist) == (420, 0, {})
            assert found.sum == 140 * (quarter + half + one)
            assert found.sumsq == 140 * (quarter**2 + half**2 + one**2)


async def test_scores_outside_their_declared_range_are_unknown(world: World) -> None:
    both = await pulled(world.prometheus.url, utility(SCORES, range=(0, 0.5)), world.began)
    assert {found.reason for found in both.values()} == {"out_of_range"}


async def test_latencies_come_as_outputs_by_bucket(world: World) -> None:
    spec = latency({"histogram": 'latency_seconds_bucket{job="steady"}'})
    both = await pulled(world.prometheus.url, spec, world.began)
    for found in both.values():
        assert (found.scored, found.hist) == (60, {0: 30, 1: 15, 3: 15})


@pytest.mark.parametrize("edges", [EDGES[:2], (*EDGES, 5.0), (0.2, 0.5, 1.0)])
async def test_a_histogram_with_other_buckets_than_the_playbook_is_unknown(
    world: World, edges: tuple[float, ...]
) -> None:
    both = await pulled(
        world.prometheus.url, latency({"histogram": 'latency_seconds_bucket{job="steady"}'}, edges), world.began
    )
    assert {found.reason for found in both.values()} == {"other_edges"}


STRICT = 'max(judge_bad_share{$arm,job="steady",judge="strict"})'


@pytest.mark.parametrize(("bad", "expected"), [("higher", 53), ("lower", 368)])  # an eighth of 420 is 52.5
async def test_an_expression_gives_the_share_in_the_signals_own_direction(
    world: World, bad: str, expected: int
) -> None:
    query = {"value": STRICT, "total": 'answers_total{job="steady"}'}
    found = await candidate(world, query, 0, bad=bad, expect=0.1)
    assert (found.scored, found.bad) == (420, expected)


UNKNOWN = {
    # what happened: (query, block, reason of the candidate's block)
    "no such metric": ({"bad": "nobody_counts_this", "total": 'answers_total{job="steady"}'}, 0, "empty"),
    "a process that stopped": (counters("stopping"), 1, "stale"),
    "a process that is gone": (counters("stopping"), 2, "empty"),
    "a scrape that paused": (counters("paused"), 1, "stale"),
    "one of two replicas stopped": (counters("shrinking"), 1, "coverage"),
    "nothing was served": (counters("falling"), 1, "no_traffic"),
    "more bad than all": ({"bad": 'answers_total{job="steady"}', "total": 'answers_bad_total{job="steady"}'}, 0,
                          "inconsistent"),
    "a counter that falls alone": ({"bad": 'answers_bad_total{job="falling"}', "total": 'shrinking{job="falling"}'}, 1,
                                   "inconsistent"),
    "a matcher that cannot be read": ({"bad": 'answers_total{job=~"("}', "total": "answers_total"}, 0, "query_error"),
    "PromQL that cannot be read": ({"value": "avg(judge_bad_share{$arm}", "total": "answers_total"}, 0, "query_error"),
    "PromQL that cannot be executed": (
        {"value": 'judge_bad_share{$arm,job="steady"} * on(track) judge_bad_share{$arm,job="steady"}',
         "total": 'answers_total{job="steady"}'}, 0, "query_error"),
    "two values": ({"value": 'judge_bad_share{$arm,job="steady"}', "total": 'answers_total{job="steady"}'}, 0,
                   "ambiguous"),
    "a range of values": ({"value": 'judge_bad_share{$arm,job="steady",judge="strict"}[3s]',
                           "total": 'answers_total{job="steady"}'}, 0, "ambiguous"),
    "no value": ({"value": 'judge_bad_share{$arm,job="nobody"}', "total": 'answers_total{job="steady"}'}, 0, "empty"),
    "a NaN": ({"value": STRICT, "total": 'answers_total{job="steady"}'}, 1, "not_finite"),
    "a share above 1": ({"value": STRICT + " + 1", "total": 'answers_total{job="steady"}'}, 0, "out_of_range"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNKNOWN)
async def test_whatever_it_cannot_say_is_unknown_with_its_reason(world: World, what: str) -> None:
    query, block, reason = UNKNOWN[what]
    found = await candidate(world, query, block)
    assert (found.state, found.reason) == (BlockState.unknown, reason)
    assert (found.served, found.scored, found.bad) == (0, 0, 0)
    assert found.evidence is not None


async def test_a_lasting_loss_of_replicas_is_unknown_for_one_block_only(world: World) -> None:
    found = await candidate(world, counters("shrinking"), 2)
    assert (found.reason, found.scored, found.bad) == (None, 100, 5)


async def test_after_a_pause_it_counts_from_the_first_sample(world: World) -> None:
    found = await candidate(world, counters("paused"), 2)
    assert (found.reason, found.scored, found.bad) == (None, 60, 6)


async def test_a_series_of_both_arms_makes_both_unknown(world: World) -> None:
    arms = ARMS | {"baseline": {"job": "steady"}}
    both = await pulled(world.prometheus.url, signal(counters("steady")), world.began, arms=arms)
    assert {found.reason for found in both.values()} == {"inconsistent"}


async def test_a_label_value_in_quotes_stays_a_value(world: World) -> None:
    arms = ARMS | {"candidate": {"track": 'x"} or answers_total{track="canary'}}
    both = await pulled(world.prometheus.url, signal(counters("steady")), world.began, arms=arms)
    assert both[Arm.candidate].reason == "empty"
    assert both[Arm.baseline].scored == 420


async def test_the_same_question_gives_the_same_sums_and_other_blocks_other_evidence(world: World) -> None:
    first, again, other = [await candidate(world, counters("steady"), block) for block in (0, 0, 1)]
    assert first.block() == again.block()
    assert first.evidence != other.evidence


async def test_unknown_blocks_reach_the_verdict_which_is_then_not_ok(world: World, tmp_path: Path) -> None:
    document = cases.playbook_document()
    detection = document["detection"] | {"block": "5s", "sustain": "25s"}
    (spec,) = detection["signals"].values()
    spec |= {"source": "prometheus", "query": counters("stopping")}
    document |= {"detection": detection}
    document["verification"]["time_limit"] = "60s"
    raw = json.dumps(document).encode()
    url = f"sqlite+aiosqlite:///{tmp_path / 'world.db'}"
    upgrade(url)
    database, client = Database(url), source(world.prometheus.url)
    catalogue, signals = SqlCatalogue(database), SqlSignals(database)
    release = cases.release().model_copy(update={"playbook_digest": await catalogue.put_playbook(raw)})
    status: ReleaseStatus = await catalogue.put_release(release, world.began)
    assert status.watched_from == world.began
    plan = parse(raw).detection
    sealer = Sealer(signals, lambda name: client if name == "prometheus" else None)
    rows = await sealer.seal(status, plan, world.began + 3 * BLOCK)
    evaluator = Evaluator(plan)
    words = [evaluator.judge(row).word for row in rows]
    await client.close()
    await database.close()
    blocks = [row.find("hallucinations", Arm.candidate) for row in rows]
    assert [block and (block.reason, block.scored, block.bad) for block in blocks] == [
        (None, 100, 5),
        ("stale", 0, 0),
        ("empty", 0, 0),
    ]
    assert all(block is not None and block.source == "prometheus" and block.evidence for block in blocks)
    assert words[1:] == [VerdictWord.unknown] * 2


async def test_the_clock_of_this_machine_is_the_one_prometheus_shows(world: World) -> None:
    (block, _) = (await pulled(world.prometheus.url, signal(counters("steady")), world.began)).values()
    assert block.reason is None
    ahead = datetime.now(UTC).replace(year=2099)
    found = await pulled(world.prometheus.url, signal(counters("steady")), world.began, clock=lambda: ahead)
    assert {block.reason for block in found.values()} == {"skew"}

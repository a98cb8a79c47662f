"""Labels of traces on a real MLflow server become blocks: every trace once, missing labels never a pass."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.ports import ReleaseStatus
from activities.sealing import Sealer
from activities.signal_ports import Batch, BatchAnswer, Pulled, PullRequest
from activities.watching import Evaluator
from adapters.alerts import SqlAlerts
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.migrate import upgrade
from adapters.mlflow_source import MlflowSource
from adapters.signals import SqlSignals
from adapters.source_settings import MlflowSettings
from adapters.sources import ConfiguredSources
from countermand.detection.models import Arm, Row, VerdictWord
from countermand.detection.sealing import LATE_HORIZON
from countermand.plan.model import Release
from countermand.playbook.load import parse
from countermand.playbook.model import Detection
from tests import cases
from tests.adapters.sources.mlflow_server import MlflowServer, feedback, installed
from tests.adapters.storage.releases import START, anywhere

pytestmark = pytest.mark.skipif(not installed(), reason="MLflow's environment is missing (make mlflow-env)")

BLOCK = timedelta(seconds=1)
TAGS = {Arm.candidate: {"release.arm": "test-bot v7"}, Arm.baseline: {"release.arm": "test-bot v6"}}


def query(name: str, by: str, **more: str) -> dict[str, str]:
    return {"assessment": name, "by": by, **more}


SHARE = {"bad": "higher", "expect": 0.1}
SIGNALS: dict[str, Any] = {
    "grounded": {"kind": "rate", **SHARE, "query": query("grounded", "LLM_JUDGE", bad_when="no")},
    "complaints": {"kind": "judgement", **SHARE, "query": query("grounded", "HUMAN", bad_when="no")},
    "helpful": {"kind": "score", "bad": "lower", "range": [1, 5], "query": query("helpful", "LLM_JUDGE")},
    "topics": {"kind": "categories", "categories": ["billing"], "query": query("topic", "CODE")},
}


@pytest.fixture(scope="module")
async def mlflow(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    try:
        await server.ready()
        yield server
    finally:
        await server.stop()


class World:
    """A release that is watched, its signals in an experiment of its own, and the store that seals them."""

    def __init__(self, mlflow: MlflowServer, experiment: str, db: Database, release: Release, **changes: Any) -> None:
        self.mlflow, self.experiment, self.release = mlflow, experiment, release
        self.db, self.store = db, SqlSignals(db)
        settings = {
            "kind": "mlflow",
            "url": mlflow.url,
            "experiments": [experiment],
            "arm_tag": "release.arm",
            "arms": {"candidate": "$candidate.name", "baseline": "$baseline.name"},
        }
        self.sources = ConfiguredSources({"judge": MlflowSettings.model_validate(settings | changes)}, SqlAlerts(db))
        source = self.sources("judge")
        assert isinstance(source, MlflowSource)
        self.source = source

    async def serve(self, arm: Arm, *labels: dict[str, Any], block: float = 0, **tags: str) -> str:
        return await self.mlflow.trace(self.experiment, START + block * BLOCK, TAGS[arm] | tags, *labels)

    async def detection(self) -> Detection:
        return (await SqlCatalogue(self.db).playbook(self.release.playbook_digest)).detection

    async def pull(self, seq: int = 0) -> Pulled:
        begin = START + seq * BLOCK
        signals = (await self.detection()).signals
        return await self.source.pull(
            PullRequest(release=self.release, signals=signals, start=begin, end=begin + BLOCK)
        )

    async def add(self, pulled: Pulled, name: str) -> BatchAnswer:
        batch = Batch(batch_id=name, body_sha256=name, items=pulled.items, counts=pulled.counts)
        return await self.store.add("judge", batch, START + timedelta(days=1), may=anywhere)

    async def seal(self, blocks: int) -> list[Row]:
        status = ReleaseStatus(release=self.release, registered_at=START, closed_at=None, closed_why=None)
        return await Sealer(self.store, self.sources).seal(status, await self.detection(), START + blocks * BLOCK)


def playbook(signals: Mapping[str, Any] = SIGNALS) -> bytes:
    document = cases.playbook_document()
    shared = {"family": "model_quality", "meaning": "what judges and people say", "source": "judge"}
    document["detection"]["signals"] = {name: shared | signal for name, signal in signals.items()}
    document["detection"]["triggers"][0]["any"][0]["signal"] = "grounded"
    document["verification"]["time_limit"] = "10s"
    for evidence in document["verification"]["signals"]:
        evidence["signal"] = "grounded"
    return json.dumps(document).encode()


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'signals.db'}"
    await asyncio.to_thread(upgrade, url)
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def world(mlflow: MlflowServer, db: Database) -> AsyncIterator[World]:
    catalogue = SqlCatalogue(db)
    digest = await catalogue.put_playbook(playbook())
    release = cases.release().model_copy(update={"playbook_digest": digest})
    await catalogue.put_release(release, START)
    made = World(mlflow, await mlflow.experiment(), db, release, time_limit="3s")
    yield made
    await made.sources.close()


def counts(row: Row, signal: str = "grounded") -> dict[str, tuple[int, int, int]]:
    """served, scored and bad by arm."""
    found = {arm.value: row.find(signal, arm) for arm in Arm}
    return {arm: (block.served, block.scored, block.bad) for arm, block in found.items() if block}


async def test_labels_written_with_mlflows_own_library_are_counted_by_arm_and_labeller(world: World) -> None:
    judge, person = {"name": "grounded", "by": "LLM_JUDGE", "judge": "j"}, {"name": "grounded", "by": "HUMAN"}
    written = {
        Arm.candidate: [
            [judge | {"value": False}, person | {"judge": "ana", "value": True}],
            [judge | {"value": "No"}, person | {"judge": "ben", "value": False}],
            [judge | {"value": True, "then": False}],
            [judge | {"failed": True}],
            [judge | {"expected": "yes"}],
            [],
        ],
        Arm.baseline: [[judge | {"value": "yes"}], [judge | {"value": True}]],
    }
    at_ms = int(START.timestamp() * 1000)
    await world.mlflow.by_library(
        [
            {"experiment": world.experiment, "at_ms": at_ms + 10 * number, "tags": TAGS[arm], "labels": labels}
            for arm, traces in written.items()
            for number, labels in enumerate(traces)
        ]
    )
    (row,) = await world.seal(1)
    assert counts(row) == {"candidate": (6, 3, 3), "baseline": (2, 2, 0)}
    assert counts(row, "complaints") == {"candidate": (6, 2, 1), "baseline": (2, 0, 0)}
    complaints = row.find("complaints", Arm.baseline)
    assert complaints is not None
    assert (complaints.state, complaints.reason) == ("unknown", "empty")
    grounded = row.find("grounded", Arm.candidate)
    assert grounded is not None
    assert len(grounded.evidence) == 1


async def test_scores_and_categories_are_read_by_the_kind_of_the_signal(world: World) -> None:
    await world.serve(Arm.candidate, feedback("helpful", 4), feedback("topic", "billing", by="CODE"))
    await world.serve(Arm.candidate, feedback("helpful", 2.5), feedback("topic", "weather", by="CODE"))
    await world.serve(Arm.candidate, feedback("helpful", "4"), feedback("topic", 7, by="CODE"))
    (row,) = await world.seal(1)
    helpful, topics = row.find("helpful", Arm.candidate), row.find("topics", Arm.candidate)
    assert helpful is not None
    assert topics is not None
    assert (helpful.served, helpful.scored, helpful.sum) == (3, 2, 7_500 + 3_750)
    assert (topics.served, topics.scored, topics.counts) == (3, 2, {"billing": 1, "other": 1})


async def test_only_traces_of_the_block_and_of_an_arm_are_counted(world: World) -> None:
    label = feedback("grounded", "yes")
    await world.serve(Arm.candidate, label, block=0.999)
    await world.serve(Arm.candidate, label, block=1)
    await world.serve(Arm.candidate, label, **{"release.arm": "somebody else"})
    await world.mlflow.trace(await world.mlflow.experiment(), START, TAGS[Arm.candidate], label)
    first, second = await world.seal(2)
    assert counts(first) == counts(second) == {"candidate": (1, 1, 0), "baseline": (0, 0, 0)}


async def test_every_page_is_read_and_each_trace_counts_once(mlflow: MlflowServer, world: World) -> None:
    for number in range(23):
        await world.serve(Arm.candidate, feedback("grounded", number % 2 == 0), block=number / 100)
    small = World(mlflow, world.experiment, world.db, world.release, page_size=4)
    (row,) = await small.seal(1)
    assert counts(row)["candidate"] == (23, 23, 11)
    await small.sources.close()


async def test_bad_labels_that_come_late_earn_no_health_and_are_counted_once_in_a_late_row(world: World) -> None:
    for arm, labelled in ((Arm.candidate, 2), (Arm.baseline, 4)):
        for _ in range(labelled):
            await world.serve(arm, feedback("grounded", "yes"))
    unlabelled = [await world.serve(arm) for arm in (Arm.candidate, Arm.candidate, Arm.baseline)]
    (row,) = await world.seal(1)
    assert counts(row) == {"candidate": (4, 2, 0), "baseline": (5, 4, 0)}
    evaluator = Evaluator(await world.detection())
    assert evaluator.judge(row).word is VerdictWord.unknown
    for trace_id in unlabelled:
        await world.mlflow.label(trace_id, feedback("grounded", "no"))
    rows = await world.seal(LATE_HORIZON + 1)
    assert VerdictWord.ok not in {evaluator.judge(row).word for row in rows}
    (late,) = [row for row in rows if row.late_of is not None]
    assert late.seq == 0
    assert counts(late) == {"candidate": (2, 2, 2), "baseline": (1, 1, 1)}
    assert counts(row) == counts((await world.store.rows(world.release.release_id, limit=1))[0])


async def test_a_label_that_is_changed_keeps_its_first_value_and_the_change_is_on_record(world: World) -> None:
    changed = await world.serve(Arm.candidate)
    label = await world.mlflow.label(changed, feedback("grounded", "yes"))
    replaced = await world.serve(Arm.candidate, feedback("grounded", "yes"))
    first = await world.add(await world.pull(), "first")
    assert (first.accepted, first.rejected) == (2 + 8, ())
    await world.mlflow.change(changed, label, "no")
    again = await world.add(await world.pull(seq=1), "again")
    assert again.duplicates == 1
    assert [(refused.code, refused.part) for refused in again.rejected] == [("duplicate_id_other_value", "items")]
    assert changed in again.rejected[0].detail
    assert replaced not in again.rejected[0].detail
    row, _ = await world.seal(2)
    assert counts(row)["candidate"] == (2, 2, 0)


async def test_a_new_version_of_the_judge_makes_one_block_unknown(world: World) -> None:
    for block, version in enumerate("1122"):
        for arm in Arm:
            await world.serve(arm, feedback("grounded", "yes", version=version), block=block)
    rows = await world.seal(4)
    reasons = [block.reason for row in rows if (block := row.find("grounded", Arm.candidate))]
    assert reasons == [None, None, "judge_changed", None]


async def test_many_people_may_label_without_being_taken_for_a_changed_judge(world: World) -> None:
    for person in ("ana", "ben"):
        await world.serve(Arm.candidate, feedback("grounded", "yes", by="HUMAN", judge=person))
    (row,) = await world.seal(1)
    assert counts(row, "complaints")["candidate"] == (2, 2, 0)


async def test_worse_labels_of_the_candidate_end_in_a_trigger_and_a_dead_server_in_unknown(world: World) -> None:
    for block in range(7):
        for number in range(8):
            for arm in Arm:
                good = arm is Arm.baseline or number % 4 == 0
                await world.serve(arm, feedback("grounded", good), block=block + number / 100)
    evaluator = Evaluator(parse(playbook()).detection)
    verdicts = [evaluator.judge(row) for row in await world.seal(7)]
    assert verdicts[0].word is not VerdictWord.trigger
    assert verdicts[-1].word is VerdictWord.trigger

    world.mlflow.kill()
    began = asyncio.get_running_loop().time()
    (row,) = await world.seal(8)
    assert asyncio.get_running_loop().time() - began < 4
    assert {(block.state, block.reason) for block in row.blocks} == {("unknown", "unreachable")}
    healthy = Evaluator(parse(playbook()).detection).judge(row.model_copy(update={"seq": 0}))
    assert healthy.word is VerdictWord.unknown

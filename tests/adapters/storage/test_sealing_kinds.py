"""Every kind of signal from delivery to sealed block, late samples in rows of their own, and what was so besides."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from activities.signal_ports import Batch, BatchAnswer, CountedBlock, ExternalEvent, LabelledOutput
from activities.watching import Evaluator
from adapters.catalogue import SqlCatalogue
from adapters.database import Database
from adapters.signals import SqlSignals
from countermand.detection.blocks import Arm, Block, BlockState, Row
from countermand.detection.models import VerdictWord
from countermand.detection.sealing import LATE_HORIZON
from countermand.playbook.load import parse
from countermand.playbook.model import Detection
from tests import cases
from tests.adapters.storage.releases import BLOCK, START, anywhere
from tests.adapters.storage.stores import Store

FAR = START + timedelta(days=1)
COMMON = {"family": "model_quality", "meaning": "As the test says", "source": "judge"}
SIGNALS: dict[str, dict[str, Any]] = {
    "failures": {"kind": "rate", "bad": "higher", "expect": 0.1},
    "rating": {"kind": "score", "bad": "lower", "range": [1, 5]},
    "clipped_rating": {"kind": "score", "bad": "lower", "range": [1, 5], "clipped": True},
    "delay": {"kind": "latency"},
    "coarse_delay": {"kind": "latency", "edges": [100, 200, 400]},
    "topics": {"kind": "categories", "categories": ["travel", "refund"]},
    "language_gap": {"kind": "gap", "of": "failures", "group_by": "language", "groups": ["de", "ar"]},
    "silent": {"kind": "missing", "of": "failures"},
}


def playbook() -> bytes:
    document = cases.playbook_document()
    document["detection"] |= {"block": "60s", "watch": "24h", "sustain": "5m"}
    document["detection"]["signals"] = {name: own | COMMON for name, own in SIGNALS.items()}
    document["detection"]["triggers"][0] |= {"any": [{"signal": "failures", "tolerate": {"ratio": 1.2}}]}
    document["verification"]["time_limit"] = "30m"
    for evidence in document["verification"]["signals"]:
        evidence["signal"] = "failures"
    return json.dumps(document).encode()


@pytest.fixture
async def detection(db: Database) -> Detection:
    """The release `rel-1` is registered."""
    catalogue = SqlCatalogue(db)
    digest = await catalogue.put_playbook(playbook())
    release = cases.release().model_copy(update={"release_id": "rel-1", "playbook_digest": digest})
    await catalogue.put_release(release, START)
    return parse(playbook()).detection


def output(number: int, **changes: Any) -> LabelledOutput:
    fields = {
        "observation_id": f"o-{number}",
        "release_id": "rel-1",
        "arm": "candidate",
        "signal": "failures",
        "event_time": START + timedelta(milliseconds=number),
    }
    return LabelledOutput.model_validate(fields | changes)


def counted(**changes: Any) -> CountedBlock:
    fields = {
        "release_id": "rel-1", "arm": "candidate", "signal": "failures", "start": START, "served": 10, "scored": 8,
        "bad": 3,
    }  # fmt: skip
    return CountedBlock.model_validate(fields | changes)


async def deliver(db: Database, name: str, *items: LabelledOutput, **parts: Any) -> BatchAnswer:
    batch = Batch(batch_id=name, body_sha256=name, items=items, **parts)
    return await SqlSignals(db).add("judge", batch, FAR, may=anywhere)


async def sealed(db: Database, detection: Detection, blocks: int) -> list[Row]:
    return await SqlSignals(db).seal(
        "rel-1", signals=detection.signals, start=START, block=BLOCK, until=START + blocks * BLOCK
    )


def found(row: Row, signal: str, arm: Arm = Arm.candidate, segment: str = "all") -> Block:
    block = row.find(signal, arm, segment)
    assert block is not None, (signal, arm, segment)
    return block


async def test_scores_are_kept_in_steps_of_their_range(db: Database, detection: Detection) -> None:
    answer = await deliver(
        db,
        "b",
        output(1, signal="rating", value=1.0),
        output(2, signal="rating", value=5),
        output(3, signal="rating", value=2.00018),
        output(4, signal="rating"),
        output(5, signal="rating", value=5.1),
        output(6, signal="clipped_rating", value=99.0),
    )
    assert [(item.index, item.code) for item in answer.rejected] == [(4, "out_of_range")]
    (row,) = await sealed(db, detection, 1)
    block = found(row, "rating")
    assert (block.served, block.scored) == (4, 3)
    assert (block.sum, block.sumsq) == (0 + 10_000 + 2_500, 10_000**2 + 2_500**2), "rounded half up"
    assert found(row, "clipped_rating").sum == 10_000


async def test_latencies_fall_into_buckets_up_to_their_edge(db: Database, detection: Detection) -> None:
    values = {1: 0.0, 2: 1.0, 3: 1.05, 4: 1.06, 5: 1e308}
    answer = await deliver(
        db,
        "b",
        *[output(n, signal="delay", value=value) for n, value in values.items()],
        *[output(10 + n, signal="coarse_delay", value=value) for n, value in enumerate((100.0, 100.1, 401.0))],
        output(20, signal="delay", value=-1.0),
    )
    assert [item.code for item in answer.rejected] == ["out_of_range"]
    (row,) = await sealed(db, detection, 1)
    assert found(row, "delay").hist == {0: 2, 1: 1, 2: 1, 401: 1}
    assert found(row, "coarse_delay").hist == {0: 1, 1: 1, 3: 1}


async def test_categories_outside_the_list_count_as_other(db: Database, detection: Detection) -> None:
    await deliver(
        db, "b", *[output(n, signal="topics", category=c) for n, c in enumerate(("travel", "weather", "refund", "x"))]
    )
    (row,) = await sealed(db, detection, 1)
    assert found(row, "topics").counts == {"travel": 1, "refund": 1, "other": 2}


async def test_groups_that_a_gap_compares_have_blocks_of_their_own(db: Database, detection: Detection) -> None:
    await deliver(
        db,
        "b",
        output(1, outcome="bad", groups={"language": "de", "plan": "free"}),
        output(2, outcome="ok", groups={"language": "de"}),
        output(3, outcome="ok", groups={"language": "fr"}),
        output(4, outcome="bad"),
    )
    (row,) = await sealed(db, detection, 1)
    assert (found(row, "failures").scored, found(row, "failures").bad) == (4, 2)
    assert (
        found(row, "failures", segment="language=de").scored,
        found(row, "failures", segment="language=de").bad,
    ) == (
        2,
        1,
    )
    assert found(row, "failures", segment="language=ar").reason == "no_traffic"
    assert {block.segment for block in row.blocks if block.signal == "rating"} == {"all"}
    assert not [block for block in row.blocks if block.signal in ("language_gap", "silent")], "they are computed"


@pytest.mark.parametrize(
    "changes",
    [
        {"signal": "rating", "outcome": "ok"},
        {"signal": "rating", "category": "travel"},
        {"signal": "topics", "value": 1.0},
        {"signal": "delay", "outcome": "bad"},
        {"signal": "language_gap", "outcome": "bad"},
        {"signal": "silent", "outcome": "bad"},
    ],
)
async def test_a_field_of_another_kind_is_refused(db: Database, detection: Detection, changes: dict[str, Any]) -> None:
    answer = await deliver(db, "b", output(1, **changes))
    assert [item.code for item in answer.rejected] == ["wrong_kind"]


async def test_counted_blocks_join_the_block_that_holds_their_start(db: Database, detection: Detection) -> None:
    digest = f"sha256:{'a' * 64}"
    answer = await deliver(
        db,
        "b",
        output(1, outcome="bad"),
        counts=(
            counted(),
            counted(start=START + BLOCK - timedelta(seconds=1), evidence=digest),
            counted(arm="baseline", state="unknown", reason="stale", served=0, scored=0, bad=0),
            counted(signal="rating", bad=0, served=2, scored=2, sum=15_000, sumsq=125_000_000),
            counted(segment="language=de", served=5, scored=5, bad=1),
        ),
    )
    assert answer.accepted == 6
    (row,) = await sealed(db, detection, 1)
    block = found(row, "failures")
    assert (block.served, block.scored, block.bad, block.evidence, block.source) == (21, 17, 7, (digest,), "judge")
    baseline = found(row, "failures", Arm.baseline)
    assert (baseline.state, baseline.reason) == (BlockState.unknown, "stale")
    assert found(row, "rating").sum == 15_000
    assert found(row, "failures", segment="language=de").bad == 1


async def test_a_counted_block_is_corrected_before_sealing_only(db: Database, detection: Detection) -> None:
    await deliver(db, "first", counts=(counted(),))
    again = await deliver(db, "again", counts=(counted(),))
    other = await deliver(db, "other", counts=(counted(bad=4),))
    corrected = await deliver(db, "corrected", counts=(counted(bad=5, supersedes=True),))
    assert (again.duplicates, [item.code for item in other.rejected]) == (1, ["duplicate_id_other_value"])
    assert corrected.accepted == 1
    (row,) = await sealed(db, detection, 1)
    assert found(row, "failures").bad == 5
    late = await deliver(db, "late", counts=(counted(bad=6, supersedes=True),))
    assert [item.code for item in late.rejected] == ["duplicate_id_other_value"]


async def test_a_row_says_which_bundles_and_events_it_belongs_to(db: Database, detection: Detection) -> None:
    def event(name: str, begins: float, ends: float | None = None, **changes: Any) -> ExternalEvent:
        return ExternalEvent(
            event_id=name, begins=START + begins * BLOCK, ends=None if ends is None else START + ends * BLOCK,
            what=f"The {name}", **changes,
        )  # fmt: skip

    events = (
        event("campaign", 0.5, 1.5),
        event("outage", 1.2),
        event("elsewhere", 0, 9, release_id="rel-2"),
        event("holiday", -5, -1),
    )
    answer = await deliver(db, "b", events=events)
    again = await deliver(db, "c", events=(*events[:1], event("outage", 1.3)))
    assert (answer.accepted, again.duplicates, [item.part for item in again.rejected]) == (4, 1, ["events"])
    first, second, third = await sealed(db, detection, 3)
    assert first.context is not None
    assert first.context.events == ("The campaign",)
    assert second.context is not None
    assert second.context.events == ("The campaign", "The outage")
    assert third.context is not None
    assert third.context.events == ()
    release = cases.release()
    assert first.context.bundles == {
        Arm.candidate: release.candidate.digest,
        Arm.baseline: release.baseline.digest,
    }


# --- late samples -------------------------------------------------------------------------------------------------


async def test_late_samples_form_one_row_of_their_own_when_their_time_is_over(
    db: Database, detection: Detection, store: Store
) -> None:
    await deliver(db, "in time", output(1, outcome="ok"), output(2, outcome="ok", arm="baseline"))
    await sealed(db, detection, 2)
    answer = await deliver(
        db, "late", output(3, outcome="bad"), output(4, outcome="ok", arm="baseline"), counts=(counted(),)
    )
    assert (answer.accepted, answer.late) == (3, 3)
    assert [row.late_of for row in await sealed(db, detection, LATE_HORIZON)] == [None] * (LATE_HORIZON - 2)
    closing = await sealed(db, detection, LATE_HORIZON + 1)
    assert [(row.seq, row.late_of) for row in closing] == [(LATE_HORIZON, None), (0, 0)]
    late = closing[1]
    assert (found(late, "failures").scored, found(late, "failures").bad) == (9, 4)
    assert found(late, "failures", Arm.baseline).scored == 1
    too_old = await deliver(db, "too old", output(5, outcome="bad"), counts=(counted(signal="delay", bad=0, scored=0),))
    assert [item.code for item in too_old.rejected] == ["too_old", "too_old"]
    stored = await SqlSignals(db).rows("rel-1")
    assert [(row.seq, row.late_of) for row in stored[-2:]] == [(LATE_HORIZON, None), (0, 0)]
    assert stored[-1] == late
    assert await SqlSignals(db).rows("rel-1", after_seq=LATE_HORIZON - 1) == closing
    assert await SqlSignals(db).sealed("rel-1") == LATE_HORIZON + 1


async def test_late_harm_is_judged_and_a_replay_of_the_stored_rows_says_the_same(
    db: Database, detection: Detection
) -> None:
    """One block's candidate was labelled an hour late; live judging and a replay from the store agree byte by byte."""
    number = 0

    def many(block: int, arm: str, n: int, bad: int) -> list[LabelledOutput]:
        nonlocal number
        found = []
        for index in range(n):
            number += 1
            found.append(
                output(
                    number,
                    arm=arm,
                    outcome="bad" if index < bad else "ok",
                    event_time=START + block * BLOCK + timedelta(milliseconds=index),
                )
            )
        return found

    evaluator, live = Evaluator(detection), []
    for block in range(LATE_HORIZON + 5):
        items = [*many(block, "candidate", 20, 2), *many(block, "baseline", 20, 2)]
        await deliver(db, f"block {block}", *items)
        if block == 5:
            await deliver(db, "late", *many(3, "candidate", 30, 30), *many(3, "baseline", 30, 0))
        live += [evaluator.judge(row) for row in await sealed(db, detection, block + 1)]
    again = Evaluator(detection)
    replayed = [again.judge(row) for row in await SqlSignals(db).rows("rel-1")]
    assert [one.model_dump_json() for one in replayed] == [one.model_dump_json() for one in live]
    assert len(live) == LATE_HORIZON + 6
    late = next(i for i, one in enumerate(live) if one.seq == 3 and i > 3)
    assert live[late].leading.micronats > live[late - 1].leading.micronats, "late harm counts"
    assert {one.word for one in live} <= {VerdictWord.ok, VerdictWord.watch, VerdictWord.unknown}, (
        "and fires nothing alone"
    )

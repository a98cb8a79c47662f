"""GOV-41, GOV-42: what is frozen, item by item; what does not answer is missing by name, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from temporalio.testing import ActivityEnvironment

from activities.freezing import FreezeRequest, FreezingActivities, Frozen
from countermand.canonical import digest_bytes
from countermand.detection.models import Arm
from countermand.ledger.bodies import FreezeCompleted, FreezeIncomplete, FrozenItem, VerdictChanged
from countermand.ledger.record import Kind
from tests import cases, fakes
from tests.verdicts import triggered

INCIDENT = "inc-1"
STATE = "target_state/fake/test-bot.json"
EVERYTHING = {
    "release.json", "bundles.json", "playbook.yaml", "governance.json", STATE, "signals.jsonl", "verdicts.jsonl",
    "cursors.json",
}  # fmt: skip


@dataclass
class Room:
    """One release, its watch's verdict, and five blocks of answers."""

    ledger: fakes.FakeLedger = field(default_factory=fakes.FakeLedger)

    def __post_init__(self) -> None:
        self.release, self.playbook = cases.release(), cases.playbook()
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.catalogue = fakes.FakeCatalogue(self.playbook, self.release)
        self.signals = fakes.FakeSignals(timedelta(seconds=1))
        self.signals.standing = True
        self.people = fakes.FakePeople(cases.governance())

    async def freeze(self, budget: timedelta = timedelta(seconds=20), number: int = 1) -> Frozen:
        activities = FreezingActivities(self.ledger, self.catalogue, self.signals, self.target, self.people, fakes.now)
        request = FreezeRequest(incident_id=INCIDENT, release_id=self.release.release_id, budget=budget, round=number)
        return await ActivityEnvironment().run(activities.freeze, request)

    async def judged(self) -> None:
        fired = triggered(self.playbook.detection, {Arm.candidate: 40, Arm.baseline: 4}, scored=200)
        body = VerdictChanged.of("watch/test", fired)
        await self.ledger.append(body.entry("verdict/1", "worker", release_id=self.release.release_id))
        other = body.entry("verdict/other", "worker", incident_id="inc-2", release_id=self.release.release_id)
        await self.ledger.append(other)

    def items(self, kind: Kind) -> dict[str, FrozenItem]:
        model: Callable[[Any], FreezeCompleted | FreezeIncomplete] = (
            FreezeCompleted if kind is Kind.freeze_completed else FreezeIncomplete
        ).model_validate
        return {item.name: item for body in self.ledger.bodies(kind) for item in model(body).items}

    def read(self, item: FrozenItem) -> Any:
        return json.loads(self.ledger.blobs[item.sha256][0])


@pytest.fixture
async def room() -> Room:
    room = Room()
    await room.judged()
    return room


async def test_gov_41_everything_that_shaped_the_answers_is_kept_by_digest(room: Room) -> None:
    frozen = await room.freeze()
    items = room.items(Kind.freeze_completed)
    assert set(items) == EVERYTHING
    assert (frozen.items, frozen.missing) == (len(EVERYTHING), ())
    for item in items.values():
        raw, _ = room.ledger.blobs[item.sha256]
        assert (digest_bytes(raw), len(raw), item.complete) == (item.sha256, item.size, True)
        assert item.source
    bundles = room.read(items["bundles.json"])
    assert bundles["candidate"]["digest"] == room.release.candidate.digest
    assert {"prompt", "decoding", "guardrail", "index"} <= set(bundles["baseline"])
    assert room.read(items[STATE])["state"]["split"]["candidate_bp"] == 5_000


async def test_gov_41_cursors_say_up_to_where_each_log_had_come(room: Room) -> None:
    head = await room.ledger.head()
    await room.freeze()
    cursors = room.read(room.items(Kind.freeze_completed)["cursors.json"])
    assert cursors["ledger_head"] == head
    assert cursors["newest_block"]["judge"]["seq"] == 4
    assert cursors["temporal"]["run_id"]


async def test_a_source_that_said_nothing_has_no_newest_block(room: Room) -> None:
    room.signals.flowing = False
    await room.freeze()
    cursors = room.read(room.items(Kind.freeze_completed)["cursors.json"])
    assert cursors["newest_block"] == {"judge": None}


async def test_the_verdicts_of_another_incident_are_not_this_ones_evidence(room: Room) -> None:
    await room.freeze()
    item = room.items(Kind.freeze_completed)["verdicts.jsonl"]
    kept = [json.loads(line)["idem_key"] for line in room.ledger.blobs[item.sha256][0].splitlines()]
    assert kept == ["verdict/1"]


async def test_gov_42_one_system_that_does_not_answer_loses_one_item_and_is_named(room: Room) -> None:
    room.target.dark = True
    frozen = await room.freeze(timedelta(seconds=2))
    items = room.items(Kind.freeze_incomplete)
    assert {name for name, item in items.items() if not item.complete} == {STATE}
    assert "connection refused" in items[STATE].why
    assert frozen.missing == (f"{STATE} ({items[STATE].why})",)
    assert room.ledger.kinds()[Kind.freeze_completed.value] == 0
    inventory = room.ledger.blobs[frozen.inventory_sha256][0].decode()
    assert f"# missing: {STATE}: no answer within" in inventory


async def test_a_system_that_answers_late_but_in_time_is_complete(room: Room) -> None:
    looks = 0
    snapshot = room.people.snapshot

    async def late() -> Any:
        nonlocal looks
        looks += 1
        if looks == 1:
            raise ConnectionError("the directory restarts")
        return await snapshot()

    room.people.snapshot = late  # type: ignore[method-assign]  # the directory of this test answers at the second look
    assert (await room.freeze()).missing == ()


async def test_what_is_refused_is_not_tried_until_the_end(room: Room) -> None:
    document = cases.playbook_document()
    document["revert"]["target"] = "gone"
    room.catalogue.the_playbook = type(room.playbook).model_validate(document)
    frozen = await room.freeze(timedelta(hours=1))
    assert "no target 'gone' is configured" in frozen.missing[0]


async def test_another_try_keeps_both_inventories_and_a_repeated_run_answers_as_the_first(room: Room) -> None:
    room.target.dark = True
    first = await room.freeze(timedelta(seconds=1))
    assert await room.freeze(timedelta(seconds=1)) == first
    room.target.dark = False
    second = await room.freeze(number=2)
    assert second.missing == ()
    assert await room.freeze(number=3) == second
    kinds = room.ledger.kinds()
    assert (kinds[Kind.freeze_incomplete.value], kinds[Kind.freeze_completed.value]) == (1, 1)


async def test_a_store_that_cannot_keep_anything_fails_the_whole_freeze(room: Room) -> None:
    async def full(raw: bytes, media_type: str) -> NoReturn:
        raise OSError("no space left on device")

    room.ledger.put_blob = full  # type: ignore[method-assign]  # the store of this test is full
    with pytest.raises(OSError, match="no space"):
        await room.freeze()

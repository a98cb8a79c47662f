"""GOV-31, TGT-12, TGT-13: what is shown, what is unknown, and that looking always comes to an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.recording import Checked
from activities.sealing import Sealer
from activities.verifying import HealthRequest, VerifyingActivities
from countermand.detection.models import Arm
from countermand.ledger.record import Kind
from countermand.plan.build import Found, build_plan, members_of
from countermand.plan.model import Plan
from countermand.plan.target import CheckWord, Split
from countermand.playbook.model import Playbook, Severity
from tests import cases, fakes


@dataclass
class Room:
    """A release that is back on its baseline."""

    ledger: fakes.FakeLedger = field(default_factory=fakes.FakeLedger)

    def __post_init__(self) -> None:
        document = cases.playbook_document()
        document["detection"]["block"] = "1s"
        document["verification"]["time_limit"] = "2s"
        self.playbook, self.release = Playbook.model_validate(document), cases.release()
        self.target = fakes.FakeTarget(5_000, self.release.baseline.digest)
        self.signals = fakes.FakeSignals(timedelta(seconds=1))
        self.signals.standing = True
        self.activities = VerifyingActivities(
            self.signals, Sealer(self.signals, lambda _name: None),
            fakes.FakeCatalogue(self.playbook, self.release), self.ledger, self.target, fakes.now,
        )  # fmt: skip

    async def plan(self) -> Plan:
        self.target.split = Split.candidate(5_000)
        (member,) = members_of(self.release, self.playbook)
        found = Found(
            state=await self.target.read(member), capabilities=self.target.capabilities,
            preflight=await self.target.preflight(member, Split.candidate(0)),
        )  # fmt: skip
        plan = build_plan(
            incident_id="inc-1", release=self.release, playbook=self.playbook, governance_digest="sha256:g",
            severity=Severity.sev2, found=(found,),
        )  # fmt: skip
        self.target.split = Split.candidate(0)
        return plan

    async def ask(self, **changes: Any) -> HealthRequest:
        request = HealthRequest(
            incident_id="inc-1", release_id=self.release.release_id, detection=self.playbook.detection,
            verification=self.playbook.verification, since=fakes.now(), revert=1, round=1, key="inc-1/health/1",
            plan=await self.plan(),
        )  # fmt: skip
        return request.model_copy(update=changes)

    async def verify(self, **changes: Any) -> Checked:
        return await ActivityEnvironment().run(self.activities.verify_health, await self.ask(**changes))

    async def watch(self, seconds: float) -> Checked:
        until = fakes.now() + timedelta(seconds=seconds)
        return await ActivityEnvironment().run(self.activities.watch_health, await self.ask(until=until))


@pytest.fixture
def room() -> Room:
    return Room()


def words(checked: Checked) -> dict[str, CheckWord]:
    return {result.name: result.word for result in checked.results}


async def test_signals_and_every_member_are_shown_to_be_well(room: Room) -> None:
    assert words(await room.verify()) == {
        "hallucinations": CheckWord.passed,
        "configured fake/test-bot": CheckWord.passed,
        "observed fake/test-bot": CheckWord.passed,
    }
    assert room.ledger.kinds()[Kind.check_result.value] == 3


async def test_no_labelled_answers_are_unknown_at_the_end_and_never_healthy(room: Room) -> None:
    room.signals.flowing = False
    checked = await room.verify()
    assert words(checked)["hallucinations"] is CheckWord.unknown
    assert not checked.passed


async def test_a_target_that_does_not_answer_at_the_end_is_unknown(room: Room) -> None:
    request = await room.ask()
    room.target.dark = True
    checked = await ActivityEnvironment().run(room.activities.verify_health, request)
    assert words(checked)["configured fake/test-bot"] is CheckWord.unknown
    assert words(checked)["hallucinations"] is CheckWord.passed
    assert not checked.passed


async def test_a_share_that_moved_ends_the_wait_at_once(room: Room) -> None:
    room.signals.flowing = False
    request = await room.ask()
    room.target.split = Split.candidate(2_000)
    verification = request.verification.model_copy(update={"time_limit": timedelta(hours=1)})
    checked = await ActivityEnvironment().run(
        room.activities.verify_health, request.model_copy(update={"verification": verification})
    )
    assert words(checked)["configured fake/test-bot"] is CheckWord.failed


async def test_a_repeated_run_answers_with_what_was_recorded_first(room: Room) -> None:
    first = await room.verify()
    room.signals.bad[Arm.baseline] = 100
    assert await room.verify() == first


async def test_a_watch_for_a_relapse_ends_when_it_said_it_would(room: Room) -> None:
    assert (await room.watch(1)).passed


async def test_a_watch_for_a_relapse_ends_at_once_when_it_is_worse_again(room: Room) -> None:
    room.signals.bad[Arm.baseline] = 100
    assert words(await room.watch(3_600))["hallucinations"] is CheckWord.failed


async def test_a_watch_that_sees_no_answers_does_not_say_that_all_is_well(room: Room) -> None:
    room.signals.flowing = False
    checked = await room.watch(1)
    assert words(checked)["hallucinations"] is CheckWord.unknown
    assert not checked.passed

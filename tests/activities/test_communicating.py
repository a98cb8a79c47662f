"""Every audience of a step is told once, the people who must act first, and what went wrong is recorded once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.communicating import Communicated, CommunicateRequest, CommunicatingActivities
from activities.ports import Message, Receipt
from countermand.ledger.bodies import IncidentOpened
from countermand.ledger.record import Kind
from countermand.playbook.model import Audience, Step
from tests.fakes import FakeLedger, FakeRenderer
from tests.waiting import until

EVERYBODY = (Audience.customer, Audience.exec, Audience.operator, Audience.support, Audience.approver)


class Road:
    """Takes messages in the order in which they come; `tried` and `stuck` by audience."""

    def __init__(self) -> None:
        self.asked: list[Audience] = []
        self.tried: dict[Audience, tuple[str, ...]] = {}
        self.stuck: dict[Audience, asyncio.Event] = {}
        self.broken: set[Audience] = set()

    async def send(self, message: Message) -> Receipt:
        self.asked.append(message.audience)
        if message.audience in self.stuck:
            await self.stuck[message.audience].wait()
        if message.audience in self.broken:
            raise OSError("the store is away")
        tried = self.tried.get(message.audience, ())
        return Receipt(
            key=message.key, channel="pager", provider_id="1", at=datetime(2026, 1, 1, tzinfo=UTC), tried=tried
        )


@pytest.fixture
async def ledger() -> FakeLedger:
    fake = FakeLedger()
    opened = IncidentOpened(
        workflow_id="incident/prod/shop/rel-1", environment="prod", service="shop", candidate_name="v2",
        baseline_name="v1", severity="sev2", trigger="failures", sentence="Failures rose.", evidence_digest="sha256:e",
        opened_by="automation", ends_by=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    await fake.append(opened.entry("opened", "worker", incident_id="incident-1", release_id="rel-1"))
    return fake


async def tell(ledger: FakeLedger, road: Road, *audiences: Audience) -> Communicated:
    activities = CommunicatingActivities(ledger, FakeRenderer(), road, "http://console")
    request = CommunicateRequest(
        incident_id="incident-1", release_id="rel-1", step=Step.incident_opened, audiences=audiences or EVERYBODY,
        occasion="opened", reask_every=timedelta(minutes=5),
    )  # fmt: skip
    answer = await ActivityEnvironment().run(activities.communicate, request)
    assert isinstance(answer, Communicated)
    return answer


async def test_people_who_have_to_act_are_told_before_the_others(ledger: FakeLedger) -> None:
    road = Road()
    assert (await tell(ledger, road)).sent == 5
    assert set(road.asked[:2]) == {Audience.approver, Audience.operator}


async def test_an_audience_whose_channels_are_slow_holds_nobody_up_and_the_others_are_recorded_meanwhile(
    ledger: FakeLedger,
) -> None:
    road = Road()
    road.stuck[Audience.approver] = asyncio.Event()
    task = asyncio.create_task(tell(ledger, road))

    async def others_recorded() -> bool:
        return ledger.kinds()[Kind.comms_sent] == 4

    await until(others_recorded, "four audiences are told and recorded")
    road.stuck[Audience.approver].set()
    assert (await task).sent == 5


async def test_what_was_tried_is_recorded_once_beside_the_channel_that_took_it(ledger: FakeLedger) -> None:
    road = Road()
    road.tried[Audience.operator] = ("email: answered 403", "page: no answer")
    await tell(ledger, road)
    assert (await tell(ledger, road)).sent == 0
    assert ledger.bodies(Kind.comms_failed) == [
        {
            "step": "incident_opened",
            "audiences": ["operator"],
            "why": "email: answered 403; page: no answer; taken by pager",
        }
    ]
    (sent,) = [body for body in ledger.bodies(Kind.comms_sent) if body["audience"] == "operator"]
    assert sent["channel"] == "pager"
    assert ledger.kinds()[Kind.comms_sent] == 5


async def test_a_channel_that_breaks_is_tried_again_without_telling_the_others_twice(ledger: FakeLedger) -> None:
    road = Road()
    road.broken = {Audience.operator}
    with pytest.raises(OSError, match="the store is away"):
        await tell(ledger, road)
    assert ledger.kinds()[Kind.comms_sent] == 4
    road.broken = set()
    assert (await tell(ledger, road)).sent == 1
    assert sorted(road.asked) == sorted((*EVERYBODY, Audience.operator))

"""Every audience of a step is told once, the people who must act first, and what went wrong is recorded once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.communicating import Communicated, CommunicateRequest, CommunicatingActivities, CorrectRequest
from activities.ports import Message, Receipt
from countermand.canonical import digest_bytes
from countermand.ledger.bodies import CommsCorrected, IncidentClosed, IncidentOpened
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
        self.channel = "pager"
        self.stuck: dict[Audience, asyncio.Event] = {}
        self.broken: set[Audience] = set()
        self.last: Message | None = None
        self.instead: Message | None = None

    async def send(self, message: Message) -> Receipt:
        self.asked.append(message.audience)
        self.last = message
        if message.audience in self.stuck:
            await self.stuck[message.audience].wait()
        if message.audience in self.broken:
            raise OSError("the store is away")
        tried = self.tried.get(message.audience, ())
        return Receipt(
            key=message.key,
            channel=self.channel,
            provider_id="1",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            tried=tried,
            instead=self.instead,
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


async def test_the_record_is_about_the_words_that_went_out_also_when_they_were_rendered_before_a_crash(
    ledger: FakeLedger,
) -> None:
    road = Road()
    road.instead = Message(
        key="incident-1/incident_opened/opened/exec", incident_id="incident-1", step=Step.incident_opened,
        audience=Audience.exec, subject="As it was", text="as it was", facts_sha256="sha256:then",
    )  # fmt: skip
    await tell(ledger, road, Audience.exec)
    (sent,) = ledger.bodies(Kind.comms_sent)
    assert (sent["subject"], sent["facts_sha256"]) == ("As it was", "sha256:then")
    assert sent["text_sha256"] == digest_bytes(b"as it was")


# --- corrections ------------------------------------------------------------------------------------------------

WRONG = "incident-1/incident_opened/opened/customer"


async def ordered(ledger: FakeLedger, what: str | None, key: str = WRONG) -> None:
    order = CommsCorrected(
        correction_id="c-1", key=key, step="incident_opened", audience="customer",
        subject="incident_opened for customer", what=what, why="The number was of last week.",
        by="local|maria", name="Maria Keller",
    )  # fmt: skip
    await ledger.append(order.entry("correction/c-1", "local|maria", incident_id="incident-1", release_id="rel-1"))


async def correct(ledger: FakeLedger, road: Road) -> Communicated:
    activities = CommunicatingActivities(ledger, FakeRenderer(), road, "http://console")
    answer = await ActivityEnvironment().run(activities.correct, CorrectRequest(correction_id="c-1"))
    assert isinstance(answer, Communicated)
    return answer


@pytest.mark.parametrize(
    ("what", "subject", "says"),
    [
        ("About 40 users.", "Correction: incident_opened for customer", "What is right: About 40 users."),
        (None, "Withdrawn: incident_opened for customer", "It is withdrawn. Please do not act on it."),
    ],
)
async def test_a_correction_goes_once_to_exactly_the_audience_of_the_wrong_message_and_refers_to_it(
    ledger: FakeLedger, what: str | None, subject: str, says: str
) -> None:
    road = Road()
    await tell(ledger, road)
    road.asked.clear()
    await ordered(ledger, what)
    assert [(await correct(ledger, road)).sent for _ in range(2)] == [1, 0]
    assert road.asked == [Audience.customer]
    assert road.last is not None
    assert (road.last.subject, road.last.key) == (subject, f"{WRONG}/correction/c-1")
    for part in (says, WRONG, "The number was of last week.", "incident_opened for customer", "Sent: "):
        assert part in road.last.text
    keys = [body["key"] for body in ledger.bodies(Kind.comms_sent)]
    assert keys.count(WRONG) == keys.count(f"{WRONG}/correction/c-1") == 1


async def test_a_correction_of_a_message_that_was_never_sent_goes_to_nobody(ledger: FakeLedger) -> None:
    road = Road()
    await ordered(ledger, None, key="incident-1/never/sent/customer")
    with pytest.raises(ValueError, match="'incident-1/never/sent/customer' is not in the ledger"):
        await correct(ledger, road)
    assert road.asked == []


# --- promised updates -------------------------------------------------------------------------------------------

UNTIL = datetime(2026, 1, 1, 1, tzinfo=UTC)


async def promise(ledger: FakeLedger, road: Road, occasion: str, keeps: str | None = None) -> Communicated:
    activities = CommunicatingActivities(ledger, FakeRenderer(), road, "http://console")
    request = CommunicateRequest(
        incident_id="incident-1", release_id="rel-1", step=Step.incident_opened, audiences=(Audience.exec,),
        occasion=occasion, reask_every=timedelta(minutes=5), next_update_at=UNTIL, keeps=keeps,
    )  # fmt: skip
    answer = await ActivityEnvironment().run(activities.communicate, request)
    assert isinstance(answer, Communicated)
    return answer


async def test_a_promise_stands_in_the_words_and_in_the_ledger_and_the_next_message_keeps_it_once(
    ledger: FakeLedger,
) -> None:
    road = Road()
    assert (await promise(ledger, road, "a")).promised == UNTIL
    assert road.last is not None
    assert "by 2026-01-01 01:00:00 UTC at the latest" in road.last.text
    first = "incident-1/incident_opened/a/exec"
    for occasion in ("b", "c"):
        await promise(ledger, road, occasion, keeps=first)
    (kept,) = ledger.bodies(Kind.update_kept)
    assert kept == {"audience": "exec", "key": first, "by": "incident-1/incident_opened/b/exec"}
    assert (await promise(ledger, road, "a")).promised == UNTIL, "an attempt after a crash answers the same"
    assert ledger.kinds()[Kind.update_promised] == 3


async def test_a_message_that_reached_nobody_promises_nothing_and_keeps_nothing(ledger: FakeLedger) -> None:
    road = Road()
    road.tried[Audience.exec] = ("email: no answer",)
    road.channel = "outbox"
    told = await promise(ledger, road, "a", keeps="incident-1/earlier/exec")
    assert (told.reached, told.promised) == (False, None)
    assert ledger.kinds()[Kind.comms_sent] == 1
    assert ledger.bodies(Kind.update_promised) == ledger.bodies(Kind.update_kept) == []


async def test_after_the_incident_nothing_is_promised(ledger: FakeLedger) -> None:
    road = Road()
    closed = IncidentClosed(outcome="rejected", sentence="Rejected by Maria Keller.")
    await ledger.append(closed.entry("closed", "worker", incident_id="incident-1", release_id="rel-1"))
    assert (await promise(ledger, road, "a")).promised is None
    assert road.last is not None
    assert "none, the incident is over" in road.last.text
    assert "decided to keep the new version" in road.last.text
    assert ledger.bodies(Kind.update_promised) == []


async def test_without_a_timer_people_outside_read_no_time(ledger: FakeLedger) -> None:
    road = Road()
    await tell(ledger, road, Audience.customer)
    assert road.last is not None
    assert "as soon as there is news" in road.last.text
    await tell(ledger, road, Audience.operator)
    assert "at the latest in 5 minutes" in road.last.text


async def test_a_message_is_about_what_was_known_when_it_was_due(ledger: FakeLedger) -> None:
    road, seen = Road(), await ledger.head()
    closed = IncidentClosed(outcome="rejected", sentence="Rejected by Maria Keller.")
    await ledger.append(closed.entry("closed", "worker", incident_id="incident-1", release_id="rel-1"))
    activities = CommunicatingActivities(ledger, FakeRenderer(), road, "http://console")
    request = CommunicateRequest(
        incident_id="incident-1", release_id="rel-1", step=Step.incident_opened, audiences=(Audience.operator,),
        occasion="opened", reask_every=timedelta(minutes=5), as_of=seen,
    )  # fmt: skip
    await ActivityEnvironment().run(activities.communicate, request)
    assert road.last is not None
    assert "the incident is over" not in road.last.text

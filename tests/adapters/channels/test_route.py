"""A message is written down, offered to one channel after the other, and always ends somewhere people can find it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from activities.fence import PRODUCTION
from activities.ports import Receipt
from adapters.channel_attempts import MessageAttempts
from adapters.channel_route import RoutedChannel
from adapters.channel_sending import Busy, Refused, Sender, Uncertain
from adapters.database import Database, run_sql
from adapters.outbox import Outbox
from adapters.settings import SettingsInvalid
from countermand.playbook.model import Audience
from tests.adapters.channels.messages import FakeSender, message
from tests.waiting import until

BOTH = {Audience.operator: ("email", "pager")}


def routed(
    db: Database, senders: Mapping[str, Sender], routes: Mapping[Audience, tuple[str, ...]] = BOTH
) -> RoutedChannel:
    return RoutedChannel(PRODUCTION, Outbox(db), MessageAttempts(db), senders, routes)


async def kept(db: Database) -> list[Receipt | None]:
    return [sent.receipt for sent in await Outbox(db).list("incident-1")]


async def test_the_first_channel_that_takes_it_is_the_only_one_that_gets_it(db: Database) -> None:
    email, pager = FakeSender(), FakeSender()
    receipt = await routed(db, {"email": email, "pager": pager}).send(message())
    assert (receipt.channel, receipt.provider_id, receipt.tried) == ("email", f"id of {message().key}", ())
    assert email.subjects == ["Incident opened"]
    assert pager.asked == []
    assert await kept(db) == [receipt]


async def test_an_audience_without_a_route_finds_its_message_in_the_outbox(db: Database) -> None:
    email = FakeSender()
    channel = routed(db, {"email": email}, {Audience.operator: ("email",)})
    receipt = await channel.send(message(audience=Audience.customer))
    assert (receipt.channel, receipt.tried, email.asked) == ("outbox", (), [])


async def test_a_message_is_written_down_before_any_channel_is_asked(db: Database) -> None:
    email = FakeSender()
    email.gate.clear()
    task = asyncio.create_task(routed(db, {"email": email, "pager": FakeSender()}).send(message()))

    async def asked() -> bool:
        return bool(email.asked)

    await until(asked, "the channel is asked")
    assert await kept(db) == [None]
    email.gate.set()
    receipt = await task
    assert await kept(db) == [receipt]


@pytest.mark.parametrize("error", [Refused("answered 403"), Uncertain("not known"), ValueError("a bug")])
async def test_the_next_channel_gets_the_same_text_marked_as_the_second(db: Database, error: Exception) -> None:
    email, pager = FakeSender(), FakeSender()
    email.answer = lambda _message: error
    receipt = await routed(db, {"email": email, "pager": pager}).send(message())
    ((_, second),) = pager.asked
    assert (second.subject, second.text) == ("Incident opened (second channel)", message().text)
    words = "failed in an unexpected way: ValueError" if isinstance(error, ValueError) else str(error)
    assert (receipt.channel, receipt.tried) == ("pager", (f"email: {words}",))
    assert len(email.asked) == 1


async def test_when_every_channel_fails_the_outbox_has_it_with_what_was_tried(db: Database) -> None:
    email, pager = FakeSender(), FakeSender()
    email.answer = lambda _message: Refused("answered 403")
    pager.answer = lambda _message: Refused("answered 404")
    channel = routed(db, {"email": email, "pager": pager})
    receipt = await channel.send(message())
    assert (receipt.channel, receipt.tried) == ("outbox", ("email: answered 403", "pager: answered 404"))
    assert await channel.send(message()) == receipt
    assert (len(email.asked), len(pager.asked)) == (1, 1)


async def test_a_busy_channel_is_tried_again_after_its_stated_delay(db: Database) -> None:
    email = FakeSender(time_limit=5)
    email.answer = lambda _message: Busy("answered 429", 0.6) if len(email.asked) == 1 else None
    receipt = await routed(db, {"email": email, "pager": FakeSender()}).send(message())
    (first, _), (second, _) = email.asked
    assert 0.6 <= second - first < 2
    assert (receipt.channel, receipt.tried) == ("email", ())


async def test_a_delay_beyond_the_time_limit_is_not_waited_for(db: Database) -> None:
    email, pager = FakeSender(time_limit=20), FakeSender()
    email.answer = lambda _message: Busy("answered 429", 30)
    began = asyncio.get_running_loop().time()
    receipt = await routed(db, {"email": email, "pager": pager}).send(message())
    assert (receipt.channel, receipt.tried, len(email.asked)) == ("pager", ("email: answered 429",), 1)
    assert asyncio.get_running_loop().time() - began < 5


async def test_a_channel_that_stays_busy_is_left_at_its_time_limit(db: Database) -> None:
    email, pager = FakeSender(time_limit=1), FakeSender()
    email.answer = lambda _message: Busy("no answer: ConnectError")
    began = asyncio.get_running_loop().time()
    receipt = await routed(db, {"email": email, "pager": pager}).send(message())
    assert (receipt.channel, receipt.tried) == ("pager", ("email: no answer: ConnectError",))
    assert len(email.asked) >= 3
    assert pager.asked[0][0] - began <= 1.2


async def test_messages_to_the_same_people_keep_their_order_and_other_people_do_not_wait(db: Database) -> None:
    page = FakeSender(time_limit=10)
    page.answer = lambda one: Busy("answered 429", 0.5) if one.key == "0" and len(page.asked) == 1 else None
    routes = {audience: ("page",) for audience in Audience}
    channel = routed(db, {"page": page}, routes)
    tasks = []
    for number in range(4):
        tasks.append(asyncio.create_task(channel.send(message(str(number)))))
        await asyncio.sleep(0.05)
    await channel.send(message("urgent", audience=Audience.approver))
    assert [one.key for _, one in page.asked] == ["0", "urgent"]
    await asyncio.gather(*tasks)
    assert [one.key for _, one in page.asked] == ["0", "urgent", "0", "1", "2", "3"]


async def test_a_message_behind_a_dark_channel_goes_to_the_next_one_in_its_own_time(db: Database) -> None:
    email, pager = FakeSender(time_limit=1), FakeSender()
    email.gate.clear()
    channel = routed(db, {"email": email, "pager": pager})
    stuck = asyncio.create_task(channel.send(message("0")))
    await asyncio.sleep(0.05)
    receipt = await channel.send(message("1"))
    assert receipt.channel == "pager"
    assert receipt.tried == ("email: earlier messages were still on their way when the time was up",)
    assert [one.key for _, one in email.asked] == ["0"]
    email.gate.set()
    assert (await stuck).channel == "email"


@pytest.mark.parametrize(("repeatable", "takes", "asked"), [(True, "email", 2), (False, "pager", 1)])
async def test_after_a_cut_only_a_channel_that_may_repeat_is_asked_again(
    db: Database, repeatable: bool, takes: str, asked: int
) -> None:
    email, pager = FakeSender(repeatable=repeatable), FakeSender()
    email.gate.clear()
    task = asyncio.create_task(routed(db, {"email": email, "pager": pager}).send(message()))

    async def sending() -> bool:
        return bool(email.asked)

    await until(sending, "the channel is asked")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    email.gate.set()
    receipt = await routed(db, {"email": email, "pager": pager}).send(message(text="rendered anew"))
    assert (receipt.channel, len(email.asked)) == (takes, asked)
    assert {one.text for _, one in email.asked + pager.asked} == {message().text}
    assert receipt.instead == message()
    assert receipt.tried == (() if repeatable else ("email: cut off; whether it was taken is not known",))


async def test_after_a_cut_between_answer_and_receipt_nobody_is_asked_again(db: Database) -> None:
    email = FakeSender(repeatable=False)
    first = await routed(db, {"email": email, "pager": FakeSender()}).send(message())
    async with db.writing() as session:
        await run_sql(session, "UPDATE outbox SET receipt = NULL")
    again = await routed(db, {"email": email, "pager": FakeSender()}).send(message())
    assert (again.channel, again.provider_id, again.tried) == (first.channel, first.provider_id, first.tried)
    assert len(email.asked) == 1


async def test_many_tasks_that_send_one_message_agree_on_one_receipt(db: Database) -> None:
    email = FakeSender(repeatable=False)
    channel = routed(db, {"email": email, "pager": FakeSender()})
    receipts = await asyncio.gather(*[channel.send(message()) for _ in range(10)])
    assert len(set(receipts)) == 1
    assert len(email.asked) == 1


@pytest.mark.parametrize(
    ("audience", "route", "limits", "says"),
    [
        (Audience.operator, ("slack",), {"email": 1}, "there is no channel 'slack'; channels are: email"),
        (Audience.operator, ("email", "email"), {"email": 1}, "'email' stands there twice"),
        (Audience.operator, ("email", "pager"), {"email": 50, "pager": 10.1}, "add up to 60.1 s; .* 60 s or less"),
        (Audience.approver, ("email",), {"email": 61}, "60 s or less"),
        (Audience.customer, ("email",), {"email": 61}, "60 s or less"),
    ],
)
def test_a_route_that_cannot_keep_the_time_or_names_nobody_is_refused(
    db: Database, audience: Audience, route: tuple[str, ...], limits: dict[str, float], says: str
) -> None:
    with pytest.raises(SettingsInvalid, match=f"routes.{audience.value}: .*{says}"):
        routed(db, {name: FakeSender(limit) for name, limit in limits.items()}, {audience: route})


def test_routes_may_take_exactly_as_long_as_people_wait(db: Database) -> None:
    senders = {"email": FakeSender(50), "pager": FakeSender(10), "page": FakeSender(60)}
    routed(db, senders, {Audience.approver: ("email", "pager"), Audience.exec: ("page",)})

"""Real mail server, real webhook receiver, the channels file: dark channels, kills and a thousand faults."""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from collections import Counter
from collections.abc import Coroutine
from email import message_from_bytes
from email.policy import default
from pathlib import Path

from activities.ports import Receipt
from adapters.channel_settings import channel_settings
from adapters.channels import routed_channel
from adapters.database import Database
from adapters.outbox import Outbox
from countermand.playbook.model import Audience
from tests.adapters.channels.messages import FakeSender, message
from tests.adapters.channels.servers import HookAnswer, MailServer, Receiver, silent_server

ROOT = Path(__file__).parents[3]
#: To each of three audiences, of which two have mail in their route.
MESSAGES = 60


def channels_file(tmp_path: Path, mail_port: int, hook_url: str, secret_file: Path, seconds: int) -> Path:
    file = tmp_path / "channels.yaml"
    file.write_text(f"""
channels:
  email:
    kind: smtp
    host: 127.0.0.1
    port: {mail_port}
    security: none
    sender: countermand@ops.example
    recipients: {{operator: [maria@ops.example], customer: [status@shop.example]}}
    time_limit: {seconds}s
  pager: {{kind: webhook, url: "{hook_url}", secret_file: {secret_file}, time_limit: {seconds}s}}
routes:
  operator: [email, pager]
  approver: [pager]
  customer: [pager, email]
""")
    return file


async def test_dark_mail_falls_back_to_the_pager_within_its_time(
    db: Database, receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    async with silent_server() as dark:
        settings = channel_settings(channels_file(tmp_path, dark, receiver.url, secret_file, 2))
        began = asyncio.get_running_loop().time()
        receipt = await routed_channel(settings, db, joined={}).send(message())
        assert asyncio.get_running_loop().time() - began < 3
    assert receipt.channel == "pager"
    assert receipt.tried == ("email: the mail server did not get as far as the text: TimeoutError",)
    ((_, body),) = receiver.requests
    assert b'"subject": "Incident opened (second channel)"' in body


async def test_mail_that_may_have_been_taken_is_not_mailed_again_and_goes_to_the_pager(
    db: Database, mail: MailServer, receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    settings = channel_settings(channels_file(tmp_path, mail.port, receiver.url, secret_file, 5))
    mail.script = ["take and vanish"]
    channel = routed_channel(settings, db, joined={})
    receipt = await channel.send(message())
    assert receipt.channel == "pager"
    assert receipt.tried == ("email: SMTPServerDisconnected after the text; whether it was taken is not known",)
    assert await channel.send(message()) == receipt
    assert (len(mail.mails), len(receiver.requests)) == (1, 1)


async def test_a_process_killed_in_the_middle_of_a_mail_never_mails_twice_and_the_pager_gets_it(
    db: Database, mail: MailServer, receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    file = channels_file(tmp_path, mail.port, receiver.url, secret_file, 20)
    mail.script = ["take and hang"]
    await kill_when(mail.texts.wait(), db, file)
    receipt = await routed_channel(channel_settings(file), db, joined={}).send(message())
    assert (receipt.channel, len(mail.mails)) == ("pager", 1)
    assert receipt.tried == ("email: cut off; whether it was taken is not known",)


async def test_a_process_killed_in_the_middle_of_a_webhook_sends_again_and_people_see_it_once(
    db: Database, receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    file = channels_file(tmp_path, 9, receiver.url, secret_file, 20)
    file.write_text(file.read_text().replace("operator: [email, pager]", "operator: [pager]"))
    receiver.answer = lambda number: "take and hang" if number == 1 else "take"

    async def taken() -> None:
        while not receiver.shown:  # noqa: ASYNC110, the receiver has threads of its own
            await asyncio.sleep(0.02)

    await kill_when(taken(), db, file)
    receipt = await routed_channel(channel_settings(file), db, joined={}).send(message())
    assert (receipt.channel, receipt.tried) == ("pager", ())
    assert list(receiver.shown.values()) == [1]
    assert [len(bodies) for bodies in receiver.bodies.values()] == [1]


async def kill_when(moment: Coroutine[None, None, object], db: Database, file: Path) -> None:
    """Send in another process and kill it at that moment."""
    url = db.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.adapters.channels.sending_process", url, str(file), cwd=ROOT
    )
    try:
        await asyncio.wait_for(moment, 20)
    finally:
        process.kill()
        await process.wait()


async def test_a_channel_with_settings_of_its_own_joins_the_route_by_name(
    db: Database, receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    file = channels_file(tmp_path, 9, receiver.url, secret_file, 5)
    file.write_text(file.read_text().replace("[email, pager]", "[messenger, pager]"))
    receipt = await routed_channel(channel_settings(file), db, joined={"messenger": FakeSender()}).send(message())
    assert receipt.channel == "messenger"


async def test_hundreds_of_faulted_sends_lose_nothing_and_show_nothing_twice(
    db: Database, mail: MailServer, receiver: Receiver, secret_file: Path, tmp_path: Path
) -> None:
    """Answers are lost before and after a message was taken, come late, or say no."""
    chance = random.Random(7)  # noqa: S311, faults are no secrets
    answers: list[HookAnswer] = ["take", "take and vanish", "vanish", (503, {}), (429, {"retry-after": "0"}), (404, {})]
    receiver.answer = lambda _number: chance.choices(answers, [75, 8, 5, 4, 4, 4])[0]
    mail.script = list(
        chance.choices(["take", "take and vanish", "vanish", "451 no", "554 no"], [6, 1, 1, 1, 1], k=999)
    )
    settings = channel_settings(channels_file(tmp_path, mail.port, receiver.url, secret_file, 20))
    channel = routed_channel(settings, db, joined={})

    async def tell(audience: Audience) -> list[Receipt]:
        return [await channel.send(message(f"{audience}/{n}", audience=audience)) for n in range(MESSAGES)]

    told = await asyncio.gather(*map(tell, (Audience.operator, Audience.approver, Audience.customer)))
    receipts = {receipt.key: receipt for receipt in itertools.chain(*told)}
    assert len(receipts) == 3 * MESSAGES
    assert {sent.message.key: sent.receipt for sent in await Outbox(db).list("incident-1")} == receipts
    assert all(receipt.tried for receipt in receipts.values() if receipt.channel == "outbox")
    by_channel = {name: {r.provider_id for r in receipts.values() if r.channel == name} for name in ("email", "pager")}
    assert min(map(len, by_channel.values())) > MESSAGES / 2
    assert by_channel["pager"] <= set(receiver.shown)
    assert set(receiver.shown.values()) == {1}
    assert {len(bodies) for bodies in receiver.bodies.values()} == {1}
    assert len(receiver.requests) > len(receiver.shown)
    mailed = Counter(message_from_bytes(one.content, policy=default)["Message-ID"] for one in mail.mails)
    assert by_channel["email"] <= set(mailed)
    assert set(mailed.values()) == {1}

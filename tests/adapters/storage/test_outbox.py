"""Messages are written down before they are sent, and sent once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.ports import Message
from adapters.database import Database
from adapters.outbox import Outbox
from countermand.playbook.model import Audience, Step
from tests.adapters.storage.entries import NOW
from tests.adapters.storage.stores import Store


def message(key: str = "incident/1/opened", **changes: Any) -> Message:
    fields = {
        "key": key,
        "incident_id": "incident-1",
        "step": Step.incident_opened,
        "audience": Audience.operator,
        "subject": "Incident opened",
        "text": "Failures rose.\nGrüße 🙂",
        "facts_sha256": "sha256:f",
    }
    return Message.model_validate(fields | changes)


async def test_a_message_is_kept_with_its_receipt(db: Database) -> None:
    outbox = Outbox(db, clock=lambda: NOW)
    receipt = await outbox.send(message())
    assert (receipt.key, receipt.channel, receipt.at) == ("incident/1/opened", "outbox", NOW)
    (sent,) = await outbox.list("incident-1")
    assert (sent.message, sent.written_at, sent.receipt) == (message(), NOW, receipt)
    assert await outbox.list("incident-2") == ()


async def test_the_same_key_again_returns_the_first_receipt_and_keeps_the_first_message(db: Database) -> None:
    outbox = Outbox(db)
    first = await outbox.send(message())
    assert await outbox.send(message()) == first
    assert await outbox.send(message(text="other")) == first.model_copy(update={"instead": message()})
    assert [sent.message.text for sent in await outbox.list("incident-1")] == [message().text]


async def test_many_tasks_that_send_one_key_get_one_receipt(db: Database, tmp_path: Path) -> None:
    outbox = Outbox(db, tmp_path / "mail")
    receipts = await asyncio.gather(*[outbox.send(message()) for _ in range(10)])
    assert len(set(receipts)) == 1
    assert len(list((tmp_path / "mail").iterdir())) == 1


async def test_a_directory_receives_one_text_file_per_message(db: Database, tmp_path: Path) -> None:
    outbox = Outbox(db, tmp_path / "mail")
    receipt = await outbox.send(message("../../etc/passwd"))
    (file,) = (tmp_path / "mail").iterdir()
    assert (receipt.channel, receipt.provider_id) == ("directory", file.name)
    assert file.name.startswith("incident_opened-operator-")
    assert file.read_text() == "Incident opened\n\nFailures rose.\nGrüße 🙂\n"


async def test_a_message_that_could_not_be_handed_over_stays_without_receipt_and_is_sent_by_the_next_call(
    db: Database, tmp_path: Path
) -> None:
    (tmp_path / "mail").write_text("a file in the way")
    outbox = Outbox(db, tmp_path / "mail")
    with pytest.raises(FileExistsError):
        await outbox.send(message())
    assert [sent.receipt for sent in await outbox.list("incident-1")] == [None]
    (tmp_path / "mail").unlink()
    receipt = await outbox.send(message())
    assert [sent.receipt for sent in await outbox.list("incident-1")] == [receipt]


async def test_messages_are_listed_in_the_order_in_which_they_were_written(db: Database, store: Store) -> None:
    outbox = Outbox(db)
    for key in ("c", "a", "b"):
        await outbox.send(message(key))
    assert [sent.message.key for sent in await outbox.list("incident-1")] == ["c", "a", "b"]

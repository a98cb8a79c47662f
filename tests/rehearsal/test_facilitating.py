"""What a facilitator types, the rehearsal's own channels, and the eye on production."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from activities.fence import FenceBroken
from activities.ports import Message
from adapters.channel_settings import channel_settings
from adapters.settings import SettingsInvalid
from countermand.playbook.terms import Audience, Step
from rehearsal.marked import RehearsalChannels, marked_message
from rehearsal.orders import Order, OrderInvalid, order_of
from rehearsal.production_watch import ProductionWatch

ROLES = frozenset({"safety_lead", "operator"})
MAIL = (
    "channels:\n  mail: {kind: smtp, host: 127.0.0.1, port: 2525, security: none, sender: r@example.org,"
    " recipients: {operator: [drill@example.org]}}\nroutes: {operator: [mail]}\n"
)


def test_orders_are_read_as_they_are_typed() -> None:
    assert order_of("skip 5m\n", ROLES) == Order("skip", seconds=300.0)
    assert order_of("inject Call back to base to safety lead", ROLES) == Order(
        "inject", words="Call back to base", role="safety_lead"
    )
    assert order_of("kill-worker", ROLES) == Order("kill-worker")


@pytest.mark.parametrize("line", ["skip", "skip 25h", "stop now", "note", "inject hello to nobody", "approve"])
def test_what_is_no_order_is_quoted_and_does_nothing(line: str) -> None:
    with pytest.raises(OrderInvalid, match="write "):
        order_of(line, ROLES)


def test_only_a_file_that_says_so_carries_messages_of_a_rehearsal(tmp_path: Path) -> None:
    own, production = tmp_path / "own.yaml", tmp_path / "channels.yaml"
    own.write_text("environment: rehearsal\n" + MAIL)
    production.write_text(MAIL.replace("drill@", "all@"))
    senders = RehearsalChannels(own, production).senders([], lambda _: bool, lambda: None)  # type: ignore[arg-type,return-value]  # nothing is sent
    assert list(senders) == ["mail"]
    with pytest.raises(FenceBroken, match="is production's channels file"):
        RehearsalChannels(production, production)
    with pytest.raises(FenceBroken, match="its first line must be: environment: rehearsal"):
        RehearsalChannels(production, None)
    production.write_text(MAIL)
    with pytest.raises(FenceBroken, match=r"drill@example\.org; accepted: addresses that only rehearsals use"):
        RehearsalChannels(own, production)
    with pytest.raises(SettingsInvalid):
        channel_settings(own)


def test_every_message_says_rehearsal_in_its_subject_and_first_line() -> None:
    said = Message(
        key="k", incident_id="i", step=Step.approval_asked, audience=Audience.operator, subject="Approve?",
        text="Look.", facts_sha256="sha256:",
    )  # fmt: skip
    marked = marked_message(said)
    assert marked.subject.startswith("[REHEARSAL")
    assert marked.text.splitlines()[0].startswith("REHEARSAL")


async def test_a_real_incident_and_blindness_are_each_told_once() -> None:
    closed = {"incident_id": "inc-1", "service": "chat", "closed_at": "2026-11-20T03:14:20.000000Z"}
    items = [closed]
    seeing = True

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps({"items": items}).encode()
        status = b"200 OK" if seeing else b"503 Busy"
        writer.write(b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    alarms: asyncio.Queue[str] = asyncio.Queue()
    looking = asyncio.create_task(ProductionWatch(url, "t", alarms.put_nowait, every=0.02).run())
    await asyncio.sleep(0.2)
    assert alarms.empty()
    items.append({"incident_id": "inc-2", "service": "chat", "closed_at": None})  # type: ignore[dict-item]
    assert "REAL INCIDENT in production: inc-2" in await asyncio.wait_for(alarms.get(), 10)
    seeing = False
    assert "Production cannot be seen" in await asyncio.wait_for(alarms.get(), 10)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    server.close()
    await server.wait_closed()
    assert alarms.empty()


def test_a_token_is_never_sent_in_the_clear() -> None:
    with pytest.raises(FenceBroken, match="write https://"):
        ProductionWatch("http://console.example.org", "t", print)

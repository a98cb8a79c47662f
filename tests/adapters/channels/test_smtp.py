"""E-mail goes out once, as plain text, and whatever went wrong is known for what it was."""

from __future__ import annotations

import ssl
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from adapters.channel_sending import Busy, Refused, Uncertain
from adapters.channel_settings import SmtpSettings
from adapters.channel_smtp import SmtpSender
from tests.adapters.channels.messages import message
from tests.adapters.channels.servers import MailServer, silent_server

MARIA, JONAS = "maria@ops.example", "jonas@ops.example"


def sender(port: int, **changes: Any) -> SmtpSender:
    settings = {
        "kind": "smtp",
        "host": "127.0.0.1",
        "port": port,
        "security": "none",
        "sender": "countermand@ops.example",
        "recipients": {"operator": (MARIA, JONAS)},
    }
    return SmtpSender(SmtpSettings.model_validate(settings | changes))


async def test_one_plain_text_goes_to_all_recipients_who_do_not_see_each_other(mail: MailServer) -> None:
    taken = await sender(mail.port).send(message(), 5)
    (envelope,) = mail.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("countermand@ops.example", [MARIA, JONAS])
    assert isinstance(envelope.content, bytes)
    assert max(map(len, envelope.content.splitlines())) <= 998
    assert b"maria" not in envelope.content
    received = message_from_bytes(envelope.content, policy=default)
    assert received["Message-ID"] == taken.provider_id
    assert received["Subject"] == "Incident opened"
    assert received["Auto-Submitted"] == "auto-generated"
    assert received.get_content_type() == "text/plain"
    assert received.get_content().splitlines() == message().text.splitlines()
    assert taken.not_reached is None


async def test_the_message_id_is_the_same_for_every_attempt_and_another_for_every_message(mail: MailServer) -> None:
    ids = [(await sender(mail.port).send(message(key), 5)).provider_id for key in ("a", "a", "b")]
    assert ids[0] == ids[1] != ids[2]


async def test_a_subject_never_begins_a_new_header(mail: MailServer) -> None:
    await sender(mail.port).send(message(subject="Opened\r\nBcc: eve@example.org\n\nclick here"), 5)
    (envelope,) = mail.mails
    assert isinstance(envelope.content, bytes)
    received = message_from_bytes(envelope.content, policy=default)
    assert received["Bcc"] is None
    assert received["Subject"] == "Opened Bcc: eve@example.org click here"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_with_a_trusted_certificate_gets_the_mail_encrypted(
    security: str, tls: ssl.SSLContext, certificate: Path
) -> None:
    async with MailServer(tls=tls, implicit=security == "tls") as server:
        await sender(server.port, security=security, ca_file=certificate).send(message(), 5)
        assert len(server.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_with_an_unknown_certificate_gets_nothing(security: str, tls: ssl.SSLContext) -> None:
    async with MailServer(tls=tls, implicit=security == "tls") as server:
        with pytest.raises(Busy, match="did not get as far as the text"):
            await sender(server.port, security=security).send(message(), 5)
        assert server.mails == []


async def test_a_server_without_starttls_gets_nothing_when_the_settings_ask_for_it(mail: MailServer) -> None:
    with pytest.raises((Refused, Busy)):
        await sender(mail.port, security="starttls").send(message(), 5)
    assert mail.mails == []


async def test_a_password_that_cannot_be_read_sends_nothing(mail: MailServer, tmp_path: Path) -> None:
    secret = tmp_path / "missing"
    with pytest.raises(Refused, match="password file cannot be read: FileNotFoundError"):
        await sender(mail.port, username="countermand", password_file=secret).send(message(), 5)
    assert mail.connections == 0


async def test_a_recipient_who_is_refused_is_named_by_number_and_the_others_get_the_mail(mail: MailServer) -> None:
    mail.refuse = {MARIA: "550 no such user"}
    taken = await sender(mail.port).send(message(), 5)
    assert taken.not_reached == "of 2 recipients, the mail server refused number 1 (answer 550)"
    assert [envelope.rcpt_tos for envelope in mail.mails] == [[JONAS]]


@pytest.mark.parametrize(
    ("answers", "raises"),
    [
        (("550 no", "550 no"), Refused),
        (("451 later", "550 no"), Busy),
        (("451 later", "451 later"), Busy),
    ],
)
async def test_when_every_recipient_is_refused_the_mail_is_not_sent(
    answers: tuple[str, str], raises: type[Exception], mail: MailServer
) -> None:
    mail.refuse = dict(zip((MARIA, JONAS), answers, strict=True))
    with pytest.raises(raises):
        await sender(mail.port).send(message(), 5)
    assert mail.mails == []


@pytest.mark.parametrize(("answer", "raises"), [("554 spam", Refused), ("451 later", Busy)])
async def test_a_text_that_is_refused_was_not_taken(answer: str, raises: type[Exception], mail: MailServer) -> None:
    mail.script = [answer]
    with pytest.raises(raises, match=answer[:3]):
        await sender(mail.port).send(message(), 5)


@pytest.mark.parametrize("end", ["take and vanish", "vanish", "take and hang"])
async def test_a_connection_that_dies_after_the_text_leaves_it_uncertain(end: str, mail: MailServer) -> None:
    mail.script = [end]
    with pytest.raises(Uncertain, match="whether it was taken is not known"):
        await sender(mail.port).send(message(), 0.5)


async def test_a_server_that_refuses_connections_or_never_greets_took_nothing() -> None:
    async with silent_server() as port:
        with pytest.raises(Busy, match="did not get as far as the text: TimeoutError"):
            await sender(port).send(message(), 0.3)
    with pytest.raises(Busy, match="did not get as far as the text: SMTPConnectError"):
        await sender(port).send(message(), 5)

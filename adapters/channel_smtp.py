"""E-mail over SMTP: at most once, because a mail server cannot be asked what it took (COM-16)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from email.utils import format_datetime

from aiosmtplib import SMTP, SMTPException, SMTPNotSupported, SMTPRecipientRefused, SMTPResponseException

from activities.fence import PRODUCTION, Production
from activities.ports import Message
from adapters.channel_sending import Busy, Refused, Taken, Uncertain, message_id
from adapters.channel_settings import SmtpSettings
from adapters.database import utc_now


class SmtpSender:
    """Implements `Sender`: one plain text message to all recipients of its audience."""

    environment: Production = PRODUCTION

    repeatable = False

    def __init__(self, settings: SmtpSettings, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = settings
        self._clock = clock
        self._tls = ssl.create_default_context(cafile=settings.ca_file)

    @property
    def time_limit(self) -> timedelta:
        return self._settings.time_limit

    async def send(self, message: Message, within: float) -> Taken:
        """`Uncertain` when the connection dies after the text began to go out; before that nothing was taken."""
        name = f"<{message_id(message)}@{_domain(self._settings.sender)}>"
        raw = self._mail(message, name)
        client = self._client(within)
        handed_over = False
        try:
            async with asyncio.timeout(within):
                await client.connect()
                await client.mail(self._settings.sender)
                not_reached = await _name_recipients(client, self._settings.recipients[message.audience])
                handed_over = True
                await client.data(raw)
        except SMTPResponseException as error:
            said = f"the mail server answered {error.code}"
            if 500 <= error.code < 600:
                raise Refused(said) from None
            if handed_over and not 400 <= error.code < 500:  # an answer of no known form says nothing
                raise Uncertain(f"{said} to the text; whether it was taken is not known") from None
            raise Busy(said) from None
        except SMTPNotSupported:
            raise Refused("the mail server does not offer what the settings ask for") from None
        except (SMTPException, OSError, TimeoutError) as error:
            if handed_over:
                raise Uncertain(f"{type(error).__name__} after the text; whether it was taken is not known") from None
            raise Busy(f"the mail server did not get as far as the text: {type(error).__name__}") from None
        finally:
            client.close()
        return Taken(provider_id=name, not_reached=not_reached)

    def _client(self, within: float) -> SMTP:
        settings = self._settings
        password = None
        if settings.password_file is not None:
            try:
                password = settings.password_file.read_text(encoding="utf-8").strip()
            except (OSError, ValueError) as error:
                raise Refused(f"the password file cannot be read: {type(error).__name__}") from None
        return SMTP(
            hostname=settings.host,
            port=settings.port,
            username=settings.username,
            password=password,
            local_hostname=_domain(settings.sender),
            timeout=within,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=self._tls if settings.security != "none" else None,
        )

    def _mail(self, message: Message, name: str) -> bytes:
        mail = EmailMessage(policy=SMTP_LINES)
        mail["From"] = self._settings.sender
        mail["To"] = "undisclosed-recipients:;"
        mail["Subject"] = " ".join(message.subject.split())
        mail["Date"] = format_datetime(self._clock())
        mail["Message-ID"] = name
        mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: holiday notices stay away
        mail.set_content(message.text, cte="quoted-printable")
        return mail.as_bytes()


async def _name_recipients(client: SMTP, recipients: Sequence[str]) -> str | None:
    """Which recipients the server refused, by their place in the settings. Raises when it refused all of them."""
    refused: dict[int, SMTPRecipientRefused] = {}
    for place, recipient in enumerate(recipients, start=1):
        try:
            await client.rcpt(recipient)
        except SMTPRecipientRefused as error:
            refused[place] = error
    if len(refused) == len(recipients):
        raise min(refused.values(), key=lambda error: error.code)
    said = ", ".join(f"{place} (answer {error.code})" for place, error in refused.items())
    return f"of {len(recipients)} recipients, the mail server refused number {said}" if refused else None


def _domain(address: str) -> str:
    return address.rpartition("@")[2]

"""Signed webhooks: a status page, a pager, or whatever takes JSON with an Idempotency-Key (COM-16, THR-12)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from activities.fence import PRODUCTION, Production
from activities.ports import Message
from adapters.channel_sending import Busy, Refused, Taken, message_id
from adapters.channel_settings import WebhookChannelSettings
from adapters.database import utc_now

_PREFIX = "whsec_"
_MIN_SECRET = 24


class WebhookSender:
    """Implements `Sender`: posts to the one address of its settings, and follows nobody anywhere else.

    Signed as Standard Webhooks has it (https://www.standardwebhooks.com). A receiver that keeps `Idempotency-Key` shows
    a message once, however often it is sent; every attempt has the same key and the same body.
    """

    environment: Production = PRODUCTION

    repeatable = True

    def __init__(self, settings: WebhookChannelSettings, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = settings
        self._clock = clock

    @property
    def time_limit(self) -> timedelta:
        return self._settings.time_limit

    async def send(self, message: Message, within: float) -> Taken:
        """2xx is the receipt; 409 (the first attempt is still being worked on), 429 and 5xx are tried again."""
        body = _body(message)
        headers = self._headers(message, body)
        # Causes are cut off (`from None`): httpx errors hold the request with its headers.
        try:
            async with (
                asyncio.timeout(within),
                httpx.AsyncClient(timeout=within, trust_env=False, follow_redirects=False) as client,
                client.stream("POST", self._settings.url, content=body, headers=headers) as response,
            ):
                status, retry_after = response.status_code, response.headers.get("retry-after", "")
        except (httpx.HTTPError, TimeoutError) as error:
            raise Busy(f"no answer: {type(error).__name__}") from None
        if 200 <= status < 300:
            return Taken(provider_id=message_id(message))
        if status in (409, 429) or status >= 500:
            raise Busy(f"answered {status}", self._seconds(retry_after))
        raise Refused(f"answered {status}")

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        name, at = message_id(message), str(int(self._clock().timestamp()))
        signature = hmac.digest(self._secret(), f"{name}.{at}.".encode() + body, hashlib.sha256)
        return {
            "content-type": "application/json",
            "idempotency-key": name,
            "webhook-id": name,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
        }

    def _secret(self) -> bytes:
        """Read each time, so that a rotation needs no restart."""
        try:
            text = self._settings.secret_file.read_text(encoding="ascii").strip()
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (OSError, ValueError) as error:
            raise Refused(f"the secret file cannot be used: {type(error).__name__}") from None
        if not text.startswith(_PREFIX) or len(key) < _MIN_SECRET:
            raise Refused(f"the secret file needs {_PREFIX} and the base64 of {_MIN_SECRET} or more random bytes")
        return key

    def _seconds(self, retry_after: str) -> float | None:
        """RFC 9110 §10.2.3: seconds, or a date."""
        if retry_after.isdecimal():
            return float(retry_after)
        try:
            return (parsedate_to_datetime(retry_after) - self._clock()) / timedelta(seconds=1)
        except (ValueError, TypeError):
            return None


def _body(message: Message) -> bytes:
    content = {"type": "countermand.message", **message.model_dump(mode="json")}
    return json.dumps(content, sort_keys=True, ensure_ascii=False).encode()

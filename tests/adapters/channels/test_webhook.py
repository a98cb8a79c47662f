"""A webhook is signed, sent to one address only, and safe to repeat."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from adapters.channel_sending import Busy, Refused
from adapters.channel_settings import WebhookChannelSettings
from adapters.channel_webhook import WebhookSender
from tests.adapters.channels.conftest import SECRET
from tests.adapters.channels.messages import message
from tests.adapters.channels.servers import Receiver


def sender(url: str, secret_file: Path, **changes: object) -> WebhookSender:
    return WebhookSender(
        WebhookChannelSettings.model_validate({"kind": "webhook", "url": url, "secret_file": secret_file, **changes})
    )


async def test_the_reference_library_verifies_the_signature_and_reads_the_message(
    receiver: Receiver, secret_file: Path
) -> None:
    taken = await sender(receiver.url, secret_file).send(message(), 5)
    ((headers, body),) = receiver.requests
    Webhook(SECRET).verify(body, headers)
    assert json.loads(body) == {"type": "countermand.message", **message().model_dump(mode="json")}
    assert taken.provider_id == headers["idempotency-key"] == headers["webhook-id"]
    assert headers["content-type"] == "application/json"


async def test_every_attempt_has_the_same_key_and_body_and_every_message_its_own(
    receiver: Receiver, secret_file: Path
) -> None:
    for key in ("a", "a", "b"):
        await sender(receiver.url, secret_file).send(message(key), 5)
    assert sorted(receiver.shown.values()) == [1, 1]
    assert [len(bodies) for bodies in receiver.bodies.values()] == [1, 1]


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_a_receiver_that_is_busy_is_tried_again_when_it_says(
    status: int, receiver: Receiver, secret_file: Path
) -> None:
    receiver.answer = lambda _number: (status, {"retry-after": "7"})
    with pytest.raises(Busy, match=f"answered {status}") as raised:
        await sender(receiver.url, secret_file).send(message(), 5)
    assert raised.value.retry_after == 7


async def test_a_delay_may_be_a_date_and_nonsense_is_no_delay(receiver: Receiver, secret_file: Path) -> None:
    then = datetime.now(UTC) + timedelta(seconds=30)
    for text, low, high in ((format_datetime(then, usegmt=True), 25.0, 31.0), ("soon", None, None), ("", None, None)):
        receiver.answer = lambda _number, text=text: (503, {"retry-after": text})
        with pytest.raises(Busy) as raised:
            await sender(receiver.url, secret_file).send(message(), 5)
        found = raised.value.retry_after
        assert found is None if low is None or high is None else found is not None and low < found < high


@pytest.mark.parametrize("status", [400, 401, 404, 410, 422])
async def test_any_other_refusal_is_for_good(status: int, receiver: Receiver, secret_file: Path) -> None:
    receiver.answer = lambda _number: (status, {})
    with pytest.raises(Refused, match=f"answered {status}"):
        await sender(receiver.url, secret_file).send(message(), 5)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_not_followed(status: int, receiver: Receiver, secret_file: Path) -> None:
    with Receiver() as elsewhere:
        receiver.answer = lambda _number: (status, {"location": elsewhere.url})
        with pytest.raises(Refused, match=f"answered {status}"):
            await sender(receiver.url, secret_file).send(message(), 5)
        assert elsewhere.requests == []


async def test_a_proxy_of_the_environment_is_not_used(
    receiver: Receiver, secret_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    await sender(receiver.url, secret_file).send(message(), 5)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("end", ["take and vanish", "vanish", "take and hang"])
async def test_no_answer_may_be_tried_again_and_is_shown_once(end: str, receiver: Receiver, secret_file: Path) -> None:
    receiver.answer = lambda number: end if number == 1 else "take"
    channel = sender(receiver.url, secret_file)
    with pytest.raises(Busy, match="no answer"):
        await channel.send(message(), 0.5)
    await channel.send(message(), 5)
    assert list(receiver.shown.values()) == [1]


@pytest.mark.parametrize("content", [None, "", "whsec_c2hvcnQ=", "c2VjcmV0" * 8, "whsec_not base64", "whsec_é"])
async def test_a_secret_that_cannot_be_used_sends_nothing_and_is_never_quoted(
    content: str | None, receiver: Receiver, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_text(content)
    with pytest.raises(Refused, match="the secret file") as raised:
        await sender(receiver.url, file).send(message(), 5)
    assert receiver.requests == []
    assert not content or content not in str(raised.value)

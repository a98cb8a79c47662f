"""What people are told about a call that a target refused, and what the record keeps of it."""

from __future__ import annotations

import httpx
import pytest

from activities.ports import TargetRejected, TargetUnavailable
from adapters.target_http import Lost, TargetHttp
from countermand.canonical import digest_bytes

BODY = b'{"error": "this model is frozen, token s3cret"}'


class Answers(httpx.AsyncBaseTransport):
    """Gives every request this status and body."""

    def __init__(self, status: int, body: bytes = BODY) -> None:
        self._status, self._body = status, body

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self._status, content=self._body, request=request)


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (423, TargetRejected, "the target refused it: 423 Locked"),
        (599, Lost, "the target failed: 599"),
        (503, Lost, "the target failed: 503 Service Unavailable"),
        (429, TargetUnavailable, "the target is busy: 429 Too Many Requests"),
    ],
)
async def test_a_refusal_says_who_refused_and_how_and_names_the_answer_shortly(
    status: int, kind: type[Exception], said: str
) -> None:
    http = TargetHttp("http://target.test", Answers(status), None)
    with pytest.raises(kind) as refused:
        await http.send("POST", "/alias?name=prompt", "a-token")
    await http.close()
    short = digest_bytes(BODY).removeprefix("sha256:")[:12]
    assert str(refused.value) == f"{said} (POST /alias, answer kept as {short})"
    assert "s3cret" not in str(refused.value)
    if isinstance(refused.value, TargetRejected):
        assert refused.value.raw_sha256 == digest_bytes(BODY)


async def test_an_answer_over_8_mib_is_no_answer_and_is_never_held_whole() -> None:
    http = TargetHttp("http://target.test", Answers(200, b"x" * (8 * 1024 * 1024 + 1)), None)
    with pytest.raises(Lost, match=r"more than 8 MiB \(PUT /split\)"):
        await http.send("PUT", "/split", None)
    await http.close()

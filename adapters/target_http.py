"""Calls to a Target's HTTP interface, with failures sorted as targets.md §4 sorts them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Literal, NamedTuple, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from activities.ports import TargetRejected, TargetUnavailable
from countermand.canonical import digest_bytes

_CONNECT_SECONDS = 2.0
_CALL_SECONDS = 10.0
#: No answer about one split is near this size; a broken or hostile target must not fill the worker's memory.
_MAX_BODY = 8 * 1024 * 1024

_Body = TypeVar("_Body")
Keep = Callable[[bytes, str], Awaitable[str]]


class Lost(Exception):
    """Bytes may have been sent and no usable answer came back: the effect is not known."""


class Raw(NamedTuple):
    """An answer as it came, kept by digest before anyone interprets it."""

    status: int
    body: bytes
    sha256: str


async def kept(keep: Keep | None, raw: bytes, media_type: str) -> str:
    """The digest of a raw answer, stored under it where there is a store."""
    return digest_bytes(raw) if keep is None else await keep(raw, media_type)


def kept_as(sha256: str) -> str:
    """`kept as 082e0912fd98`: how a sentence names a stored answer. The record of a stage names its whole digest."""
    return f"kept as {sha256.removeprefix('sha256:')[:12]}"


class TargetHttp:
    """A pooled client of one Target. Never puts a token, a header or a body into an exception (C19).

    `keep` stores raw answers by content (`Ledger.put_blob`); without it only their digests are known.
    """

    def __init__(
        self,
        base_url: str,
        transport: httpx.AsyncBaseTransport | None,
        keep: Keep | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls`: whom to trust instead of the usual authorities."""
        self.base_url = base_url
        self._keep = keep
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=httpx.Timeout(_CALL_SECONDS, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS),
            transport=transport,
            # A compressed answer of a few kilobytes unpacks to gigabytes before its size could be looked at.
            headers={"Accept-Encoding": "identity"},
            verify=tls or True,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def get(self, path: str, token: str | None, shape: TypeAdapter[_Body]) -> tuple[Raw, _Body]:
        """A read. Raises TargetUnavailable (also for an answer of another shape) and TargetRejected."""
        try:
            raw = await self.send("GET", path, token)
        except Lost as lost:
            raise TargetUnavailable(str(lost)) from None
        try:
            return raw, shape.validate_json(raw.body)
        except ValidationError:
            answer = f"the target's answer to GET {path.partition('?')[0]}, {kept_as(raw.sha256)}"
            raise TargetUnavailable(f"{answer}, is not the one expected") from None

    async def send(
        self,
        method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
        path: str,
        token: str | None,
        *,
        headers: dict[str, str] | None = None,
        json: dict[str, object] | list[dict[str, object]] | None = None,
        expected: tuple[int, ...] = (),
    ) -> Raw:
        """A success or one of the `expected` statuses; without a token none is sent.

        Raises TargetUnavailable when nothing was sent or the target is too busy, Lost on a timeout, a reset,
        a 5xx or an answer over 8 MiB, and TargetRejected for every other status.
        """
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        asked = f"{method} {path.partition('?')[0]}"
        # Causes are cut off (`from None`): httpx errors hold the request with its headers.
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                request = self._client.build_request(method, path, headers=sent | (headers or {}), json=json)
                response = await self._client.send(request, stream=True)
                body = await _whole(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise TargetUnavailable(
                f"the target cannot be reached ({asked} was not sent: {type(error).__name__})"
            ) from None
        except (httpx.HTTPError, TimeoutError) as error:  # with them, a body that cannot be decoded
            raise Lost(f"the target did not answer ({asked}: {type(error).__name__})") from None
        if body is None:
            raise Lost(f"the target answered with more than {_MAX_BODY // 1024 // 1024} MiB ({asked})")
        media_type = response.headers.get("content-type", "text/plain").partition(";")[0]
        raw = Raw(response.status_code, body, await kept(self._keep, body, media_type))
        if response.is_success or raw.status in expected:
            return raw
        # The standard's words for the status: what the target wrote there is its own text.
        status = f"{raw.status} {httpx.codes.get_reason_phrase(raw.status)}".rstrip()
        said = f"{status} ({asked}, answer {kept_as(raw.sha256)})"
        if raw.status == 429:
            raise TargetUnavailable(f"the target is busy: {said}", _seconds(response.headers.get("retry-after", "")))
        if raw.status >= 500:
            raise Lost(f"the target failed: {said}")
        raise TargetRejected(f"the target refused it: {said}", raw.sha256)


async def _whole(response: httpx.Response) -> bytes | None:
    """The body; None when it is too large to be taken."""
    body = bytearray()
    try:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _MAX_BODY:
                return None
    finally:
        await response.aclose()
    return bytes(body)


def _seconds(retry_after: str) -> float | None:
    return float(retry_after) if retry_after.isdecimal() else None

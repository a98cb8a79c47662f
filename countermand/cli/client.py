"""The console as the command line sees it: JSON over HTTP, and every answer that is not a success as a Failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from countermand.cli import private_file
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "http://127.0.0.1:8800"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_STATUS = {401: Exit.not_authorised, 403: Exit.not_authorised, 409: Exit.refused, 410: Exit.refused}


def console_url() -> str:
    """`COUNTERMAND_URL`. Raises Failure for anything that would send a token in the clear."""
    url = os.environ.get("COUNTERMAND_URL", DEFAULT_URL).rstrip("/")
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Failure(
            Exit.usage,
            f"COUNTERMAND_URL = {url!r} cannot be used",
            accepted="https://…, or http:// on this machine (127.0.0.1, localhost, ::1)",
            next=f"export COUNTERMAND_URL={DEFAULT_URL}",
        )
    return url


def is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def stored_token(url: str) -> str:
    """`COUNTERMAND_TOKEN`, else what `login` stored for this console. Raises Failure when there is none."""
    token = os.environ.get("COUNTERMAND_TOKEN") or _tokens().get(url, {}).get("token")
    if not token:
        raise Failure(Exit.not_authorised, f"you are not signed in to {url}", next="countermand login NAME")
    return str(token)


def store_token(url: str, session: JsonObject | None) -> None:
    """Keep the answer of a login for this console; None forgets it."""
    tokens = _tokens()
    tokens.pop(url, None)
    if session is not None:
        tokens[url] = session
    private_file.write(private_file.config_file("tokens.json"), tokens)


def _tokens() -> dict[str, Any]:
    return private_file.read(private_file.config_file("tokens.json"))


class Api:
    """Calls to one console. `token` empty: only what needs no sign-in."""

    def __init__(self, url: str, token: str = "", *, timeout: float = 20.0) -> None:
        import httpx

        self.url = url
        self.token = token
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout, connect=5.0),
            # A proxy of the environment is for other machines, never for this one.
            trust_env=not is_loopback(url),
        )

    @classmethod
    def signed_in(cls) -> Api:
        """With the settings of this shell. Raises Failure when nobody is signed in."""
        url = console_url()
        return cls(url, stored_token(url))

    def get(self, path: str, **query: Any) -> JsonObject:
        """The answer to a read. Raises Failure."""
        import httpx

        try:
            response = self._client.get(path, params={key: value for key, value in query.items() if value is not None})
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from None
        return answer(response)

    def get_bytes(self, path: str) -> bytes:
        """The exact bytes of an answer. Raises Failure."""
        import httpx

        try:
            response = self._client.get(path)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from None
        if not response.is_success:
            answer(response)
        return response.content

    def post(
        self, path: str, body: Any = None, *, raw: bytes | None = None, media_type: str = "", zipped: bool = False
    ) -> JsonObject:
        """The answer to a write that may simply be sent again; zipped: `raw` is gzip. Raises Failure."""
        import httpx

        headers = {"Content-Type": media_type} if media_type else {}
        if zipped:
            headers["Content-Encoding"] = "gzip"
        try:
            response = self._client.post(path, json=body, content=raw, headers=headers)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from None
        return answer(response)

    def post_bytes(self, path: str) -> bytes:
        """The exact bytes of the answer to a write that may simply be sent again. Raises Failure."""
        import httpx

        try:
            response = self._client.post(path)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from None
        if not response.is_success:
            answer(response)
        return response.content

    def put(self, path: str, body: JsonObject) -> JsonObject:
        """The answer to a write that may simply be sent again. Raises Failure."""
        return self._sent("PUT", path, body)

    def delete(self, path: str) -> JsonObject:
        """The answer to an end that may simply be asked for again. Raises Failure."""
        return self._sent("DELETE", path, None)

    def _sent(self, method: str, path: str, body: JsonObject | None) -> JsonObject:
        import httpx

        try:
            response = self._client.request(method, path, json=body)
        except httpx.TransportError as error:
            raise unreachable(self.url, error) from None
        return answer(response)

    def act(self, path: str, body: JsonObject, resume: str | None) -> JsonObject:
        """A decision or command under an idempotency key: sent again with `resume` it counts once (CON-40).

        Raises Failure; when nobody knows whether it counted, the Failure names the key.
        """
        import httpx

        key = resume or str(uuid4())
        try:
            response = self._client.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx.ConnectError as error:
            raise unreachable(self.url, error) from None
        except httpx.TransportError as error:
            raise _outcome_unknown(f"no answer from {self.url} ({error})", key) from None
        if response.status_code >= 500:
            raise _outcome_unknown(str(answer_or_problem(response).get("detail", response.status_code)), key)
        return answer(response)

    @contextmanager
    def stream(self, path: str, **query: str) -> Iterator[httpx.Response]:
        """A response that is read as it comes; reads may wait for a minute."""
        import httpx

        with self._client.stream("GET", path, params=query, timeout=httpx.Timeout(5.0, read=60.0)) as response:
            yield response

    def close(self) -> None:
        self._client.close()


def answer(response: httpx.Response) -> JsonObject:
    """The JSON body of a success; anything else as a Failure with the console's own words."""
    body = answer_or_problem(response)
    if response.is_success:
        return body
    status = response.status_code
    default = Exit.unreachable if status >= 502 else Exit.unexpected if status >= 500 else Exit.usage
    code = body.get("code")
    detail = body.get("detail") or f"the console answered {status}"
    raise Failure(
        _STATUS.get(status, default), f"{code}: {detail}" if code else str(detail), next=str(body.get("next", ""))
    )


def answer_or_problem(response: httpx.Response) -> JsonObject:
    """The JSON object of the response; empty when it has none."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def unreachable(url: str, error: Exception) -> Failure:
    """The console does not answer at all; nothing was done."""
    return Failure(
        Exit.unreachable,
        f"no console answers at {url} ({str(error) or type(error).__name__})",
        accepted="the address of a running console in COUNTERMAND_URL",
        next="countermand up, or countermand doctor",
    )


def _outcome_unknown(why: str, key: str) -> Failure:
    return Failure(
        Exit.unreachable,
        f"{why.rstrip('.')}: nobody knows yet whether this counted",
        next=f"look with `countermand incident show`; the same command with --resume {key} counts once",
    )

"""Questions to Prometheus' HTTP API, with failures sorted as sources.md §2 sorts them."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import httpx
from pydantic import BaseModel, Field

from adapters.prometheus_counts import Series
from countermand.canonical import digest_bytes

_log = logging.getLogger(__name__)

_CONNECT_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_MAX_BYTES = 16 * 1024 * 1024


class Unknown(Exception):
    """There is no usable answer; `reason` is the one of the unknown block."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Answer(NamedTuple):
    """Samples by series; an instant value is a series with one sample, a scalar one without labels."""

    series: tuple[Series, ...]
    sha256: str


class _Lost(Exception):
    """No answer this time; the next attempt may have one."""


class _Samples(BaseModel):
    metric: dict[str, str]
    values: Annotated[list[tuple[float, str]], Field(min_length=1)]


class _Sample(BaseModel):
    metric: dict[str, str]
    value: tuple[float, str]


class _Matrix(BaseModel):
    kind: Literal["matrix"] = Field(alias="resultType")
    result: list[_Samples]


class _Vector(BaseModel):
    kind: Literal["vector"] = Field(alias="resultType")
    result: list[_Sample]


class _Scalar(BaseModel):
    kind: Literal["scalar"] = Field(alias="resultType")
    result: tuple[float, str]


class _Body(BaseModel):
    """https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview"""

    status: Literal["success"]
    data: Annotated[_Matrix | _Vector | _Scalar, Field(discriminator="kind")]
    warnings: list[str] = []


class PrometheusHttp:
    """A pooled client of one Prometheus: no redirects, no proxy settings, and no other address than this one."""

    def __init__(self, url: str, token_file: Path | None) -> None:
        self._url = url
        self._token_file = token_file
        self._client = httpx.AsyncClient(
            base_url=url,
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=8),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, query: str, at: datetime | None, deadline: float) -> Answer:
        """An instant query at a time (None: now); tried again until `deadline`, in seconds of the loop's clock.

        Raises Unknown: unreachable (5xx, 429, no answer), query_error (any other status, or an answer of another
        shape) or partial (the answer has warnings).
        """
        parameters = {"query": query} if at is None else {"query": query, "time": f"{at.timestamp():.3f}"}
        pause = _FIRST_PAUSE
        try:
            async with asyncio.timeout_at(deadline):
                while True:
                    try:
                        return self._read(query, await self._get(parameters))
                    except _Lost:
                        await asyncio.sleep(pause)
                        pause = min(2 * pause, _LONGEST_PAUSE)
        except TimeoutError:
            raise Unknown("unreachable") from None

    async def _get(self, parameters: dict[str, str]) -> bytes:
        # Causes are cut off (`from None`): httpx errors hold the request with its headers.
        try:
            async with self._client.stream(
                "GET", "api/v1/query", params=parameters, headers=self._credentials()
            ) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > _MAX_BYTES:
                        raise self._misconfigured(parameters["query"], f"the answer has more than {_MAX_BYTES:,} bytes")
        except httpx.HTTPError:
            raise _Lost from None
        if response.status_code == 429 or response.status_code >= 500:
            raise _Lost
        if response.status_code != 200:
            said = body[:200].decode(errors="replace")
            raise self._misconfigured(parameters["query"], f"status {response.status_code}, {said!r}")
        return bytes(body)

    def _read(self, query: str, raw: bytes) -> Answer:
        try:
            body = _Body.model_validate_json(raw)
            series = _series(body.data)
        except (ValueError, OverflowError):  # another shape, a value that is no number, a time beyond all times
            raise self._misconfigured(query, f"not the answer of a query: {raw[:100]!r}") from None
        if body.warnings:
            raise Unknown("partial")
        return Answer(series, digest_bytes(raw))

    def _credentials(self) -> dict[str, str]:
        """Read each time, so that a new token needs no restart."""
        if self._token_file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"}
        except (OSError, ValueError) as error:
            raise self._misconfigured("", f"token file {str(self._token_file)!r}: {type(error).__name__}") from None

    def _misconfigured(self, query: str, what: str) -> Unknown:
        """It will not mend itself: somebody has to be told."""
        _log.warning("Prometheus at %s, query %r: %s", self._url, query, what)
        return Unknown("query_error")


def _series(data: _Matrix | _Vector | _Scalar) -> tuple[Series, ...]:
    if isinstance(data, _Scalar):
        return (Series.of({}, [data.result]),)
    if isinstance(data, _Vector):
        return tuple(Series.of(one.metric, [one.value]) for one in data.result)
    return tuple(Series.of(one.metric, one.values) for one in data.result)

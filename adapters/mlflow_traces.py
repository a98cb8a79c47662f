"""Traces of an MLflow server with their assessments, read page by page (REST of MLflow 3.17, sources.md §6)."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import count
from typing import Annotated, Literal, NamedTuple

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, StringConstraints, ValidationError

from adapters.intake import microseconds
from adapters.source_settings import MlflowSettings
from countermand.canonical import digest_bytes

_SEARCH = "/api/3.0/mlflow/traces/search"

#: Metadata that MLflow's own judges leave with a label: the version of the judge and a digest of its definition.
_DEFINITION = ("mlflow.assessment.scorerVersion", "mlflow.assessment.scorerDigest")

Reason = Literal["query_error", "unreachable"]
Judge = tuple[str, ...]


class NoAnswer(Exception):
    """The server could not be read; `reason` is one of sources.md §2. Never holds a token, a header or a body."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


class _Part(BaseModel):
    """Part of an answer. The server leaves out what is empty, and newer ones may send more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Labeller(_Part):
    """Who labelled: HUMAN, LLM_JUDGE or CODE, and which of them."""

    source_type: str = ""
    source_id: str = ""


class Feedback(_Part):
    """The label itself; None when the judge failed."""

    value: JsonValue = None


class Assessment(_Part):
    """One label of a trace. Without `feedback` it says what was expected, not how it was; `valid` is false once
    another label has replaced it."""

    assessment_name: str
    source: Labeller = Labeller()
    feedback: Feedback | None = None
    metadata: dict[str, str] = {}
    valid: bool | None = None

    @property
    def judge(self) -> Judge:
        """Which judge in which version; people are not told apart (SRC-25)."""
        if self.source.source_type == "HUMAN":
            return ("HUMAN",)
        return (self.source.source_id, *(self.metadata.get(name, "") for name in _DEFINITION))


class Trace(_Part):
    """One served output."""

    trace_id: Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$")]
    request_time: AwareDatetime
    tags: dict[str, str] = {}
    assessments: tuple[Assessment, ...] = ()


class _Page(_Part):
    traces: tuple[Trace, ...] = ()
    next_page_token: str = ""


class Found(NamedTuple):
    """Traces in the order of their request time, each once, and the digests of the pages they came from."""

    traces: tuple[Trace, ...]
    pages: tuple[str, ...]


class MlflowTraces:
    """A pooled client of one server. Follows no redirects and knows no address but that of the settings (SRC-5)."""

    def __init__(self, settings: MlflowSettings, transport: httpx.AsyncBaseTransport | None) -> None:
        token = settings.token_file.read_text().strip() if settings.token_file else None
        self._settings = settings
        self._client = httpx.AsyncClient(
            base_url=settings.url,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            timeout=settings.time_limit.total_seconds(),
            transport=transport,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def between(self, start: datetime, end: datetime) -> Found:
        """The traces whose request began in [start, end). Raises NoAnswer, at the latest after the time limit."""
        # The server knows milliseconds: what this rounds down too far is cut off below.
        since, until = microseconds(start) // 1000, -(-microseconds(end) // 1000)
        places = [
            {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": number}}
            for number in self._settings.experiments
        ]
        asked = {
            "locations": places,
            "filter": f"trace.timestamp_ms >= {since} AND trace.timestamp_ms < {until}",
            "order_by": ["timestamp_ms ASC"],
            "max_results": self._settings.page_size,
        }
        # A trace that is written while pages are read moves others to the next page: by id they count once.
        traces: dict[str, Trace] = {}
        pages: list[str] = []
        token = ""
        limit = self._settings.time_limit.total_seconds()
        try:
            async with asyncio.timeout(limit):
                while token or not pages:
                    page, digest = await self._page({**asked, "page_token": token} if token else asked)
                    traces |= {trace.trace_id: trace for trace in page.traces if start <= trace.request_time < end}
                    pages.append(digest)
                    token = page.next_page_token
        except TimeoutError:
            raise NoAnswer("unreachable", f"no full answer within {limit:g} s, {len(pages)} pages were read") from None
        return Found(tuple(sorted(traces.values(), key=lambda trace: trace.request_time)), tuple(pages))

    async def _page(self, asked: dict[str, object]) -> tuple[_Page, str]:
        """A page and its digest; asked for again while the server is down or too busy."""
        for attempt in count():
            try:
                response = await self._client.post(_SEARCH, json=asked)
            except httpx.RequestError:
                status = 503
            else:
                status = response.status_code
            if status == 200:
                break
            if status < 500 and status != 429:
                raise NoAnswer("query_error", f"POST {_SEARCH} was answered {status}")
            await asyncio.sleep(min(0.25 * 2**attempt, 2))
        try:
            return _Page.model_validate_json(response.content), digest_bytes(response.content)
        except ValidationError as error:
            places = {
                ".".join(map(str, found["loc"])) for found in error.errors(include_url=False, include_input=False)
            }
            raise NoAnswer("query_error", f"a page is not what was expected at {sorted(places)[:3]!r}") from None

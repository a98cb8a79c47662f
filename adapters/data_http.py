"""A service that checks ask by HTTP GET, and the values within its JSON answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx

from adapters.data_settings import HttpSettings
from countermand.plan.integrity_answer import Answer, Cell, Question, Unanswered, cell
from countermand.playbook.data_questions import Get

Keep = Callable[[bytes, str], Awaitable[str]]

#: A compressed answer of a few kilobytes unpacks to gigabytes before its limit could be looked at.
_PLAIN = {"Accept-Encoding": "identity"}


class HttpDataSource:
    """Implements DataSource over one base address: no redirects, no proxy settings, and no other address."""

    def __init__(self, settings: HttpSettings, keep: Keep) -> None:
        self._settings = settings
        self._keep = keep

    async def ask(self, question: Question, within: timedelta) -> Answer:
        if question.get is None:
            raise Unanswered("the source speaks HTTP and the check asks it by `query`; write `get`.")
        limit = min(self._settings.time_limit, within)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                raw = await self._get(question.get.path, dict(question.values))
        except TimeoutError:
            raise Unanswered(f"the source gave no answer within {limit.total_seconds():g} s.") from None
        sha256 = await self._keep(raw, "application/json")
        columns, rows = _table(_parsed(raw), question.get)
        if len(rows) > self._settings.max_rows:
            raise Unanswered(f"the answer has more than {self._settings.max_rows:,} rows, its limit in the settings.")
        return Answer(columns=columns, rows=rows, raw_sha256=sha256)

    async def _get(self, path: str, parameters: dict[str, str]) -> bytes:
        body = bytearray()
        # Causes are cut off (`from None`): httpx errors hold the request with its headers.
        try:
            async with (
                httpx.AsyncClient(base_url=self._settings.url, timeout=None, trust_env=False) as client,  # noqa: S113
                client.stream("GET", path, params=parameters, headers=_PLAIN | self._credentials()) as response,
            ):
                if response.status_code != 200:
                    raise Unanswered(f"the source answered {response.status_code}; only 200 is an answer.")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise Unanswered("the source answered compressed; only plain answers are read, to know their size.")
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > self._settings.max_bytes:
                        most = self._settings.max_bytes
                        raise Unanswered(f"the answer has more than {most:,} bytes, its limit in the settings.")
        except httpx.HTTPError as error:
            raise Unanswered(f"the source cannot be read: {type(error).__name__}.") from None
        return bytes(body)

    def _credentials(self) -> dict[str, str]:
        """Read each time, so that a new token needs no restart."""
        file = self._settings.token_file
        if file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {file.read_text(encoding='ascii').strip()}"}
        except (OSError, ValueError) as error:
            raise Unanswered(f"the token file {str(file)!r} cannot be read: {type(error).__name__}.") from None


def _parsed(raw: bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(raw, parse_float=Decimal, parse_constant=refuse)
    except (ValueError, RecursionError, ArithmeticError):
        raise Unanswered("the answer is not JSON.") from None


def _table(document: Any, get: Get) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows of an answer. Raises Unanswered where the answer lacks what is asked for."""
    found = _at(document, get.rows)
    items = found if isinstance(found, list) else [found]
    rows = [_row(item, get) for item in items]
    columns = tuple(rows[0]) if rows else tuple(get.values)
    if any(tuple(row) != columns for row in rows):
        raise Unanswered("the rows of the answer do not all have the same members.")
    return columns, tuple(tuple(row.values()) for row in rows)


def _row(item: Any, get: Get) -> dict[str, Cell]:
    if get.values:
        return {name: cell(_at(item, pointer)) for name, pointer in get.values.items()}
    if isinstance(item, dict):
        return {name: cell(item[name]) for name in sorted(item)}
    return {"value": cell(item)}


def _at(document: Any, pointer: str) -> Any:
    """The value at a JSON Pointer (RFC 6901)."""
    here = document
    for token in pointer.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        match here:
            case dict() if key in here:
                here = here[key]
            case list() if key.isdecimal() and int(key) < len(here):
                here = here[int(key)]
            case _:
                raise Unanswered(f"the answer holds nothing at {pointer!r}.")
    return here

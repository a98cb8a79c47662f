"""Sealed rows over the API: the bytes that were judged, what was said of them then, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from console import api_watch
from countermand.detection.models import Row
from tests import cases
from tests.console.conftest import Served
from tests.console.world import RELEASE, Story

PATH = f"/api/v1/releases/{RELEASE}/rows"


@pytest.fixture
async def served(serve: Callable[..., Awaitable[Served]]) -> Served:
    return await serve(Story.asked)


@pytest.fixture
async def api(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    issued = await served.world.deps.accounts.issue_person_token(cases.MARIA)
    headers = {"Authorization": f"Bearer {issued.token}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


async def of(api: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.get(PATH, params=query)).raise_for_status().json()
    return answer


async def test_rows_are_those_that_were_sealed_with_what_was_said_then(served: Served, api: httpx.AsyncClient) -> None:
    items = (await of(api))["items"]
    stored = await served.world.deps.signals.rows(RELEASE)
    assert [Row.model_validate(item["row"]).digest for item in items] == [row.digest for row in stored]
    judged = dict(await served.world.deps.signals.evaluations(RELEASE))
    assert [item["judged"] for item in items] == [judged.get(row.seq) for row in stored]
    assert items[-1]["judged"]["word"] == "trigger"


async def test_they_come_page_by_page_until_there_is_none(
    api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = (await of(api))["items"]
    monkeypatch.setattr(api_watch, "PER_PAGE", 7)
    found, after = [], -1
    while after is not None:
        page = await of(api, after=after)
        assert len(page["items"]) <= 7
        found += page["items"]
        after = page["next_after"]
    assert found == every


async def test_only_blocks_that_begin_in_the_time_asked_for(api: httpx.AsyncClient) -> None:
    every = (await of(api))["items"]
    first, last = every[3]["row"]["start"], every[8]["row"]["start"]
    assert (await of(api, **{"from": first, "to": last}))["items"] == every[3:8]
    assert (await of(api, **{"from": last, "to": first}))["items"] == []
    assert (await of(api, **{"from": "2001-01-01T00:00:00Z"}))["items"] == every
    assert (await of(api, **{"to": "2001-01-01T00:00:00Z"}))["items"] == []
    assert (await of(api, **{"from": "2101-01-01T00:00:00Z"}))["items"] == []


async def test_an_unknown_release_and_a_time_without_zone_are_refused(api: httpx.AsyncClient) -> None:
    unknown = await api.get("/api/v1/releases/nobody/rows")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_release")
    assert (await api.get(PATH, params={"from": "2026-01-01T00:00:00"})).status_code == 422


async def test_nobody_reads_them_unseen(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as stranger:
        assert (await stranger.get(PATH)).status_code == 401

"""The Temporal UI shows content to people with an operating role, and to nobody else (T14)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Payload, Payloads

from console.auth import COOKIE
from console.codec import MAX_BODY, MAX_PAYLOADS
from tests import cases
from tests.console.conftest import Served
from tests.console.world import Story
from tests.payloads import codec

CANARY = "the answer about the dose is wrong"
UI = "http://127.0.0.1:8233"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(CANARY).encode())


@pytest.fixture
async def served(serve: Callable[..., Awaitable[Served]]) -> Served:
    return await serve(Story.asked)


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=served.url, headers={"Origin": UI}, trust_env=False, timeout=60) as client:
        yield client


async def as_person(served: Served, http: httpx.AsyncClient, subject: str = cases.JONAS) -> None:
    http.cookies.set(COOKIE, await served.world.deps.accounts.start_session(subject))


async def sealed(*key_ids: str) -> dict[str, Any]:
    return MessageToDict(Payloads(payloads=await codec(*key_ids).encode([PLAIN])))


def words(answer: httpx.Response) -> list[Any]:
    return [json.loads(base64.b64decode(one["data"])) for one in answer.json()["payloads"]]


async def test_a_signed_in_operator_reads_the_payload_and_the_log_says_who_and_how_many(
    served: Served, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await as_person(served, http)
    with caplog.at_level(logging.INFO, "console.codec"):
        answer = await http.post("/codec/decode", json=await sealed())
    assert words(answer) == [CANARY]
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert f"codec: {cases.JONAS} read 1 payloads, 0 of them unreadable" in caplog.messages
    assert CANARY not in caplog.text


async def test_without_a_session_nothing_is_read(http: httpx.AsyncClient) -> None:
    answer = await http.post("/codec/decode", json=await sealed())
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, UI)
    assert "Sign in at" in answer.json()["message"]
    bearer = await http.post("/codec/decode", json=await sealed(), headers={"Authorization": "Bearer x"})
    assert bearer.status_code == 401


@pytest.mark.parametrize(
    "origin", ["http://127.0.0.1:8234", "http://evil.example", "null", "http://127.0.0.1:8233.evil"]
)
async def test_a_page_of_another_origin_gets_nothing_though_the_person_is_signed_in(
    served: Served, http: httpx.AsyncClient, origin: str
) -> None:
    await as_person(served, http)
    answer = await http.post("/codec/decode", json=await sealed(), headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    asked = await http.options("/codec/decode", headers={"Origin": origin})
    assert asked.status_code == 403


async def test_a_request_without_an_origin_is_no_page_of_the_ui(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as bare:
        await as_person(served, bare)
        assert (await bare.post("/codec/decode", json=await sealed())).status_code == 403


async def test_a_person_without_an_operating_role_gets_nothing(served: Served, http: httpx.AsyncClient) -> None:
    people = [one.model_dump(mode="json") for one in cases.governance().people]
    lena = {"subject": cases.LENA, "name": "Lena Ortiz", "roles": ["platform_admin"]}
    served.world.story.people.governance = cases.governance(people=[*people[:3], lena])
    await as_person(served, http, cases.LENA)
    answer = await http.post("/codec/decode", json=await sealed())
    assert answer.status_code == 403
    assert "incident_commander" in answer.json()["message"]


async def test_one_payload_that_cannot_be_read_is_named_and_the_others_are_read(
    served: Served, http: httpx.AsyncClient
) -> None:
    await as_person(served, http)
    both = {"payloads": [*(await sealed("0009-00000000000000aa"))["payloads"], *(await sealed())["payloads"]]}
    first, second = words(await http.post("/codec/decode", json=both))
    assert "'0009-00000000000000aa' is not here" in first
    assert second == CANARY


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"payloads": "all"}', 400),
        (b'{"payload": []}', 400),
        (b"\xff", 400),
        (b'{"payloads": [' + b",".join([b"{}"] * (MAX_PAYLOADS + 1)) + b"]}", 413),
        (b" " * (MAX_BODY + 1), 413),
    ],
)
async def test_what_is_no_list_of_payloads_or_too_long_is_refused(
    served: Served, http: httpx.AsyncClient, body: bytes, status: int
) -> None:
    await as_person(served, http)
    assert (await http.post("/codec/decode", content=body)).status_code == status


async def test_the_browser_may_ask_with_the_headers_that_the_ui_sends(http: httpx.AsyncClient) -> None:
    asked = await http.options("/codec/decode", headers={"Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-headers"] == "content-type, x-namespace"


async def test_a_worker_with_another_payload_key_is_named_by_the_doctor(
    served: Served, http: httpx.AsyncClient
) -> None:
    async def check() -> dict[str, Any]:
        checks = (await http.get("/readyz")).json()["checks"]
        return next(one for one in checks if one["name"] == "payload keys")

    served.world.workflows.polling = [f"12@host payload-key:{served.world.deps.codec.key_id}"]
    assert (await check())["ok"] is True
    served.world.workflows.polling.append("13@other payload-key:0002-ffffffffffffffff")
    found = await check()
    assert found["ok"] is False
    assert "13@other 0002-ffffffffffffffff" in found["sentence"]

"""A wrong message is put right by people with the role, once, and the order stands in the Ledger before it starts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import httpx
import pytest

from countermand.ledger.bodies import CommsSent
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Served
from tests.console.world import INCIDENT, PASSWORD, RELEASE, FakeWorkflows, Story

Serve = Callable[..., Awaitable[Served]]
Call = Callable[..., Awaitable[httpx.Response]]

WHY = "The number was of last week."


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve(Story.opened)


@pytest.fixture
async def call(served: Served) -> AsyncIterator[Call]:
    """`call(subject, key, order, id)`: the answer to an order of that person."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60))

        async def order(subject: str, key: str, order: dict[str, Any], name: str = "c-1") -> httpx.Response:
            account = {"subject": subject, "password": PASSWORD}
            token = (await http.post("/api/v1/login", json=account)).raise_for_status().json()["token"]
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": name}
            return await http.post(f"/api/v1/messages/{key}/corrections", json=order, headers=headers)

        yield order


async def a_message(served: Served) -> str:
    """Recorded as the worker does it."""
    key = f"{INCIDENT}/incident_opened/opened/customer"
    sent = CommsSent(
        step="incident_opened", audience="customer", key=key, subject="Incident opened", text_sha256="sha256:t",
        channel="status_page", facts_sha256="sha256:f",
    )  # fmt: skip
    entry = sent.entry(f"comms/{key}", "worker", incident_id=INCIDENT, release_id=RELEASE)
    await served.world.deps.ledger.append(entry)
    return key


async def orders(served: Served) -> list[dict[str, Any]]:
    records = await served.world.deps.ledger.records(incident_id=INCIDENT, kinds=[Kind.comms_corrected])
    return [record.body for record in records]


def started(served: Served) -> list[str]:
    return cast(FakeWorkflows, served.world.deps.workflows).corrections


async def test_an_incident_commander_corrects_a_message_and_a_repetition_counts_once(
    served: Served, call: Call
) -> None:
    key = await a_message(served)
    answers = [await call(cases.JONAS, key, {"what": "About 40 users.", "why": WHY}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["message"] == f"{key}/correction/c-1"
    (order,) = await orders(served)
    assert (order["key"], order["what"], order["why"], order["by"]) == (key, "About 40 users.", WHY, cases.JONAS)
    assert set(started(served)) == {"c-1"}


async def test_a_message_is_withdrawn_without_anything_in_its_place(served: Served, call: Call) -> None:
    assert (await call(cases.JONAS, await a_message(served), {"why": WHY})).status_code == 200
    assert [order["what"] for order in await orders(served)] == [None]


async def test_without_the_role_nothing_is_sent_and_the_refusal_is_recorded_once(served: Served, call: Call) -> None:
    key = await a_message(served)
    for number in range(3):
        answer = await call(cases.MARIA, key, {"why": WHY}, f"c-{number}")
        assert (answer.status_code, answer.json()["code"]) == (403, "not_your_role")
        assert "incident_commander or comms_lead" in answer.json()["detail"]
    assert await orders(served) == started(served) == []
    refused = await served.world.deps.ledger.records(kinds=[Kind.decision_refused])
    assert [record.body["decision_kind"] for record in refused] == ["correct_message"]


@pytest.mark.parametrize(
    ("key", "order", "status"),
    [
        ("no/such/message", {"why": WHY}, 404),
        (None, {"why": "oops"}, 422),
        (None, {"why": "          "}, 422),
        (None, {"what": "", "why": WHY}, 422),
        (None, {"why": WHY, "audience": "customer"}, 422),
        (None, {"what": "x" * 2_001, "why": WHY}, 422),
    ],
)
async def test_an_order_that_cannot_be_carried_out_changes_nothing(
    key: str | None, order: dict[str, Any], status: int, served: Served, call: Call
) -> None:
    answer = await call(cases.JONAS, key or await a_message(served), order)
    assert answer.status_code == status
    assert await orders(served) == started(served) == []


async def test_an_id_that_was_used_for_another_order_is_refused(served: Served, call: Call) -> None:
    key = await a_message(served)
    await call(cases.JONAS, key, {"why": WHY})
    answer = await call(cases.JONAS, key, {"why": "Something else was wrong."})
    assert (answer.status_code, answer.json()["code"]) == (409, "stale")
    assert len(await orders(served)) == 1


async def test_while_the_service_is_away_the_same_order_can_be_sent_again(served: Served, call: Call) -> None:
    workflows = cast(FakeWorkflows, served.world.deps.workflows)
    workflows.dark = True
    answer = await call(cases.JONAS, await a_message(served), {"why": WHY})
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
    workflows.dark = False
    assert (await call(cases.JONAS, await a_message(served), {"why": WHY})).status_code == 200
    assert len(await orders(served)) == 1
    assert started(served) == ["c-1"]

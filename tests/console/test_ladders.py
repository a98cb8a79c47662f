"""An overdue rung is an alarm, and no reason to take the console away (GOV-26)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from countermand.ledger.bodies import AskRung
from tests.console.conftest import Served
from tests.console.world import INCIDENT, Story

Serve = Callable[..., Awaitable[Served]]


async def readiness(served: Served) -> tuple[int, dict[str, Any]]:
    """(status, the check of the ladders) as `/readyz` answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        answer = await http.get(f"{served.url}/readyz")
    body = answer.json()
    assert body["ready"] is True, body
    return answer.status_code, next(check for check in body["checks"] if check["name"] == "ladders")


async def test_a_reminder_that_was_due_and_left_no_record_shows_and_the_console_stays_ready(serve: Serve) -> None:
    served = await serve(Story.asked)
    status, check = await readiness(served)
    assert status == 200
    assert check["ok"] is False
    assert f"rung 1 of {INCIDENT}-ask-1 was due at" in check["sentence"]


async def test_with_its_record_there_is_nothing_to_report(serve: Serve) -> None:
    served = await serve(Story.asked)
    await served.world.story.note(AskRung(ask_id=f"{INCIDENT}-ask-1", rung=1, do="remind", to=("safety_lead",)))
    assert (await readiness(served))[1]["ok"] is True


async def test_a_closed_request_and_a_console_without_incidents_owe_nothing(serve: Serve) -> None:
    assert (await readiness(await serve(Story.registered)))[1]["ok"] is True
    assert (await readiness(await serve(Story.reverted)))[1]["ok"] is True

"""A rehearsal with two real people over HTTP, from their first sign-in to the stop word (LRN-19, LRN-21, LRN-22)."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from adapters.database import utc_now
from countermand.ledger.record import Kind
from countermand.rehearsal.loading import load_with_playbook
from countermand.rehearsal.received import hold
from countermand.rehearsal.scenario import Scenario
from rehearsal.orders import order_of
from rehearsal.with_people import Invited, PeopleStory

ROOT = Path(__file__).resolve().parents[2]


class Human:
    """Somebody with a browser and with the command line."""

    def __init__(self, invited: Invited, person: str) -> None:
        self._subject = f"rehearsal|{person}"
        self._password = invited.passwords[self._subject]
        url = invited.url.replace("localhost", "127.0.0.1")
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=60)

    async def sign_in(self) -> None:
        account = {"subject": self._subject, "password": self._password}
        answer = await self._http.post("/sign-in", data=account)
        assert answer.status_code == 303, answer.text
        answer = await self._http.post("/api/v1/login", json=account)
        self._http.headers["Authorization"] = f"Bearer {answer.json()['token']}"

    async def reads(self, path: str) -> str:
        return (await self._http.get(path)).text

    async def asked(self) -> str:
        """The id of the request that waits for somebody, once there is one."""
        async with asyncio.timeout(90):
            while not (items := (await self._http.get("/api/v1/asks")).json()["items"]):  # noqa: ASYNC110, over HTTP
                await asyncio.sleep(0.2)
        return str(items[0]["ask_id"])

    async def does(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        return await self._http.post(path, json=body)

    async def leave(self) -> None:
        await self._http.aclose()


def quickly(scenario: Scenario, playbook: bytes) -> tuple[Scenario, bytes]:
    """The same story with a harm that nobody has to wait for."""
    first = scenario.world.signals[0].model_copy(update={"group": None, "times": 8})
    world = scenario.world.model_copy(update={"signals": (first,)})
    over = scenario.ends_when.model_copy(update={"after": timedelta(hours=8)})
    return scenario.model_copy(update={"world": world, "ends_when": over}), playbook


async def test_two_people_decide_over_http_and_the_stop_word_ends_everything_within_five_seconds(
    tmp_path: Path,
) -> None:
    scenario, playbook = quickly(*load_with_playbook(ROOT / "rehearsals/injection-campaign.yaml"))
    told: list[str] = []
    story = PeopleStory(scenario, playbook, tmp_path / "data", told.append, time_scale=120)
    roles = frozenset(scenario.roles)
    playing = asyncio.create_task(story.play())
    try:
        await asyncio.wait({playing, asyncio.ensure_future(story.invited)}, return_when=asyncio.FIRST_COMPLETED)
        invited = story.invited.result()
        assert set(invited.passwords) == {f"rehearsal|{who}" for who in (*scenario.persons, scenario.requester)}
        ines, sam = Human(invited, "ines"), Human(invited, "sam")
        await asyncio.gather(ines.sign_in(), sam.sign_in())

        ask = await ines.asked()
        await story.obey(order_of("inject The press is on the phone to safety_lead", roles))
        assert "The press is on the phone" in await sam.reads("/")
        assert "The press is on the phone" not in await ines.reads("/rehearsal/strip")
        page = await ines.reads("/")
        assert "REHEARSAL" in page

        assert "anew" in await story.obey(order_of("kill-worker", roles))
        assert (await ines.does(f"/api/v1/asks/{ask}/acknowledgement")).is_success
        await story.pause("REAL INCIDENT in production: inc-7")
        assert "REAL INCIDENT in production: inc-7" in await ines.reads("/rehearsal/strip")
        assert "REAL INCIDENT" in await sam.reads("/")
        await story.obey(order_of("resume", roles))
        assert "REAL INCIDENT" not in await sam.reads("/rehearsal/strip")
        card = json.loads(await sam.reads(f"/api/v1/asks/{ask}"))["card"]
        vote = {"kind": "reject", "approval_digest": card["approval_digest"], "reason": "The release is not the cause."}
        answer = await sam.does(f"/api/v1/asks/{ask}/decisions", vote)
        assert answer.is_success, answer.text
    finally:
        began = time.monotonic()
        await story.obey(order_of("stop", roles))
        run = await asyncio.wait_for(playing, 30)
        took = time.monotonic() - began
    await asyncio.gather(ines.leave(), sam.leave())
    assert took < 5, took
    assert run.mode == "people"
    assert {(act.who, act.kind, act.accepted) for act in run.acts} >= {
        ("ines", "acknowledge", True),
        ("sam", "reject", True),
    }
    assert [one.do for one in run.facilitated] == ["inject", "kill-worker", "pause", "resume", "stop"]
    assert [one.content for one in run.injects if one.number == 0] == ["The press is on the phone"]
    assert any(record.kind is Kind.decision for record in run.records)
    hold(run, scenario, playbook, utc_now() + timedelta(seconds=1))

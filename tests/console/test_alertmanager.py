"""A real Alertmanager posts to a real console: nothing is lost, nothing is counted twice (sources.md §5, §10)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.database import utc_now
from countermand.canonical import instant
from tests.console.alertmanager_server import (
    Door,
    a_door,
    a_free_port,
    an_alert,
    an_alertmanager,
    needs_alertmanager,
    over,
)
from tests.console.world import RELEASE, Story, World
from tests.waiting import until

pytestmark = needs_alertmanager

Tell = Callable[..., Awaitable[World]]


@pytest.fixture
async def door(tell: Tell) -> AsyncIterator[Door]:
    async with a_door(await tell(Story.registered)) as opened:
        yield opened


async def states(door: Door) -> list[str]:
    """The status of every alert that is stored, oldest start first."""
    items = (await door.alerts())["items"]
    return [item["status"] for item in sorted(items, key=lambda item: str(item["starts_at"]))]


def shows(door: Door, *wanted: str) -> Callable[[], Awaitable[bool]]:
    async def shown() -> bool:
        return await states(door) == list(wanted)

    return shown


async def test_an_alert_that_fires_ends_and_fires_again_is_two_alerts_however_often_it_is_repeated(
    door: Door, tmp_path: Path
) -> None:
    async with an_alertmanager(tmp_path / "am", door) as alertmanager:
        first = an_alert()
        await alertmanager.say(first)
        await until(shows(door, "firing"), "stored")
        await alertmanager.say(over(first))
        await until(shows(door, "resolved"), "stored")
        await alertmanager.say(an_alert())
        await until(shows(door, "resolved", "firing"), "stored")
        sent = len(door.statuses)

        async def repeated() -> bool:
            return len(door.statuses) >= sent + 2

        await until(repeated, "repeated")
    items = (await door.alerts(release_id=RELEASE))["items"]
    assert sorted(item["status"] for item in items) == ["firing", "resolved"]
    assert {tuple(item["releases"]) for item in items} == {(RELEASE,)}
    assert set(door.statuses) == {202}


async def test_a_group_that_grows_sends_the_old_alerts_again_and_only_the_new_one_is_new(
    door: Door, tmp_path: Path
) -> None:
    async with an_alertmanager(tmp_path / "am", door) as alertmanager:
        await alertmanager.say(an_alert(pod="a"))
        await until(shows(door, "firing"), "stored")
        await alertmanager.say(an_alert(pod="b"))
        await until(shows(door, "firing", "firing"), "stored")
    whole = [body for body in door.bodies if body]  # a sender that gives up early has sent none
    assert max(len(body["alerts"]) for body in whole) == 2, "the old alert came again with the new one"


async def test_two_alertmanagers_with_the_same_alert_store_it_once(door: Door, tmp_path: Path) -> None:
    async with an_alertmanager(tmp_path / "a", door) as one, an_alertmanager(tmp_path / "b", door) as other:
        alert = an_alert()
        await one.say(alert)
        await other.say(alert)

        async def both_sent() -> bool:
            return len({body["externalURL"] for body in door.bodies if body}) == 2

        await until(both_sent, "both sent")
        assert await states(door) == ["firing"]
        await one.say(over(alert))
        await other.say(over(alert))
        await until(shows(door, "resolved"), "stored")


async def test_alerts_that_fire_while_the_console_is_down_all_arrive_once_it_is_back(
    door: Door, tmp_path: Path
) -> None:
    async with an_alertmanager(tmp_path / "am", door) as alertmanager:
        await door.shut()
        await alertmanager.say(*(an_alert(f"Alert{n}", pod=str(n)) for n in range(30)))
        await asyncio.sleep(3)
        assert door.statuses == []
        await door.open()
        await until(shows(door, *["firing"] * 30), "stored", within=15)
    names = [item["name"] for item in (await door.alerts())["items"]]
    assert sorted(names) == sorted(f"Alert{n}" for n in range(30))


async def test_503_is_tried_again_at_once_and_4xx_not_before_the_next_interval(door: Door, tmp_path: Path) -> None:
    async with an_alertmanager(tmp_path / "am", door, group_interval="4s") as alertmanager:
        door.instead = 503
        await alertmanager.say(an_alert("Unavailable"))
        await asyncio.sleep(2.5)
        assert len(door.statuses) >= 2, "a 5xx is retried within the same interval"
        door.instead = None
        await until(shows(door, "firing"), "stored", within=6)

        door.statuses.clear()
        door.bodies.clear()
        door.instead = 429
        await alertmanager.say(an_alert("Refused"))
        begun = time.monotonic()

        async def refused() -> int:
            return sum(body["groupLabels"] == {"alertname": "Refused"} for body in door.bodies)

        await asyncio.sleep(2.5)
        assert await refused() == 1, "a 4xx is not retried"
        door.instead = None
        await until(shows(door, "firing", "firing"), "stored", within=6)
        assert time.monotonic() - begun > 3.5, "what was refused came again only with the next interval"


async def test_what_a_message_leaves_out_is_read_from_the_alertmanager(tell: Tell, tmp_path: Path) -> None:
    port = a_free_port()
    async with (
        a_door(await tell(Story.registered), url=f"http://127.0.0.1:{port}") as door,
        an_alertmanager(tmp_path / "am", door, port=port, max_alerts=5) as alertmanager,
    ):
        await alertmanager.say(*(an_alert(pod=str(n)) for n in range(10)), an_alert("Other"))
        await until(shows(door, *["firing"] * 11), "stored")
        assert {body["truncatedAlerts"] for body in door.bodies} == {0, 5}
        assert (await door.alerts())["sources"][0]["partial"] is None
        repetitions = len(door.bodies)

        async def repeated() -> bool:
            return len(door.bodies) >= repetitions + 2

        await until(repeated, "repeated")
        assert len(await states(door)) == 11, "an alert is the same whether it was sent or read"


async def test_without_the_address_a_message_that_leaves_alerts_out_makes_the_source_partial(
    door: Door, tmp_path: Path
) -> None:
    async with an_alertmanager(tmp_path / "am", door, max_alerts=5) as alertmanager:
        await alertmanager.say(*(an_alert(pod=str(n)) for n in range(10)))
        await until(shows(door, *["firing"] * 5), "stored")
    assert "5 alerts were left out" in (await door.alerts())["sources"][0]["partial"]


def a_silence(*matchers: tuple[str, str]) -> dict[str, Any]:
    return {
        "matchers": [{"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in matchers],
        "startsAt": instant(utc_now()),
        "endsAt": instant(utc_now() + timedelta(minutes=5)),
        "createdBy": "<!channel>",
        "comment": "deploying\u202e",
    }


async def test_a_silence_that_swallows_alerts_of_a_watched_release_is_shown(tell: Tell, tmp_path: Path) -> None:
    port = a_free_port()
    async with a_door(await tell(Story.registered), url=f"http://127.0.0.1:{port}") as door:
        async with an_alertmanager(tmp_path / "am", door, port=port) as alertmanager:
            await alertmanager.post("/api/v2/silences", a_silence(("version", "support-assistant v6")))
            await alertmanager.post("/api/v2/silences", a_silence(("team", "payments")))
            assert (await door.alerts())["silences"] == []
            await alertmanager.post("/api/v2/silences", a_silence(("version", "support-assistant v7"), ("team", "x")))
            await alertmanager.say(an_alert(version="support-assistant v7", team="x"), an_alert("Heard"))
            await until(shows(door, "firing"), "stored")
            answer = await door.alerts()
        assert [item["name"] for item in answer["items"]] == ["Heard"], "the silenced alert never came"
        (shown,) = answer["silences"]
        assert sorted(shown["matchers"]) == ["team='x'", "version='support-assistant v7'"]
        assert (shown["release_id"], shown["source"]) == (RELEASE, "pager")
        assert answer["sources"][0]["silences"] == "read"
        gone = await door.alerts()
        assert gone["silences"] == []
        assert gone["sources"][0]["silences"].startswith("unknown: GET /api/v2/silences had no answer")

"""A sandbox again and again, over the console: who may have it, what is refused, and what people read about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect

from countermand.ledger.bodies import RolloutSkipped
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.test_rollouts import call, planned_in
from tests.console.world import RELEASE, Story, playbook_bytes, release

PATH = "/rollout/schedule"
DAILY = {"every": "24h"}


@pytest.fixture
async def served(serve: Callable[..., Awaitable[Served]]) -> Served:
    return await serve(Story.registered)


async def put(served: Served, who: str = cases.LENA) -> httpx.Response:
    return await call(served, who, "PUT", PATH, DAILY)


async def recorded(served: Served) -> list[tuple[str, object]]:
    records = await served.world.deps.ledger.records(release_id=RELEASE, kinds=[Kind.rollout_scheduled])
    return [(record.actor, record.body["every"]) for record in records]


async def test_whoever_may_begin_a_rollout_schedules_one_and_ends_that_and_the_record_says_who(served: Served) -> None:
    answer = await put(served)
    assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
    assert "every 1d from now on, as Lena Ortiz wants" in answer.json()["sentence"]
    assert served.world.workflows.scheduled == timedelta(days=1)
    ended = await call(served, cases.JONAS, "DELETE", PATH)
    assert "as Jonas" in ended.json()["sentence"]
    assert served.world.workflows.scheduled is None
    again = await call(served, cases.JONAS, "DELETE", PATH)
    assert "there was none" in again.json()["sentence"]
    assert await recorded(served) == [(cases.LENA, "1d"), (cases.JONAS, None)]


async def test_whoever_may_not_begin_a_rollout_neither_schedules_one_nor_ends_that(served: Served) -> None:
    served.world.deps.people.governance = cases.governance(
        people=[
            person.model_dump(mode="json") | ({"roles": ["executive"]} if person.subject == cases.LENA else {})
            for person in cases.governance().people
        ]
    )
    for method, body in (("PUT", DAILY), ("DELETE", None)):
        refused = await call(served, cases.LENA, method, PATH, body)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_role")
    assert await recorded(served) == []


@pytest.mark.parametrize("every", ["0s", "1ms", "59m", "400d", "often"])
async def test_an_interval_that_nobody_can_mean_is_refused_with_what_is_accepted(served: Served, every: str) -> None:
    refused = await call(served, cases.LENA, "PUT", PATH, {"every": every})
    assert (refused.status_code, refused.json()["code"]) == (422, "schema")
    assert f"'{every}'" in refused.json()["detail"]
    assert "write 1h to 30d" in refused.json()["detail"] or "write a whole number" in refused.json()["detail"]
    assert await recorded(served) == []


async def test_a_closed_release_gets_no_schedule(served: Served) -> None:
    deps = served.world.deps
    await deps.catalogue.close_release(RELEASE, deps.clock(), "it serves everybody")
    refused = await put(served)
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert "this release is closed: it serves everybody" in refused.json()["detail"]


async def test_a_playbook_that_wants_a_person_for_every_sandbox_gets_no_schedule(served: Served) -> None:
    catalogue = served.world.deps.catalogue
    digest = await catalogue.put_playbook(playbook_bytes().replace(b"without_asking: true", b"without_asking: false"))
    asking = release().model_copy(update={"release_id": f"{RELEASE}b", "playbook_digest": digest})
    await catalogue.put_release(asking, served.world.deps.clock())
    refused = await call(served, cases.LENA, "PUT", f"b{PATH}", DAILY)
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_state")
    assert "lets no sandbox start without a person" in refused.json()["detail"]
    assert served.world.workflows.scheduled is None


async def test_a_service_that_does_not_answer_schedules_nothing_and_records_nothing(served: Served) -> None:
    served.world.workflows.dark = True
    assert (await put(served)).status_code == 503
    assert await recorded(served) == []


async def test_the_newest_rollout_comes_with_its_schedule_and_why_the_last_start_was_left_out(served: Served) -> None:
    await put(served)
    none = await call(served, cases.JONAS, "GET", "/rollout")
    assert none.status_code == 404
    assert "A sandbox starts every 1d, as Lena Ortiz wanted" in none.json()["detail"]
    await planned_in(served)
    skipped = RolloutSkipped(rollout_id="rollout-8", sentence="The sandbox was not started: incident inc-1 is open.")
    await served.world.deps.ledger.append(skipped.entry("rollout-8/skipped", "worker", release_id=RELEASE))
    shown = (await call(served, cases.JONAS, "GET", "/rollout")).json()["schedule"]
    assert (shown["every"], shown["by"], shown["next"]) == ("1d", "Lena Ortiz", "2026-11-21T03:14:20.000000Z")
    assert shown["lines"][1].endswith("The sandbox was not started: incident inc-1 is open.")
    served.world.workflows.dark = True
    dark = (await call(served, cases.JONAS, "GET", "/rollout")).json()["schedule"]
    assert dark["next"] is None
    assert "not known now" in dark["lines"][0]


async def test_the_page_of_a_release_says_how_often_a_sandbox_starts_and_when_next(
    served: Served, sign_in: Callable[..., Awaitable[Person]]
) -> None:
    await put(served)
    person = await sign_in(served, cases.LENA)
    await person.open(f"/releases/{RELEASE}")
    rolling = person.page.locator("#rolling")
    await expect(rolling).to_contain_text("A sandbox starts every 1d, as Lena Ortiz wanted")
    await expect(rolling).to_contain_text("Next at 2026-11-21 03:14:20 UTC.")
    await call(served, cases.JONAS, "DELETE", PATH)
    await expect(rolling).not_to_contain_text("A sandbox starts every")

"""Lessons at the console: written, shown with the playbook and the release they fit, answered, used, exported."""

from __future__ import annotations

from typing import Any

from playwright.async_api import expect

from countermand.canonical import digest_bytes
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Served
from tests.console.test_cadence_pages import SignIn
from tests.console.test_versions import Call, call, served
from tests.console.world import RELEASE, playbook_bytes

__all__ = ["call", "served"]
DIGEST = digest_bytes(playbook_bytes())


def lesson(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Thumbs up is not truth",
        "text": "Read a signal of truth beside every signal of approval.",
        "tags": ["context:conversational_agent", "failure:missing_criterion"],
        "source": "rehearsal",
        "about": "sycophancy-drift",
        "share": "public",
    } | changes


async def test_lrn_16_a_playbook_that_ignores_a_lesson_gets_a_warning_until_somebody_answers(
    served: Served, call: Call
) -> None:
    written = (await call(cases.MARIA, "POST", "/lessons", lesson())).json()
    found = (await call(cases.JONAS, "GET", f"/lessons?playbook_digest={DIGEST}")).json()
    assert [one["lesson_id"] for one in found["items"]] == [written["lesson_id"]]
    assert "Thumbs up is not truth" in found["warning"]
    where = f"/lessons/{written['lesson_id']}/answers"
    silent = await call(cases.JONAS, "POST", where, {"place": "playbook", "about": DIGEST, "applies": False})
    assert silent.json()["code"] == "reason_missing"
    body = {"place": "playbook", "about": DIGEST, "applies": True}
    assert (await call(cases.JONAS, "POST", where, body)).status_code == 200
    found = (await call(cases.JONAS, "GET", f"/lessons?playbook_digest={DIGEST}")).json()
    assert (found["warning"], found["items"][0]["seen"][0]["applies"]) == ("", True)
    records = await served.world.deps.ledger.records(kinds=[Kind.lesson_written])
    assert "Thumbs up" not in records[0].line


async def test_one_to_three_lessons_are_written_of_one_thing_that_happened(call: Call) -> None:
    for _ in range(3):
        assert (await call(cases.MARIA, "POST", "/lessons", lesson())).status_code == 200
    assert (await call(cases.MARIA, "POST", "/lessons", lesson())).json()["code"] == "enough"
    unknown = await call(cases.MARIA, "POST", "/lessons", lesson(source="incident", about="inc-none"))
    assert unknown.json()["code"] == "unknown_incident"
    assert (await call(cases.MARIA, "POST", "/lessons", lesson(tags=["family:weather"]))).status_code == 422


async def test_lrn_17_a_lesson_becomes_a_scenario_and_only_some_accept_a_risk(call: Call) -> None:
    name = (await call(cases.MARIA, "POST", "/lessons", lesson())).json()["lesson_id"]
    made = (await call(cases.LENA, "POST", f"/lessons/{name}/uses", {"use": "scenario"})).json()
    assert name in made["text"]
    body = {"use": "accepted_risk", "reason": "It is too rare for us."}
    assert (await call(cases.LENA, "POST", f"/lessons/{name}/uses", body)).json()["code"] == "not_your_role"
    found = (await call(cases.MARIA, "GET", "/lessons")).json()
    assert (found["with_consequence"], found["count"]) == (1, 1)
    files = (await call(cases.MARIA, "GET", "/lessons/export")).json()["files"]
    assert "Maria" not in "".join(files.values())
    assert f"{name}.html" in files


async def test_lessons_are_shown_where_they_fit_and_found_by_their_words(
    served: Served, call: Call, sign_in: SignIn
) -> None:
    await call(cases.MARIA, "POST", "/lessons", lesson())
    jonas = await sign_in(served, cases.JONAS)
    await jonas.open("/lessons?q=approval&tag=")
    await expect(jonas.page.locator("article.card h3")).to_have_text("Thumbs up is not truth")
    await jonas.open(f"/releases/{RELEASE}")
    await jonas.page.locator("#lessons").get_by_role("button", name="It applies here").click()
    await expect(jonas.page.locator("#lessons")).to_contain_text("Jonas Weber says that it applies here")
    await jonas.open(f"/playbooks/{DIGEST}")
    await expect(jonas.page.locator("#lessons")).to_contain_text("nobody said whether it applies")

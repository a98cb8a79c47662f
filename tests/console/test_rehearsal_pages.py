"""Rehearsals in a browser: what was never practised first, every scenario, one run with its report (LRN-23, LRN-24)."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

from adapters.rehearsal_report import render_report
from countermand.canonical import digest_bytes
from countermand.rehearsal.outcome import finished
from countermand.rehearsal.report import markdown
from countermand.rehearsal.score import score
from countermand.rehearsal.trend import Trend
from tests import cases
from tests.console.conftest import Person, Served
from tests.rules.rehearsal import played

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]


async def rehearse(served: Served) -> None:
    """One run with a late decision, recorded as the engine records it."""
    story, book, run = played.scenario(), played.playbook(), played.run(records=played.rejected_after(16))
    judged, since = score(run, story, book), Trend(since=None, changes=(), note="The first run.")
    reports = [markdown(run, story, judged, since), render_report(played.ROOT / "templates", run, story, judged, since)]
    ledger = served.world.story.ledger
    for text, media in zip(reports, ("text/markdown", "text/html"), strict=True):
        await ledger.put_blob(text.encode(), media)
    digests = [digest_bytes(text.encode()) for text in reports]
    body, passed = finished("rehearsal-1", run, story, book, judged, report=digests[0], html=digests[1])
    assert passed is None
    await ledger.append(body.entry("rehearsal-1", "rehearsal"))


async def look(person: Person, name: str) -> None:
    """Keeps what a page looks like where COUNTERMAND_PICTURES names a folder."""
    if folder := os.environ.get("COUNTERMAND_PICTURES"):
        await person.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


async def test_a_person_sees_what_was_never_practised_and_opens_the_report_of_a_run(
    serve: Serve, sign_in: SignIn
) -> None:
    served = await serve()
    await rehearse(served)
    person = await sign_in(served, cases.MARIA)
    await person.open("/rehearsals")
    await look(person, "rehearsals")
    stale = await person.page.locator("#stale").inner_text()
    assert "Branches never: automatic, " in stale
    rows = person.page.locator("#rows article")
    assert await rows.count() == 18
    assert "never run" in await rows.first.inner_text()
    assert "1 failed" in await rows.last.inner_text()
    await rows.last.locator("h2 a").click()
    await look(person, "rehearsal")
    said = await person.page.locator("main").inner_text()
    for words in ("Nothing on this page happened to users", "1 min 00 s too late", "does not count as rehearsed"):
        assert words in said
    assert (await person.page.title()).startswith("REHEARSAL")
    await person.open("/rehearsals/rehearsal-1/report")
    assert await person.page.locator("svg circle").count() > 3


async def test_a_run_that_nobody_recorded_is_said_to_be_unknown(serve: Serve, sign_in: SignIn) -> None:
    person = await sign_in(await serve(), cases.MARIA)
    await person.page.goto(f"{person.served.url}/rehearsals/none")
    assert "This rehearsal is not shown" in await person.page.locator("main").inner_text()

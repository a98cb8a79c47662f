"""An investigation of unfairness in a browser and over the API: what stands there, and who is let through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx

from countermand import ids
from countermand.ledger import bodies as b
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import Story

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

DIGEST = "sha256:" + "2" * 64


async def paused(serve: Serve) -> tuple[Served, str]:
    """An incident that is paused, with numbers of two groups."""
    served = await serve(Story.asked)
    deps = served.world.deps
    (opened,) = await deps.ledger.records(kinds=[b.IncidentOpened.KIND])
    incident_id, now = str(opened.incident_id), deps.clock()
    investigation_id = ids.investigation_id(incident_id, 1)
    slices = b.SlicesMeasured(
        slices=(
            b.Slice(
                signal="wording", group="language=de", arm="candidate", bad=40, scored=770, low_ppm=38_000,
                high_ppm=70_000, enough=True,
            ),
        ),
        lacking=("wording of language=tr with the candidate",), least=100, rows=7, target="v6", sha256=DIGEST,
    )  # fmt: skip
    began = b.InvestigationOpened(
        investigation_id=investigation_id, workflow_id=f"{opened.body['workflow_id']}/investigation",
        because=("trigger wording",), need_roles=("fairness_reviewer",), asked=("Ruth Adeyemi",), opened_at=now,
        until=now + timedelta(hours=4), ends_by=now + timedelta(hours=20), extends_once=True,
        signature_class="step_up", protected=(), digest=DIGEST,
    )  # fmt: skip
    for number, body in enumerate((slices, began)):
        entry = body.entry(
            f"{incident_id}/test/{number}", "worker", incident_id=incident_id, release_id=opened.release_id
        )
        await deps.ledger.append(entry)
    return served, incident_id


async def test_gov_33_the_page_says_who_is_asked_until_when_and_what_is_empty(serve: Serve, sign_in: SignIn) -> None:
    served, incident_id = await paused(serve)
    maria = await sign_in(served, cases.MARIA)
    await maria.page.goto(f"{served.url}/incidents/{incident_id}")
    assert "It is looked into who is served worse" in await maria.page.locator("#pause").inner_text()
    await maria.page.goto(f"{served.url}/incidents/{incident_id}/investigation")
    said = await maria.page.locator("main").inner_text()
    assert "Ruth Adeyemi" in said
    assert "Nobody is taken back" in said
    assert "5.2 % bad (3.8 to 7.0 %, 40 of 770 outputs)" in said
    assert "no data: wording of language=tr with the candidate" in said
    assert "Nobody can decide before the form is complete" in said


async def test_gov_33_the_api_shows_the_form_and_refuses_who_may_not_decide(serve: Serve) -> None:
    served, incident_id = await paused(serve)
    token = (await served.world.deps.accounts.issue_person_token(cases.LENA)).token
    path = f"/api/v1/incidents/{incident_id}/investigation"
    async with httpx.AsyncClient(
        base_url=served.url, trust_env=False, headers={"Authorization": f"Bearer {token}"}
    ) as http:
        shown = (await http.get(path)).json()
        assert (shown["digest"], shown["missing"][0]) == (DIGEST, "groups")
        nothing = await http.get("/api/v1/incidents/inc-none/investigation")
        assert nothing.status_code == 404
        empty = await http.post(f"{path}/form", json={"fields": {}})
        assert empty.status_code == 422


async def test_r88_the_public_summary_says_what_was_found_and_quotes_nobody(serve: Serve) -> None:
    served, incident_id = await paused(serve)
    deps = served.world.deps
    token = (await deps.accounts.issue_person_token(cases.LENA)).token
    path = f"/api/v1/incidents/{incident_id}/investigation/public-summary"
    async with httpx.AsyncClient(
        base_url=served.url, trust_env=False, headers={"Authorization": f"Bearer {token}"}
    ) as http:
        assert (await http.get(path)).status_code == 409
        name = ids.investigation_id(incident_id, 1)
        ended = b.InvestigationEnded(
            investigation_id=name, outcome="continue", sentence="Ruth Adeyemi found: it stays."
        )
        await deps.ledger.append(ended.entry(f"{incident_id}/test/ended", "worker", incident_id=incident_id))
        text = (await http.get(path)).json()["text"]
    assert "It is watched more closely from now on." in text
    assert "40 of 770 outputs" in text
    assert "in a way that is not known" in text
    assert "Ruth" not in text

"""Inclusive test sets over the API and on the pages, and unfairness that a person reports there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from playwright.async_api import expect

from countermand.governance.decision import DecisionKind
from countermand.ledger import bodies as b
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.world import RELEASE, Story, playbook_bytes, release

Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

SETS = b"""
fairness:
  test_sets:
    - name: regional_wording
      covers: dialects
      includes: [regional wording]
      limit: {groups: [north, south], min_scored: 100, at_most: 5%}
    - {name: screen_reader, covers: assistive_use, includes: [answers read aloud]}
"""
WITH_SETS = "with-sets"
GOOD = [{"group": "north", "scored": 200, "passed": 199}, {"group": "south", "scored": 200, "passed": 198}]
RUNS = f"/api/v1/releases/{WITH_SETS}/test-sets/regional_wording"


async def with_sets(serve: Serve) -> tuple[Served, str]:
    """A console with a release whose playbook lists two test sets; the digest of its candidate."""
    served = await serve(Story.asked)
    deps = served.world.deps
    digest = await deps.catalogue.put_playbook(playbook_bytes() + SETS)
    one = release().model_copy(update={"release_id": WITH_SETS, "playbook_digest": digest})
    await deps.catalogue.put_release(one, deps.clock())
    return served, one.candidate.digest


def client(served: Served, token: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=served.url, trust_env=False, headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "run-1"}
    )


def run(digest: str, **changes: Any) -> dict[str, Any]:
    return {"bundle_digest": digest, "groups": GOOD, "evidence": "report 12 in the archive"} | changes


async def test_r85_a_source_reports_a_run_and_the_page_shows_it_and_what_is_missing(
    serve: Serve, sign_in: SignIn
) -> None:
    served, digest = await with_sets(serve)
    source = await served.world.deps.accounts.issue_source_token("nightly-tests")
    async with client(served, source.token) as http:
        said = (await http.post(RUNS, json=run(digest))).json()
        assert (said["word"], [one["word"] for one in said["groups"]]) == ("pass", ["pass", "pass"])
        assert (await http.post(RUNS, json=run(digest))).json() == said
        assert (await http.post(RUNS, json=run(digest, groups=GOOD[:1]))).status_code == 409
    (record,) = await served.world.deps.ledger.records(kinds=[Kind.inclusive_run])
    body = b.InclusiveRun.model_validate(record.body)
    assert (body.by, body.principal, body.scored, body.passed) == ("nightly-tests", "source", 400, 397)
    assert "report 12" not in record.line
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{WITH_SETS}")
    sets = maria.page.locator("#sets")
    await expect(sets.locator("article").nth(0)).to_contain_text("Each of 2 groups is shown")
    await expect(sets.locator("article").nth(0)).to_contain_text("Reported by nightly-tests")
    await expect(sets.locator("article").nth(1)).to_contain_text("missing")
    await expect(sets.locator("#sets-baseline summary")).to_contain_text("0 of 2 passed")


async def test_r85_a_run_is_refused_with_what_would_be_accepted(serve: Serve) -> None:
    served, digest = await with_sets(serve)
    accounts = served.world.deps.accounts
    other = await accounts.issue_source_token("elsewhere", releases=("another",))
    async with client(served, other.token) as http:
        assert (await http.post(RUNS, json=run(digest))).status_code == 403
    async with client(served, (await accounts.issue_person_token(cases.MARIA)).token) as http:
        elsewhere = await http.post(RUNS, json=run("sha256:" + "9" * 64))
        assert (elsewhere.status_code, digest in elsewhere.text) == (422, True)
        unknown = await http.post(RUNS.replace("regional_wording", "nothing"), json=run(digest))
        assert (unknown.status_code, "regional wording and screen reader" in unknown.text) == (404, True)
        for groups in ([], [{"group": "north", "scored": 1, "passed": 2}], [GOOD[0], GOOD[0]]):
            assert (await http.post(RUNS, json=run(digest, groups=groups))).status_code == 422
        assert (await http.post(RUNS, json=run(digest))).json()["word"] == "pass"
    async with client(served, "nobody") as http:
        assert (await http.post(RUNS, json=run(digest))).status_code == 401


async def test_lrn_30_the_page_says_which_sets_stand_against_giving_it_to_users(serve: Serve, sign_in: SignIn) -> None:
    served, _ = await with_sets(serve)
    deps, one = served.world.deps, release()
    body = b.VersionQuarantined(
        digest=one.candidate.digest, name="x", environment=one.environment, members={}, fairness=True
    )
    await deps.ledger.append(body.entry("quarantined", "worker", incident_id="inc-1", release_id=RELEASE))
    jonas = await sign_in(served, cases.JONAS)
    await jonas.open(f"/releases/{WITH_SETS}")
    await expect(jonas.page.locator("#sets")).to_contain_text(
        "after a rollback about fairness these test sets must have"
    )
    await expect(jonas.page.locator("#sets .notice")).to_contain_text("regional wording (missing")


async def test_gov_32_a_safety_lead_reports_unfairness_on_the_page(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.registered)
    maria = await sign_in(served, cases.MARIA)
    await maria.open(f"/releases/{RELEASE}")
    await maria.page.locator("#command-unfairness summary").click()
    form = maria.page.locator("#command-unfairness form")
    await expect(form).to_contain_text("nobody decides, executives are told and everything stays as it is")
    await form.get_by_label("Harm").fill("People who write in dialect are refused harmless requests.")
    await form.get_by_label("Reason").fill("Forty of ninety samples of last night.")
    await form.get_by_role("button", name="Report unfairness").click()
    await maria.page.wait_for_url("**/incidents/**")
    records = await served.world.deps.ledger.records(kinds=[Kind.decision])
    decision = b.DecisionMade.model_validate(records[-1].body).decision
    assert (decision.kind, decision.terms["mode"]) == (DecisionKind.declare, "unfairness")


async def test_gov_32_who_may_not_report_reads_who_can(serve: Serve, sign_in: SignIn) -> None:
    served = await serve(Story.registered)
    lena = await sign_in(served, cases.LENA)
    await lena.open(f"/releases/{RELEASE}")
    await expect(lena.page.locator("#start")).to_contain_text("Only Maria Keller and Amira Haddad can report this.")

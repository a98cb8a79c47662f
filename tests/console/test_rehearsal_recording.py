"""A rehearsal reaches production's Ledger only as it was played; from then on its playbook counts as rehearsed."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from console import rehearsals
from countermand.governance.past import rehearsed_at
from countermand.ledger.record import Kind
from countermand.rehearsal.run import Run
from countermand.rehearsal.seal import sealed
from tests import cases
from tests.console.conftest import Served
from tests.rules.rehearsal import played
from tests.rules.rehearsal.sealed_runs import KEY, PLAYBOOK, SCENARIO, a_run, chained, entry_of, told

Send = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
async def served(serve: Callable[..., Awaitable[Served]]) -> Served:
    served = await serve()
    await served.world.deps.catalogue.put_playbook(PLAYBOOK)
    return served


@pytest.fixture
async def send(served: Served) -> AsyncIterator[Send]:
    """`send(run)`: what production's console answers to it; by somebody with a role unless said otherwise."""
    accounts = served.world.deps.accounts
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:

        async def sent(run: Run, *, who: str = cases.MARIA, scenario: bytes = SCENARIO) -> httpx.Response:
            token = (await accounts.issue_person_token(who)).token
            body = httpx.Request(
                "POST", served.url, json={"run": run.model_dump(mode="json"), "scenario": scenario.decode()}
            )
            headers = {"Authorization": f"Bearer {token}", "Content-Encoding": "gzip"}
            return await http.post("/api/v1/rehearsals", content=gzip.compress(body.content), headers=headers)

        yield sent


async def records(served: Served, kind: Kind) -> list[Any]:
    return await served.world.deps.ledger.records(kinds=[kind])


async def test_a_run_that_held_makes_its_playbook_fresh_and_is_recorded_once(served: Served, send: Send) -> None:
    deps = served.world.deps
    digest = a_run(deps.clock()).playbook_digest
    assert rehearsed_at(await records(served, Kind.rehearsal_passed), digest) is None
    run = a_run(deps.clock())
    answer = await send(run)
    body = answer.json()
    assert answer.status_code == 200, body
    assert (body["passed"], body["failed"], body["mode"]) == (True, 0, "scripted")
    assert (await send(run)).json()["record"] == body["record"]
    (finished,) = await records(served, Kind.rehearsal_finished)
    assert finished.actor == cases.MARIA
    # What a standing authorisation asks for (GOV-28): exactly this playbook, lately.
    at = rehearsed_at(await records(served, Kind.rehearsal_passed), digest)
    assert at is not None
    assert deps.clock() - at < timedelta(days=90)
    found, _ = await rehearsals.one_run(deps, body["run_id"])
    assert "All " in (await rehearsals.report(deps, found.body.report_sha256) or "")


async def test_a_run_that_did_not_hold_is_recorded_and_renews_nothing(served: Served, send: Send) -> None:
    run = sealed(told(served.world.deps.clock(), minutes=16), KEY)
    body = (await send(run)).json()
    assert (body["passed"], body["failed"]) == (False, 1)
    assert len(await records(served, Kind.rehearsal_finished)) == 1
    assert not await records(served, Kind.rehearsal_passed)


async def test_six_manipulations_are_refused_each_with_its_reason_and_nothing_is_recorded(
    served: Served, send: Send
) -> None:
    now = served.world.deps.clock()
    run = a_run(now)
    real = chained([(entry_of(one), one.at) for one in run.records], rehearsal=False)
    of_production = sealed(run.model_copy(update={"records": real, "ledger_head": real[-1].hash, "seal": ""}), KEY)
    late = sealed(told(now, minutes=16), KEY)
    easier = SCENARIO.replace(b"within: 15m", b"within: 55m")
    changed = [
        (run.model_copy(update={"acts": ()}), "seal_broken"),
        (late.model_copy(update={"records": run.records, "ledger_head": run.ledger_head}), "seal_broken"),
        (run.model_copy(update={"records": run.records[:-1]}), "chain_broken"),
        (of_production, "not_a_rehearsal"),
        (sealed(run.model_copy(update={"rendition_digest": played.DIGEST, "seal": ""}), KEY), "other_playbook"),
        (sealed(run.model_copy(update={"playbook_digest": played.DIGEST, "seal": ""}), KEY), "unknown_playbook"),
    ]
    for number, (one, code) in enumerate(changed):
        answer = await send(one)
        assert (number, answer.json()["code"]) == (number, code)
        assert answer.json()["detail"]
    if easier != SCENARIO:
        assert (await send(run, scenario=easier)).json()["code"] == "scenario_changed"
    assert not await records(served, Kind.rehearsal_finished)
    assert not await records(served, Kind.rehearsal_passed)


async def test_somebody_without_a_role_records_nothing(served: Served, send: Send) -> None:
    await served.world.deps.accounts.know("local|guest", "Guest")
    answer = await send(a_run(served.world.deps.clock()), who="local|guest")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_your_role")


async def test_answers_at_a_table_are_recorded_and_never_count_as_passed(served: Served) -> None:
    deps = served.world.deps
    token = (await deps.accounts.issue_person_token(cases.JONAS)).token
    turns = played.scenario().tabletop
    answers = [{"turn": one.id, "answer": one.right[0], "who": "Jonas", "because": "I know it"} for one in turns]
    body = {"scenario": SCENARIO.decode(), "playbook_digest": a_run(deps.clock()).playbook_digest, "answers": answers}
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await http.post("/api/v1/rehearsals/tabletop", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["mode"], answer.json()["failed"], answer.json()["passed"]) == ("tabletop", 0, False)
        body["answers"] = [answers[0] | {"answer": "perhaps"}]
        refused = await http.post("/api/v1/rehearsals/tabletop", json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "answers_invalid")
    assert not await records(served, Kind.rehearsal_passed)


async def test_an_executive_signs_a_window_and_nobody_else_does(served: Served) -> None:
    deps = served.world.deps
    now = deps.clock()
    body = {
        "scenario": "injection-campaign",
        "from": now.isoformat(),
        "until": (now + timedelta(days=2)).isoformat(),
        "known": ["Amira Haddad"],
        "reason": "Nobody was woken up by a rehearsal this year.",
    }
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:

        async def sign(who: str, **changes: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {(await deps.accounts.issue_person_token(who)).token}"}
            http.headers.update(headers)
            return await http.post("/api/v1/rehearsal-windows", json=body | changes)

        refused = await sign(cases.MARIA)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_your_role")
        too_long = await sign(cases.AMIRA, until=(now + timedelta(days=15)).isoformat())
        assert too_long.json()["code"] == "wrong_state"
        assert (await http.get("/api/v1/rehearsal-windows")).json()["windows"] == []
        signed = await sign(cases.AMIRA)
        assert signed.status_code == 200, signed.text
        (window,) = (await http.get("/api/v1/rehearsal-windows")).json()["windows"]
    assert (window["scenario"], window["known"]) == ("injection-campaign", "Amira Haddad")

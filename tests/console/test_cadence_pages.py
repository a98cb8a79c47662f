"""The page of duties, the API behind it, and the line on the first page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

from playwright.async_api import expect

from countermand.cadence.duty import shipped
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import CadenceDone, CadenceOpened, CadencePlanned, DecisionMade
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Person, Served
from tests.console.test_versions import Call, call, served

SignIn = Callable[..., Awaitable[Person]]

__all__ = ["call", "served"]


async def planned(served: Served) -> None:
    """As a worker does at its start, long before."""
    served.world.story.clock.set(served.world.deps.clock() - timedelta(days=40))
    for duty in shipped():
        every = round(duty.every.total_seconds())
        body = CadencePlanned(duty=duty.id, every_s=every, shipped_s=every, asks=duty.asks, because=None)
        await served.world.deps.ledger.append(body.entry(f"planned/{duty.id}", "worker"))
    served.world.story.clock.run()


async def asked(served: Served, duty: str = "tabletop") -> None:
    row = next(one for one in shipped() if one.id == duty)
    body = CadenceOpened(
        duty=duty,
        subject="",
        workflow_id=f"cadence/{duty}/1",
        asks=row.asks,
        deadline=served.world.deps.clock() + timedelta(days=14),
    )
    await served.world.deps.ledger.append(body.entry(f"cadence/{duty}/1/asked/0", "worker"))


async def test_lrn_18_what_is_overdue_stands_first_with_what_it_costs(served: Served, call: Call) -> None:
    assert {one["state"] for one in (await call(cases.MARIA, "GET", "/cadence")).json()["items"]} == {"unknown"}
    await planned(served)
    done = CadenceDone(
        duty="self_check", subject="", workflow_id="w", result="clean", sentence="Nothing.", minutes=90, seconds=4
    )
    await served.world.deps.ledger.append(done.entry("w/over", "worker"))
    found = (await call(cases.MARIA, "GET", "/cadence")).json()
    states = {one["duty"]: one["state"] for one in found["items"]}
    assert (states["ledger_audit"], states["self_check"], states["tabletop"]) == ("overdue", "on_time", "coming")
    assert found["items"][0]["state"] == "overdue"
    assert (found["balance"]["hours"], found["balance"]["on_time"]) == (1.5, list(states.values()).count("coming") + 1)


async def test_a_duty_is_done_by_a_signed_decision_that_its_run_judges(served: Served, call: Call) -> None:
    await planned(served)
    refused = await call(cases.MARIA, "POST", "/cadence/tabletop/outcomes", {"outcome": "done", "minutes": 30})
    assert refused.json()["code"] == "unknown_ask"
    await asked(served)
    body = {"outcome": "done", "minutes": 30, "reason": "Two surprises, both written down."}
    answer = await call(cases.MARIA, "POST", "/cadence/tabletop/outcomes", body)
    assert answer.status_code == 200, answer.text
    [record] = await served.world.deps.ledger.records(kinds=[Kind.decision])
    decision = DecisionMade.model_validate(record.body).decision
    assert (decision.addressed_to, decision.terms["minutes"]) == ("cadence/tabletop/1", "30")
    assert "Two surprises" not in record.line


async def test_a_person_begins_a_run_and_an_unknown_duty_is_named(served: Served, call: Call) -> None:
    assert (await call(cases.MARIA, "POST", "/cadence/ledger_audit/runs", {})).json()["status"] == "started"
    [begun] = served.world.workflows.duties_begun
    assert (begun.duty, begun.asked_by) == ("ledger_audit", cases.MARIA)
    answer = await call(cases.MARIA, "POST", "/cadence/nothing/runs", {})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_duty")


async def test_the_page_shows_what_is_overdue_and_takes_an_answer(served: Served, sign_in: SignIn) -> None:
    await planned(served)
    await asked(served)
    maria = await sign_in(served, cases.MARIA)
    await maria.open("/")
    await expect(maria.page.locator("#waiting")).to_contain_text("duties are overdue")
    await maria.open("/cadence")
    await expect(maria.page.locator("#duties tbody tr").first).to_contain_text("overdue")
    form = maria.page.locator("#asked form")
    await form.get_by_label("Minutes").fill("45")
    await form.get_by_label("Notes").fill("Two surprises, both written down.")
    await form.get_by_role("button", name="It is done").click()
    await expect(maria.page).to_have_url(f"{served.url}/cadence#tabletop")
    [decision] = served.world.workflows.commands
    assert (decision.kind, decision.terms["minutes"]) == (DecisionKind.do_duty, "45")

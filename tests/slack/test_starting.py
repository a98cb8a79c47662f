"""Starting something out of order in Slack: a form opens, and what is sent ends in the one door."""

from __future__ import annotations

import json
from typing import Any

from countermand.ledger.record import Kind
from tests import cases
from tests.console.world import RELEASE, Story
from tests.slack.conftest import Bench, Start
from tests.slack.human import Human, words

Json = dict[str, Any]
HARM = "Customers are told to take twice the dose."
REASON = "Three transcripts of this morning, each of them wrong."


def filled(maria: Human, view: Json, *, harm: str | None = HARM, reason: str = REASON, severity: str = "sev1") -> Json:
    """The form as Slack sends it."""
    payload = maria.submission(view, reason)
    values = payload["view"]["state"]["values"]
    values["release"] = {"release": {"type": "static_select", "selected_option": {"value": RELEASE}}}
    values["severity"] = {"severity": {"type": "static_select", "selected_option": {"value": severity}}}
    if harm is not None:
        values["harm"] = {"harm": {"type": "plain_text_input", "value": harm}}
    return payload


async def opened(bench: Bench, name: str, typed: str) -> tuple[Human, Json]:
    person = bench.human(name)
    assert "The form is open." in json.dumps(await person.type(typed))
    return person, await person.dialog()


async def test_gov_37_an_emergency_is_declared_by_a_form_and_never_by_what_was_typed(slack: Start) -> None:
    bench = await slack(Story.registered)
    maria, view = await opened(bench, "maria", f"emergency {RELEASE} right now")
    assert "No user is moved by this." in words(view["blocks"])
    starting = bench.world.workflows.starting
    assert starting.cases == [], "typing decides nothing"
    payload = filled(maria, view)
    answers = [await maria.send(payload) for _ in range(2)]
    assert {answer.json()["response_action"] for answer in answers} == {"update"}
    said = await maria.result(view)
    (case,) = starting.cases
    assert (case.opened_by, case.severity) == (cases.MARIA, "sev1")
    assert case.incident_id in said
    assert len(await bench.bodies(Kind.decision)) == 1


async def test_a_concern_needs_no_harm_and_stands_in_the_record(slack: Start) -> None:
    bench = await slack(Story.registered)
    maria, view = await opened(bench, "maria", "concern")
    short = await maria.send(filled(maria, view, harm=None, reason="bad"))
    assert short.json()["response_action"] == "errors"
    await maria.send(filled(maria, view, harm=None, severity="sev3"))
    assert "Your concern stands in the record." in await maria.result(view)
    (concern,) = await bench.bodies(Kind.concern_raised)
    assert (concern["subject"], concern["severity"], concern["reason"]) == (cases.MARIA, "sev3", REASON)


async def test_somebody_without_the_role_is_refused_in_the_dialog(slack: Start) -> None:
    bench = await slack(Story.registered)
    people = bench.world.story.people
    document = people.governance.model_dump(mode="json", by_alias=True)
    next(one for one in document["people"] if one["subject"] == cases.AMIRA)["roles"] = ["executive"]
    people.governance = type(people.governance).model_validate(document)
    amira, view = await opened(bench, "amira", "propose")
    await amira.send(filled(amira, view))
    assert "Not done" in await amira.result(view)
    assert bench.world.workflows.starting.cases == []
    assert await bench.codes() == ["not_your_role"]


async def test_a_slack_user_that_nobody_knows_gets_no_form(slack: Start) -> None:
    bench = await slack(Story.registered, linked=False)
    answer = await bench.human("maria").type("emergency")
    assert "nobody knows yet which account" in json.dumps(answer)

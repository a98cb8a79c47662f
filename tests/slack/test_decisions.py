"""People decide in Slack: from the card to the record, with the plan in front of them."""

from __future__ import annotations

import json

from countermand.canonical import canonical
from countermand.ledger.record import Kind
from tests import cases
from tests.slack.conftest import ASK, Start, text_of
from tests.slack.human import buttons
from tests.waiting import until

REASON = "Answers about prices are wrong; three transcripts confirm it."


async def test_two_people_approve_in_slack_and_every_copy_of_the_card_says_so_without_buttons(slack: Start) -> None:
    bench = await slack()
    done = await bench.show()
    assert done.failed == ()
    assert done.unreached == ("Lena Ortiz has no linked Slack user",)
    maria, jonas = bench.human("maria"), bench.human("jonas")
    assert "1 of 2 people approved" in await maria.decides(bench.card(), "approve", REASON)
    await bench.show()
    assert "1 of 2 people approved" in text_of(bench.card())
    (private,) = bench.direct("jonas")
    assert "2 of 2 people approved" in await jonas.decides(private, "approve", "Confirmed in the transcripts.")
    await bench.show()
    for message in (bench.card(), *bench.direct("maria"), *bench.direct("jonas"), *bench.direct("amira")):
        assert buttons(message) == []
        assert "approved by Maria Keller and Jonas Weber".lower() in text_of(message).lower()
    decisions = await bench.bodies(Kind.decision)
    assert [one["decision"]["channel"] for one in decisions] == ["slack", "slack"]
    assert [one["decision"]["actor"]["subject"] for one in decisions] == [cases.MARIA, cases.JONAS]
    assert bench.world.story.state.status.value == "approved"


async def test_the_decision_names_the_exact_bytes_of_the_dialog(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    await bench.human("maria").decides(bench.card(), "approve", REASON)
    (body,) = await bench.bodies(Kind.decision)
    stored = await bench.world.deps.ledger.get_blob(body["decision"]["view_sha256"])
    assert stored is not None
    (opened,) = bench.proxy.of("views.open")
    sent = {name: part for name, part in opened.arguments["view"].items() if name != "private_metadata"}
    assert stored[0] == canonical(sent)
    assert bench.world.story.ask is not None
    assert bench.world.story.ask.approval_digest in json.dumps(sent)


async def test_a_rejection_closes_the_request_at_once(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    said = await bench.human("maria").decides(bench.card(), "reject", "The judge is wrong, we checked twenty by hand.")
    assert "Recorded" in said
    await bench.show()
    assert buttons(bench.card()) == []
    assert bench.world.story.state.status.value == "rejected"
    assert any("Rejected" in text_of(note) for note in bench.thread())


async def test_a_short_reason_is_refused_in_the_form_and_nothing_is_decided(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    answer = (await maria.submit(view, "  no  ")).json()
    assert answer["response_action"] == "errors"
    assert "at least 10 characters" in answer["errors"]["reason"]
    assert await bench.bodies(Kind.decision) == []


async def test_closing_the_dialog_is_not_a_decision(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    closed = {"type": "view_closed", "team": {"id": maria.team}, "user": {"id": maria.user}, "view": view}
    assert (await maria.send(closed)).status_code in (200, 404)
    assert await bench.bodies(Kind.decision) == []


async def test_im_on_it_is_a_record_and_no_vote(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "acknowledge")
    assert "This is not a vote" in await maria.hears("looking at it")
    assert bench.world.story.ask is not None
    assert bench.world.workflows.renewed == [bench.world.story.ask.workflow_id], "the card is looked at again"
    await bench.show()
    assert "Looking at it:* Maria Keller" in text_of(bench.card())
    assert bench.world.story.state.votes == ()
    (body,) = await bench.bodies(Kind.ask_acknowledged)
    assert (body["ask_id"], body["subject"]) == (ASK, cases.MARIA)


async def test_more_time_is_taken_once_from_the_menu_of_the_card_by_somebody_who_is_asked(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    before = bench.world.story.ask
    assert before is not None
    lena = bench.human("lena")
    await lena.press(bench.card(), "extend")
    await lena.hears("nobody knows yet which account")
    said = await bench.human("jonas").decides(bench.card(), "extend", "Maria is on the way; ten minutes are needed.")
    assert "Recorded" in said
    (body,) = await bench.bodies(Kind.ask_extended)
    assert (body["subject"], body["until"]) == (cases.JONAS, "2026-11-20T03:32:15.000000Z")
    old = bench.card()
    await bench.show()
    assert "extend" not in buttons(bench.card())
    assert "Decide by" in text_of(bench.card())
    assert "2026-11-20 03:32:15 UTC" in text_of(bench.card())
    maria = bench.human("maria")
    await maria.press(old, "extend")
    assert "this is possible once" in await maria.hears("Jonas Weber took more time before")


async def test_hold_ramp_is_offered_only_where_the_incident_takes_it_and_goes_through_the_one_door(
    slack: Start,
) -> None:
    bench = await slack()
    await bench.show()
    assert "hold" not in buttons(bench.card())
    story = bench.world.story
    assert story.ask is not None
    await story.phase("asking", "Waiting for people.", story.ask.expires_at, commands=("withdraw", "hold"))
    await bench.show()
    said = await bench.human("jonas").decides(bench.card(), "hold", "Support sees more complaints than usual.")
    assert "Recorded" in said
    assert [command.kind.value for command in bench.world.workflows.commands] == ["hold"]


async def test_no_answer_in_time_offers_the_same_decision_again_and_it_counts_once(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    bench.world.workflows.dark = True
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    await maria.submit(view, REASON)
    assert "Sending it again is safe" in await maria.result(view)
    bench.world.workflows.dark = False
    (again,) = bench.proxy.of("views.update")
    await maria.submit({**again.arguments["view"], "id": view["id"], "hash": "2"}, REASON)

    async def recorded() -> bool:
        return "Recorded" in await maria.result(view)

    await until(recorded, "the second attempt is recorded", within=20)
    assert len(await bench.bodies(Kind.decision)) == 1
    assert len(bench.world.story.state.votes) == 1

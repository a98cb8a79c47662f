"""Clicks that come too late, on cards that say something else by now: answered in words, with the way on."""

from __future__ import annotations

from datetime import timedelta

from countermand.governance import approval as rules
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from tests import cases
from tests.console.world import INCIDENT, Story
from tests.slack.conftest import Bench, Start, text_of
from tests.slack.human import buttons

REASON = "Answers about prices are wrong; three transcripts confirm it."


async def expire(bench: Bench) -> None:
    """The time limit passes; the workflow closes the request and holds."""
    story = bench.world.story
    assert story.ask is not None
    story.clock.set(story.ask.expires_at + timedelta(seconds=1))
    story.state = rules.expire(story.ask, story.state, story.clock())
    await story._closed()
    await story.phase("held", "Nobody decided; held.", None, commands=("ask_again", "abort"))


async def test_decided_in_the_console_kills_the_buttons_and_a_late_click_is_answered(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    old = bench.card()
    story = bench.world.story
    for subject in (cases.MARIA, cases.JONAS):
        await story.vote(await story.decision(subject, DecisionKind.approve, REASON))
    await bench.show()
    for message in (bench.card(), *bench.direct("maria"), *bench.direct("jonas"), *bench.direct("amira")):
        assert buttons(message) == []
    amira = bench.human("amira")
    await amira.press(old, "approve")
    said = await amira.hears("already approved")
    assert "its time limit was 2026-11-20 03:22:15 UTC, it is now" in said
    assert await bench.codes() == ["already_decided"]


async def test_a_click_after_the_time_limit_is_answered_with_both_times_and_a_way_to_ask_again(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    old = bench.card()
    await expire(bench)
    await bench.show()
    assert "Nobody decided in time" in text_of(bench.card())
    jonas = bench.human("jonas")
    await jonas.press(old, "approve")
    said = await jonas.hears("already expired")
    assert "time limit was" in said
    assert "it is now" in said
    assert "Ask again…" in said
    (answer,) = [c.arguments for c in bench.proxy.of("chat.postEphemeral") if c.arguments["user"] == jonas.user]
    told = await jonas.decides({**answer, "channel": bench.channel}, "ask_again", "The deadline passed meanwhile.")
    assert "Recorded" in told
    assert [command.kind.value for command in bench.world.workflows.commands] == ["ask_again"]


async def test_an_expired_request_that_is_not_closed_yet_takes_no_click_any_more(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    story = bench.world.story
    assert story.ask is not None
    story.clock.set(story.ask.expires_at)
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    await maria.hears("this request is expired")
    assert await bench.codes() == ["expired"]


async def test_a_dialog_that_was_open_when_the_plan_changed_gives_no_vote(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    story = bench.world.story
    await story.ask_anew("the evidence changed")
    await maria.submit(view, REASON)
    said = await maria.result(view)
    assert "already stale" in said
    assert story.state.votes == ()
    assert await bench.bodies(Kind.ask_vote) == []
    await bench.show()
    assert "Out of date" in text_of(bench.card())
    assert buttons(bench.card()) == []


async def test_the_new_request_after_a_stale_one_has_a_card_of_its_own(slack: Start) -> None:
    bench = await slack(linked=False)
    await bench.show()
    await bench.world.story.ask_anew("the evidence changed")
    await bench.show()
    await bench.show(f"{INCIDENT}-ask-2")
    old, new = bench.messages()
    assert buttons(old) == []
    assert "approve" in buttons(new)


async def test_a_click_on_a_message_that_was_kept_by_somebody_decides_nothing_by_itself(slack: Start) -> None:
    """A button is a name, not a right: what it leads to is looked up and authorised when it is pressed (SLK-1)."""
    bench = await slack(Story.approved)
    kept = {
        "channel": bench.channel,
        "blocks": [
            {
                "type": "actions",
                "block_id": "x",
                "elements": [
                    {
                        "type": "button",
                        "action_id": "approve",
                        "text": {"type": "plain_text", "text": "Approve…"},
                        "value": f"{INCIDENT}-ask-1",
                    }
                ],
            }
        ],
    }
    amira = bench.human("amira")
    await amira.press(kept, "approve")
    await amira.hears("already approved")
    assert bench.proxy.of("views.open") == []

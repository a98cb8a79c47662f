"""Slack answers 429, 500, late, twice or not at all: cards stay single and true, and people are reached otherwise."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from adapters import slack_cards, slack_posting
from adapters.slack_web import SlackBusy, SlackUnclear, SlackWeb
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import AskRung, AskVote
from countermand.ledger.record import Kind
from countermand.messages.block_kit import SlackMessage, section
from countermand.messages.incident import AskView, IncidentView, incident
from tests.console.world import INCIDENT, Story
from tests.slack.conftest import ASK, Bench, Start, text_of
from tests.slack.human import buttons
from tests.slack.proxy import Proxy
from tests.slack.workspace import BOT_TOKEN
from tests.waiting import until

WRONG = "The judge is wrong, we checked by hand."
REASON = "Answers about prices are wrong; three transcripts confirm it."


@pytest.mark.parametrize("fault", ["lost", "cut", "500"])
async def test_a_post_whose_answer_is_lost_ends_as_one_card(slack: Start, fault: str) -> None:
    bench = await slack(linked=False)
    bench.proxy.fail("chat.postMessage", fault)
    done = await bench.show()
    assert buttons(bench.card()) == ["acknowledge", "approve", "reject", "open_console", "extend"]
    (said,) = done.posted
    assert ("found again" in said) if fault == "lost" else ("sent again" in said)
    await bench.show()
    assert len(bench.messages()) == 1


async def test_the_sdk_does_not_repeat_a_post_by_itself(proxy: Proxy) -> None:
    """Its client ships with a handler that does (SLK-32)."""
    web = SlackWeb(BOT_TOKEN, proxy.url, timeout=2, pace=0)
    proxy.fail("chat.postMessage", "cut")
    with pytest.raises(SlackUnclear):
        await web.post("C000000001", "text", [], {}, None)
    assert len(proxy.of("chat.postMessage")) == 1


async def test_a_process_killed_between_post_and_note_finds_its_card_again(slack: Start) -> None:
    bench = await slack(linked=False)
    bench.proxy.fail("chat.postMessage", "lost")
    bench.proxy.fail("conversations.history", *["cut"] * 20)
    done = await bench.show()
    assert done.standing == ()
    assert len(bench.messages()) == 1, "it is there, only nobody knows"
    bench.proxy.heal()
    again = await bench.show()
    assert [copy.key for copy in again.standing] == [f"{ASK}/channel"]
    assert len(bench.messages()) == 1


async def test_a_short_wait_that_slack_asks_for_is_waited_and_nothing_is_lost(slack: Start) -> None:
    bench = await slack(linked=False)
    bench.proxy.fail("chat.postMessage", "429 1")
    begun = time.monotonic()
    done = await bench.show()
    assert time.monotonic() - begun >= 1
    assert done.failed == ()
    assert len(bench.messages()) == 1


async def test_a_long_wait_leaves_the_activity_with_the_delay_after_everything_else_was_done(slack: Start) -> None:
    bench = await slack()
    bench.proxy.fail("chat.postMessage", "429 40")
    with pytest.raises(ApplicationError) as raised:
        await bench.show()
    assert raised.value.next_retry_delay == timedelta(seconds=40)
    cards = bench.messages() + bench.direct("maria") + bench.direct("jonas") + bench.direct("amira")
    assert len(cards) == 3, "one of four was told to wait"
    done = await bench.show()
    assert done.failed == ()
    assert len(bench.messages()) == 1


async def test_a_limit_without_end_is_given_up(proxy: Proxy) -> None:
    web = SlackWeb(BOT_TOKEN, proxy.url, pace=0)
    proxy.fail("users.info", "429 0", "429 0", "429 0", "429 0")
    with pytest.raises(SlackBusy):
        await web.user("U1")


async def test_posts_to_one_channel_are_a_second_apart_and_channels_do_not_wait_for_each_other(proxy: Proxy) -> None:
    web = SlackWeb(BOT_TOKEN, proxy.url, pace=0.3)
    begun = time.monotonic()
    channels = ("C000000001", "C000000001", "C000000001", "C000000002")
    await asyncio.gather(*[web.post(channel, "text", [], {}, None) for channel in channels])
    assert 0.6 <= time.monotonic() - begun < 5


async def test_slack_dark_for_the_whole_window_is_recorded_and_the_end_is_told_afterwards(slack: Start) -> None:
    bench = await slack()
    bench.proxy.dark = True
    begun = time.monotonic()
    done = await bench.show()
    assert time.monotonic() - begun < 30
    assert done.posted == ()
    assert done.failed
    (failed,) = await bench.bodies(Kind.comms_failed)
    assert "channel" in failed["why"]
    story = bench.world.story
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    bench.proxy.dark = False
    done = await bench.show()
    assert done.failed == ()
    assert buttons(bench.card()) == []
    assert "Rejected" in text_of(bench.card())
    assert bench.direct("maria") == [], "nobody is asked about what is over"


@pytest.mark.parametrize("flag", ["is_ext_shared", "is_pending_ext_shared", "is_org_shared"])
async def test_no_request_is_shown_in_a_channel_that_others_share(slack: Start, flag: str) -> None:
    bench = await slack()
    second = bench.workspace.new_channel(f"second-{bench.channel.lower()}", ("maria", "jonas"))
    bench.cards._settings = bench.settings.model_copy(update={"fallback_channel": second})
    bench.proxy.flags[bench.channel] = {flag: True}
    done = await bench.show()
    assert bench.messages() == []
    assert any("shared" in one for one in done.failed)
    assert len(bench.messages(second)) == 1
    assert len(bench.direct("maria")) == 1
    await bench.show()
    assert bench.messages() == []
    assert len(bench.messages(second)) == 1


async def test_channels_shared_inside_one_organisation_can_be_allowed(slack: Start) -> None:
    bench = await slack(allow_org_shared=True, linked=False)
    bench.proxy.flags[bench.channel] = {"is_org_shared": True}
    assert (await bench.show()).failed == ()
    assert len(bench.messages()) == 1


async def test_a_channel_that_cannot_be_looked_at_is_not_taken_for_fit(slack: Start) -> None:
    bench = await slack(linked=False)
    bench.proxy.fail("conversations.info", "500")
    done = await bench.show()
    assert bench.messages() == []
    assert done.failed


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
async def test_a_card_that_cannot_be_edited_is_posted_anew_and_that_is_recorded(slack: Start, code: str) -> None:
    bench = await slack(linked=False)
    await bench.show()
    first = bench.card()
    story = bench.world.story
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    bench.proxy.fail("chat.update", f"error {code}")
    done = await bench.show()
    assert any(code in one for one in done.failed)
    posted = bench.proxy.of("chat.postMessage")[1].arguments
    assert buttons(posted) == []
    thread = None if code == "message_not_found" else first["ts"]
    assert posted.get("thread_ts") == thread


async def test_an_edit_always_sends_blocks_and_text_and_the_buttons_are_gone_when_read_back(slack: Start) -> None:
    bench = await slack(linked=False)
    await bench.show()
    story = bench.world.story
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    await bench.show()
    (edit,) = bench.proxy.of("chat.update")
    assert edit.arguments["blocks"]
    assert edit.arguments["text"]
    assert buttons(bench.card()) == []
    assert bench.card()["metadata"]["event_payload"]["revision"] == 2


async def test_an_edit_whose_answer_is_lost_is_asked_for_again(slack: Start) -> None:
    bench = await slack(linked=False)
    await bench.show()
    story = bench.world.story
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    bench.proxy.fail("chat.update", "lost")
    assert (await bench.show()).failed == ()
    assert buttons(bench.card()) == []


async def test_an_edit_that_failed_is_made_up_for_by_the_next_call(slack: Start) -> None:
    bench = await slack(linked=False)
    await bench.show()
    story = bench.world.story
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    bench.proxy.fail("chat.update", "500", "500")
    with pytest.raises(ApplicationError, match="do not say yet how it ended"):
        await bench.show()
    assert "approve" in buttons(bench.card())
    assert (await bench.show()).failed == ()
    assert buttons(bench.card()) == []


async def test_an_older_revision_never_overwrites_a_newer_one(slack: Start) -> None:
    bench = await slack(linked=False)
    story = bench.world.story
    before = incident(await story.ledger.records(incident_id=INCIDENT))
    assert before is not None
    await bench.show(revision=1)
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    await bench.show(revision=5)
    assert buttons(bench.card()) == []
    done = await bench.cards.show(before, ASK, 3)
    assert done.edited == ()
    assert buttons(bench.card()) == []


async def test_the_same_revision_again_sends_nothing(slack: Start) -> None:
    bench = await slack()
    await bench.show(revision=1)
    bench.proxy.calls.clear()
    done = await bench.show(revision=1)
    assert (done.posted, done.edited, done.failed) == ((), (), ())
    assert bench.proxy.of("chat.postMessage", "chat.update") == []


async def test_every_copy_is_recorded_once_with_what_was_sent(slack: Start) -> None:
    bench = await slack()
    before = len(await bench.bodies(Kind.comms_sent))
    for _ in range(3):
        await bench.show()
    sent = (await bench.bodies(Kind.comms_sent))[before:]
    assert [body["channel"] for body in sent] == ["slack"] * 4
    assert len({body["key"] for body in sent}) == 4
    assert all(body["text_sha256"].startswith("sha256:") for body in sent)


async def test_reminders_and_escalations_go_to_the_thread_with_a_mention_and_to_people_directly(slack: Start) -> None:
    bench = await slack()
    story = bench.world.story
    await bench.show()
    await story.vote(await story.decision("local|jonas", DecisionKind.approve, "Confirmed in the transcripts."))
    await bench.human("maria").press(bench.card(), "acknowledge")
    await bench.human("maria").hears("looking at it")
    await story.note(AskRung(ask_id=ASK, rung=1, do="remind", to=("safety_lead", "release_owner")))
    await bench.show()
    assert len(bench.messages()) == 1, "no second card while one is open"
    vote, reminder = _notes(bench, "Jonas Weber", "Reminder")
    amira = bench.workspace.users["amira"]
    assert "Jonas Weber" in text_of(vote)
    assert f"<@{amira}>" in reminder["text"]
    assert bench.workspace.users["jonas"] not in reminder["text"], "he has voted"
    assert bench.workspace.users["maria"] not in reminder["text"], "she said that she is on it"
    await story.note(AskRung(ask_id=ASK, rung=2, do="escalate", to=("executive",)))
    await bench.show()
    (escalation,) = _notes(bench, "Escalated to executive")
    assert f"<@{amira}>" in escalation["text"]
    posted = len(bench.thread())
    await bench.show()
    assert len(bench.thread()) == posted


async def test_a_request_that_is_over_calls_nobody_any_more(slack: Start) -> None:
    bench = await slack()
    story = bench.world.story
    await bench.show()
    await story.note(AskRung(ask_id=ASK, rung=1, do="remind", to=("safety_lead",)))
    await story.vote(await story.decision("local|maria", DecisionKind.reject, WRONG))
    await bench.show()
    assert not any("Reminder" in text_of(note) for note in bench.thread())


async def test_progress_waits_for_its_turn_and_the_end_does_not(slack: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await slack(linked=False)
    monkeypatch.setattr(slack_posting, "PROGRESS_EVERY", timedelta(seconds=3))
    await bench.show()
    story = bench.world.story
    await story.vote(await story.decision("local|maria", DecisionKind.approve, REASON))
    begun = time.monotonic()
    await bench.show()
    assert time.monotonic() - begun >= 1
    await story.vote(await story.decision("local|jonas", DecisionKind.approve, REASON))
    begun = time.monotonic()
    await bench.show()
    assert time.monotonic() - begun < 2.5


async def test_the_vote_that_decides_does_not_wait_for_its_turn_either(
    slack: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is closed a moment after that vote; a card that waits would hold up its own end."""
    bench = await slack(linked=False)
    monkeypatch.setattr(slack_posting, "PROGRESS_EVERY", timedelta(seconds=10))
    await bench.show()
    await bench.world.story.note(_vote("local|maria", "Maria Keller", 1, ("release_owner",)))
    await bench.world.story.note(_vote("local|jonas", "Jonas Weber", 2, ()))
    begun = time.monotonic()
    await bench.show()
    assert time.monotonic() - begun < 8
    assert "2 of 2 people approved" in text_of(bench.card())


def _vote(subject: str, name: str, have: int, missing: tuple[str, ...]) -> AskVote:
    return AskVote(
        ask_id=ASK, decision_id=subject, vote="approve", subject=subject, name=name, roles=("safety_lead",),
        reason=REASON, channel="web", have=have, need=2, missing=missing,
    )  # fmt: skip


async def test_stages_are_told_in_the_thread(slack: Start) -> None:
    bench = await slack(Story.reverted, linked=False)
    await bench.show()
    stages = [text_of(note) for note in bench.thread() if "Stage" in text_of(note)]
    assert [one.partition(" is done")[0] for one in stages] == [f"*Stage {n} of 3" for n in (1, 2, 3)]


def _notes(bench: Bench, *parts: str) -> list[dict[str, object]]:
    found = bench.thread()
    return [next(note for note in found if part in text_of(note) or part in note["text"]) for part in parts]


async def test_a_card_that_fails_the_check_is_replaced_by_the_smallest_one_and_that_is_recorded(
    slack: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await slack(linked=False)

    def too_long(view: IncidentView, ask: AskView, console_url: str) -> SlackMessage:
        return SlackMessage(text="text", blocks=(section("a", "x" * 3_001),))

    monkeypatch.setattr(slack_cards, "slack_card", too_long)
    done = await bench.show()
    assert any("replaced by a minimal one" in one for one in done.failed)
    assert buttons(bench.card()) == ["acknowledge", "reject", "open_console", "extend"]
    assert "This card cannot be shown completely" in text_of(bench.card())
    (failed,) = await bench.bodies(Kind.comms_failed)
    assert "minimal" in failed["why"]


async def test_an_answer_that_cannot_be_said_in_the_channel_is_said_directly(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    stranger = bench.human("stranger")
    await stranger.press(bench.card(), "approve")

    async def told() -> bool:
        opened = [call.arguments for call in bench.proxy.of("chat.postMessage")]
        return any("nobody knows yet" in call["text"] for call in opened)

    await until(told, "the stranger is answered", within=20)

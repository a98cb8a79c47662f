"""Slack as a channel of a route: the words of the mail, once, in the channel of the incident, or by the next way."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.fence import PRODUCTION
from activities.ports import Message
from adapters.channel_attempts import MessageAttempts
from adapters.channel_route import RoutedChannel
from adapters.channel_sending import Busy, Refused, Taken
from adapters.channel_settings import ChannelSettings
from adapters.channels import routed_channel
from adapters.outbox import Outbox
from adapters.settings import SettingsInvalid
from adapters.slack_check import message_problems
from adapters.slack_copies import SlackCopies
from adapters.slack_links import SlackLinks
from adapters.slack_posting import SlackPoster
from adapters.slack_rooms import SlackRooms
from adapters.slack_sender import SlackSender
from adapters.slack_web import SlackWeb
from countermand.messages.slack_message import slack_message
from countermand.playbook.model import Audience, Step
from tests.slack.conftest import Bench, Start, text_of
from tests.slack.corpus import HOSTILE
from tests.slack.workspace import BOT_TOKEN

URL = "https://console.example.com/incidents/inc-1"


class Mail:
    """A second channel that takes everything."""

    time_limit = timedelta(seconds=5)
    repeatable = True

    def __init__(self) -> None:
        self.taken: list[Message] = []

    async def send(self, message: Message, within: float) -> Taken:
        self.taken.append(message)
        return Taken(provider_id="mail-1")


def a_message(
    step: Step = Step.stage_completed, text: str = "Stage 1 of 3 is done.\n\nSeen: 45 %.", **changes: Any
) -> Message:
    incident_id = f"inc-{uuid.uuid4().hex[:8]}"
    fields = {
        "key": f"{incident_id}/{step.value}/1/operator", "incident_id": incident_id, "step": step,
        "audience": Audience.operator, "subject": "[sev2] support-assistant: stage 1 of 3 is done",
        "text": text, "facts_sha256": "sha256:f", **changes,
    }  # fmt: skip
    return Message(**fields)


def sender(bench: Bench) -> SlackSender:
    db, clock = bench.world.deps.database, bench.world.deps.clock
    web = SlackWeb(BOT_TOKEN, bench.proxy.url, timeout=2, pace=0)
    copies, links = SlackCopies(db, clock), SlackLinks(db, clock)
    rooms = SlackRooms(web, bench.settings, copies, links, bench.world.story.people, bench.url)
    poster = SlackPoster(web, copies, clock, look_back=0.3)
    return SlackSender(web, bench.settings, copies, poster, rooms, bench.url)


def routed(bench: Bench, mail: Mail) -> RoutedChannel:
    db = bench.world.deps.database
    return RoutedChannel(
        PRODUCTION,
        Outbox(db),
        MessageAttempts(db),
        {"slack": sender(bench), "email": mail},
        {Audience.operator: ("slack", "email")},
    )


async def test_a_message_is_posted_once_with_its_words_and_the_way_to_the_incident(slack: Start) -> None:
    bench = await slack()
    message = a_message()
    taken = await sender(bench).send(message, 10)
    again = await sender(bench).send(message, 10)
    assert taken == again
    (posted,) = bench.messages()
    assert "Stage 1 of 3 is done.\n\nSeen: 45 %." in text_of(posted)
    assert f"{bench.url}/incidents/{message.incident_id}" in str(posted["blocks"])
    assert posted["text"] == message.subject


@pytest.mark.parametrize("fault", ["lost", "cut", "500"])
async def test_a_lost_answer_never_makes_a_second_message(slack: Start, fault: str) -> None:
    bench = await slack()
    bench.proxy.fail("chat.postMessage", fault)
    await sender(bench).send(a_message(), 10)
    assert len(bench.messages()) == 1


async def test_a_message_about_a_rollout_leads_to_its_release_and_makes_no_channel_of_an_incident(slack: Start) -> None:
    bench = await slack(incident_channels=True)
    message = a_message(Step.rollout_started, incident_id="", release_id="support/v7")
    await sender(bench).send(message, 10)
    (posted,) = bench.messages(bench.channel)
    assert f"{bench.url}/releases/support%2Fv7" in str(posted["blocks"])
    assert "Open the release" in str(posted["blocks"])
    assert "/incidents/" not in str(posted["blocks"])


async def test_while_slack_is_dark_the_message_goes_by_mail_within_a_minute_marked_as_second_channel(
    slack: Start,
) -> None:
    bench, mail = await slack(), Mail()
    bench.proxy.dark = True
    began = time.monotonic()
    receipt = await routed(bench, mail).send(a_message())
    assert time.monotonic() - began < 60
    assert receipt.channel == "email"
    assert receipt.tried
    assert receipt.tried[0].startswith("slack: ")
    assert [one.subject for one in mail.taken] == ["[sev2] support-assistant: stage 1 of 3 is done (second channel)"]


async def test_slack_asking_to_wait_is_waited_for_and_a_refusal_is_not(slack: Start) -> None:
    bench = await slack()
    bench.proxy.fail("chat.postMessage", "429 30")
    with pytest.raises(Busy) as busy:
        await sender(bench).send(a_message(), 10)
    assert busy.value.retry_after == 30
    bench.proxy.fail("chat.postMessage", "error is_archived")
    with pytest.raises(Refused, match="is_archived"):
        await sender(bench).send(a_message(), 10)


async def test_nothing_is_posted_where_another_organisation_reads_along(slack: Start) -> None:
    bench = await slack()
    bench.proxy.flags[bench.channel] = {"is_ext_shared": True}
    with pytest.raises(Refused, match="shared with another organisation"):
        await sender(bench).send(a_message(), 10)
    assert bench.messages() == []


# --- a channel for each incident ----------------------------------------------------------------------------------


async def test_an_incident_gets_a_private_channel_with_topic_people_pin_and_bookmark(slack: Start) -> None:
    bench = await slack(incident_channels=True)
    first = a_message(Step.incident_opened, subject="[sev2] support-assistant: incident opened, v7 counts as worse")
    taken = await sender(bench).send(first, 15)
    second = first.model_copy(update={"key": f"{first.incident_id}/2", "subject": "stage 1 of 3 is done"})
    await sender(bench).send(second, 15)
    room, ts = taken.provider_id.split("/")
    assert room != bench.channel
    assert bench.messages() == []
    topic_line, *said = [one["text"] for one in bench.messages(room)]
    assert topic_line.endswith(f"set the group topic: {first.subject}")
    assert said == [first.subject, second.subject]
    (created,) = bench.proxy.of("conversations.create")
    assert (created.arguments["name"], created.arguments["is_private"]) == (first.incident_id, "1")
    (topic,) = bench.proxy.of("conversations.setTopic")
    assert topic.arguments["topic"] == first.subject
    (invited,) = bench.proxy.of("conversations.invite")
    assert set(str(invited.arguments["users"]).split(",")) == {
        bench.workspace.users[n] for n in ("maria", "jonas", "amira")
    }
    (pinned,) = bench.proxy.of("pins.add")
    assert pinned.arguments["timestamp"] == ts
    (bookmark,) = bench.proxy.of("bookmarks.add")
    assert bookmark.arguments["link"] == f"{bench.url}/incidents/{first.incident_id}"


async def test_a_channel_that_a_cut_off_attempt_made_is_found_again(slack: Start) -> None:
    bench = await slack(incident_channels=True)
    bench.proxy.fail("conversations.create", "lost")
    message = a_message()
    taken = await sender(bench).send(message, 15)
    assert taken.provider_id.startswith(f"{bench.channel}/"), "nobody knew whether there is one, so the app's channel"
    later = await sender(bench).send(message.model_copy(update={"key": f"{message.incident_id}/2"}), 15)
    assert not later.provider_id.startswith(f"{bench.channel}/")
    assert len(bench.proxy.of("conversations.create")) == 2


async def test_where_slack_allows_no_channel_the_message_goes_to_the_app_s_own(slack: Start) -> None:
    bench = await slack(incident_channels=True)
    bench.proxy.fail("conversations.create", "error missing_scope")
    taken = await sender(bench).send(a_message(), 15)
    assert taken.provider_id.startswith(f"{bench.channel}/")


async def test_a_topic_or_pin_that_slack_refuses_stops_no_message(slack: Start) -> None:
    bench = await slack(incident_channels=True)
    for method in ("conversations.setTopic", "conversations.invite", "pins.add", "bookmarks.add"):
        bench.proxy.fail(method, "error restricted_action")
    taken = await sender(bench).send(a_message(), 15)
    assert not taken.provider_id.startswith(f"{bench.channel}/")


# --- the words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*HOSTILE, "é" * 9_000, "\n" * 9_000])
def test_any_text_fits_and_slack_interprets_none_of_it(text: str) -> None:
    shown = slack_message(f"[sev2] {text}", f"Why: {text}", URL)
    assert message_problems(shown) == []
    assert {block["text"]["type"] for block in shown.blocks if "text" in block} == {"plain_text"}
    assert "<!" not in shown.text
    assert "<http" not in shown.text
    assert all(char.isprintable() or char == "\n" for block in shown.blocks[1:-1] for char in block["text"]["text"])


def test_a_channels_file_cannot_take_the_name_of_slack(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("whsec_x")
    hook = {"kind": "webhook", "url": "https://pager.example/hook", "secret_file": tmp_path / "secret"}
    settings = ChannelSettings.model_validate({"channels": {"slack": hook}})
    with pytest.raises(SettingsInvalid, match=r"channels\.slack"):
        routed_channel(settings, None, joined={"slack": Mail()})  # type: ignore[arg-type]  # refused before it is used

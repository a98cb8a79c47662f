"""Somebody who was asked six times within the hour is not called a seventh time; the list has it (GOV-50)."""

from __future__ import annotations

from adapters.slack_links import SlackUser
from console.slack_home import SlackHome
from countermand.ledger.bodies import AskRung, AskSentTo
from countermand.ledger.record import Kind
from tests import cases
from tests.slack.conftest import ASK, TEAM, Bench, Start, text_of
from tests.slack.human import words


async def asked_before(bench: Bench, times: int, severity: str = "sev3") -> None:
    """Maria was called about that many other requests."""
    for number in range(times):
        sent = AskSentTo(
            ask_id=f"inc-{number}-ask-1", subject=cases.MARIA, name="Maria Keller", severity=severity, lane="now"
        )
        await bench.world.story.note(sent, incident_id=None)


async def test_gov_50_no_card_and_no_mention_but_the_list_and_the_channel_have_it(slack: Start) -> None:
    bench = await slack()
    await asked_before(bench, 6)
    done = await bench.show()
    assert bench.direct("maria") == []
    assert len(bench.direct("jonas")) == 1
    assert any("Maria Keller had their share" in one for one in done.unreached)
    assert "approve" in str(bench.card()["blocks"])
    await bench.world.story.note(AskRung(ask_id=ASK, rung=1, do="remind", to=("safety_lead", "release_owner")))
    await bench.show()
    (reminder,) = [note for note in bench.thread() if "Reminder" in text_of(note)]
    assert f"<@{bench.workspace.users['maria']}>" not in reminder["text"]
    assert f"<@{bench.workspace.users['jonas']}>" in reminder["text"]
    user = SlackUser(team_id=TEAM, user_id=bench.workspace.users["maria"])
    await SlackHome(bench.inbound.desk).publish(user, None)
    (published,) = bench.proxy.of("views.publish")
    assert "Roll back support-assistant v7" in words(published.arguments["view"]["blocks"])
    lanes = {body["subject"]: body["lane"] for body in await bench.bodies(Kind.ask_sent) if body["ask_id"] == ASK}
    assert lanes == {cases.MARIA: "batch", cases.JONAS: "now", cases.AMIRA: "now"}


async def test_gov_50_somebody_who_is_only_listed_still_decides_with_the_card_in_the_channel(slack: Start) -> None:
    bench = await slack()
    await asked_before(bench, 6)
    await bench.show()
    said = await bench.human("maria").decides(bench.card(), "approve", "Read it in the channel, I agree.")
    assert "1 of 2 people approved" in said


async def test_gov_50_five_requests_before_this_one_are_within_the_share(slack: Start) -> None:
    bench = await slack()
    await asked_before(bench, 5)
    await bench.show()
    assert len(bench.direct("maria")) == 1

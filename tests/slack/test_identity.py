"""Who may decide in Slack, and what everybody else hears (SLK-6, SLK-7, SLK-27, SLK-28; T5, T6)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.directory_file import GovernanceInvalid
from adapters.slack_links import SlackLinks, SlackUser
from countermand.governance.directory import Directory
from countermand.ledger.record import Kind
from tests import cases
from tests.slack.conftest import ASK, TEAM, Bench, Start, text_of
from tests.slack.human import Human, buttons

REASON = "Answers about prices are wrong; three transcripts confirm it."
FLAGS = {
    "is_bot": "actor_not_a_person",
    "is_workflow_bot": "actor_not_a_person",
    "is_connector_bot": "actor_not_a_person",
    "deleted": "external_account",
    "is_restricted": "external_account",
    "is_ultra_restricted": "external_account",
    "is_stranger": "external_account",
}


async def link(bench: Bench, name: str, subject: str) -> None:
    links = SlackLinks(bench.world.deps.database, bench.world.deps.clock)
    user = SlackUser(team_id=TEAM, user_id=bench.workspace.users[name])
    await links.confirm(await links.offer(user), subject)


async def refused(bench: Bench, human: Human, code: str) -> None:
    """A press on Approve… and on I'm on it is refused to this person alone, recorded, and changes nothing."""
    before = len(await bench.codes())
    for action in ("approve", "acknowledge"):
        bench.proxy.calls.clear()
        assert (await human.press(bench.card(), action)).status_code == 200
        await human.hears("Not done:")
        assert bench.proxy.of("views.open") == []
    assert (await bench.codes())[before:] == [code, code]
    assert bench.world.story.state.votes == ()
    assert bench.world.story.state.status.value == "pending"
    await bench.show()
    assert "approve" in buttons(bench.card())


async def test_bots_guests_and_strangers_are_refused_and_the_request_goes_on(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    for flag, code in FLAGS.items():
        bench.proxy.flags[maria.user] = {flag: True}
        await refused(bench, maria, code)
        bench.world.deps.clock.set(bench.world.deps.clock() + timedelta(seconds=61))  # type: ignore[attr-defined]
    bench.proxy.flags.clear()
    assert "1 of 2" in await maria.decides(bench.card(), "approve", REASON)


async def test_somebody_of_another_workspace_is_refused_whatever_team_the_payload_names(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    user = bench.workspace.users["maria"]
    await refused(bench, Human(bench, "maria", user, home_team="T0FOREIGN"), "external_account")
    bench.proxy.flags[user] = {"team_id": "T0FOREIGN"}
    await refused(bench, bench.human("maria"), "external_account")


async def test_an_empty_allow_list_means_that_nobody_may_decide(slack: Start) -> None:
    bench = await slack(teams=())
    await bench.show()
    await refused(bench, bench.human("maria"), "external_account")


async def test_a_slack_user_nobody_linked_is_told_how_to_link(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    lena = bench.human("lena")
    await refused(bench, lena, "not_linked")
    assert "/countermand link" in await lena.hears("nobody knows yet which account")


async def test_a_name_like_another_persons_gives_no_rights(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    look_alike = bench.human("stranger")
    bench.workspace.call("conversations.invite", channel=bench.channel, users=look_alike.user)
    bench.proxy.flags[look_alike.user] = {"real_name": "Maria Keller", "name": "maria"}
    await refused(bench, look_alike, "not_linked")


async def test_when_slack_does_not_say_who_it_is_nobody_decides(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    bench.proxy.fail("users.info", "500", "500")
    await refused(bench, bench.human("maria"), "directory_unavailable")


async def test_a_person_of_another_role_is_told_who_is_asked(slack: Start) -> None:
    bench = await slack()
    people = [person.model_dump() for person in cases.governance().people]
    people[0]["roles"] = ["observer"]
    bench.world.story.people.governance = cases.governance(people=people)
    await bench.show()
    maria = bench.human("maria")
    await refused(bench, maria, "not_your_role")
    assert "Asked are" in await maria.hears("this request asks")


async def test_whoever_put_the_release_out_cannot_approve_going_back(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    await link(bench, "lena", "local|deployer")
    lena = bench.human("lena")
    await lena.press(bench.card(), "approve")
    assert "somebody else has to decide" in await lena.hears("Not done:")
    assert await bench.codes() == ["four_eyes"]


async def test_a_role_taken_away_while_the_dialog_is_open_no_longer_counts(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    people = [person.model_dump() for person in cases.governance().people]
    people[0]["roles"] = ["observer"]
    bench.world.story.people.governance = cases.governance(people=people)
    await maria.submit(view, REASON)
    assert "Not done." in await maria.result(view)
    assert await bench.codes() == ["not_your_role"]


async def test_a_user_deactivated_while_the_dialog_is_open_no_longer_counts(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    bench.proxy.flags[maria.user] = {"deleted": True}
    await maria.submit(view, REASON)
    assert "deactivated" in await maria.result(view)
    assert await bench.codes() == ["external_account"]
    assert await bench.bodies(Kind.decision) == []


async def test_a_dialog_shown_to_one_person_cannot_be_submitted_by_another(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria, jonas = bench.human("maria"), bench.human("jonas")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    await jonas.submit(view, REASON)
    assert "You have not been shown this plan" in await jonas.result(view)
    assert await bench.codes() == ["view_not_shown"]


async def test_a_broken_governance_file_stops_deciding_and_says_so(
    slack: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await slack()
    await bench.show()

    async def unreadable() -> Directory:
        raise GovernanceInvalid("governance.yaml: people: a list is needed")

    monkeypatch.setattr(bench.world.story.people, "snapshot", unreadable)
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    assert "until this file is repaired" in await maria.hears("governance.yaml")
    done = await bench.show()
    assert any("governance.yaml" in one for one in done.failed)


async def test_an_unknown_request_is_answered(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    card = bench.card()
    for block in card["blocks"]:
        for element in block.get("elements", ()):
            if element.get("value") == ASK:
                element["value"] = "inc-00000000-ask-9"
    maria = bench.human("maria")
    await maria.press(card, "approve")
    assert "there is no request" in await maria.hears("Not done:")
    assert text_of(bench.card()) == text_of(bench.card())


async def test_a_delegate_is_offered_the_dialog_while_the_delegation_runs(slack: Start) -> None:
    bench = await slack()
    clock = bench.world.deps.clock
    lent = {
        "id": "holiday-1",
        "delegator": cases.JONAS,
        "delegate": "local|stand-in",
        "roles": ["release_owner"],
        "not_before": clock() - timedelta(days=1),
        "not_after": clock() + timedelta(days=1),
        "releases": "any",
        "environments": "any",
        "severities": "any",
        "granted_at": clock() - timedelta(days=2),
        "reason": "Jonas is on holiday.",
    }
    people = [person.model_dump() for person in cases.governance().people]
    people.append({"subject": "local|stand-in", "name": "Sam Stand-in", "roles": ["observer"]})
    bench.world.story.people.governance = cases.governance(people=people, delegations=[lent])
    await link(bench, "lena", "local|stand-in")
    await bench.show()
    lena = bench.human("lena")
    await lena.press(bench.card(), "approve")
    assert (await lena.dialog())["title"]["text"] == "Approve the rollback"
    people[-1]["subject"] = "local|somebody-else"
    bench.world.story.people.governance = cases.governance(people=people)
    await lena.press(bench.card(), "approve")
    await lena.hears("you hold no role")

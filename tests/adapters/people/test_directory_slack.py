"""SLK-28, SLK-30: members of a user group count only when they are linked, and full and active members of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.database import Database
from adapters.directory_slack import READ_EVERY, TRY_AGAIN, SlackGroups
from adapters.group_source import SourceUnavailable
from adapters.slack_links import SlackLinks, SlackUser
from adapters.slack_web import SlackWeb
from countermand.governance.sources import FRESH
from tests import cases
from tests.adapters.people.conftest import Clock
from tests.adapters.people.slack_server import TEAM, SlackServer

GROUP = "S0123"


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    server = SlackServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def groups(slack: SlackServer, database: Database, clock: Clock) -> SlackGroups:
    links = SlackLinks(database, clock)
    for user, subject in (("U1", cases.MARIA), ("U2", cases.AMIRA), ("U3", cases.JONAS), ("U4", cases.LENA)):
        await links.confirm(await links.offer(SlackUser(team_id=TEAM, user_id=user)), subject)
    return SlackGroups(SlackWeb("xoxb-test", slack.url, timeout=2, pace=0), links, (TEAM,), clock)


async def test_members_are_the_people_whose_slack_users_are_linked(
    slack: SlackServer, groups: SlackGroups, clock: Clock
) -> None:
    slack.join("U1", GROUP)
    slack.join("U2", GROUP)
    slack.join("U3", "S0999")
    slack.join("U9", GROUP)
    found = await groups.members(GROUP)
    assert found.members == {cases.MARIA: clock(), cases.AMIRA: clock()}
    assert found.left_out == ("U9: not linked to a person",)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"deleted": True}, "deactivated"),
        ({"is_bot": True}, "bots and workflows never decide"),
        ({"is_workflow_bot": True}, "bots and workflows never decide"),
        ({"is_restricted": True}, "guests"),
        ({"is_ultra_restricted": True}, "guests"),
        ({"is_stranger": True}, "another organisation"),
        ({"team_id": "T2"}, "not one of `teams`"),
    ],
)
async def test_accounts_that_could_not_decide_give_nobody_a_role(
    slack: SlackServer, groups: SlackGroups, flags: dict[str, object], why: str
) -> None:
    slack.join("U1", GROUP, **flags)
    found = await groups.members(GROUP)
    assert found.members == {}
    assert why in found.left_out[0]


async def test_who_left_the_group_is_no_member_once_it_is_read_again_within_two_minutes(
    slack: SlackServer, groups: SlackGroups, clock: Clock
) -> None:
    slack.join("U1", GROUP)
    await groups.members(GROUP)
    slack.groups[GROUP].clear()
    assert (await groups.members(GROUP)).members != {}
    assert slack.calls.count("usergroups.users.list") == 1
    clock.forward(seconds=READ_EVERY.total_seconds())
    assert READ_EVERY <= FRESH
    assert (await groups.members(GROUP)).members == {}


async def test_a_slack_that_does_not_answer_is_unavailable_and_asked_again_only_after_a_while(
    slack: SlackServer, groups: SlackGroups, clock: Clock
) -> None:
    slack.join("U1", GROUP)
    slack.down = True
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="HTTP 503"):
            await groups.members(GROUP)
    assert len(slack.calls) == 1
    slack.down = False
    clock.forward(seconds=TRY_AGAIN.total_seconds())
    assert (await groups.members(GROUP)).members == {cases.MARIA: clock()}


async def test_a_group_that_slack_does_not_know_is_unavailable_and_not_empty(groups: SlackGroups) -> None:
    with pytest.raises(SourceUnavailable, match="no_such_subteam"):
        await groups.members("S0404")

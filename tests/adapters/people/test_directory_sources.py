"""The directory of file and sources: who is asked, how long an old answer counts, what the digest covers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.database import Database
from adapters.directory_file import FileDirectory, GovernanceInvalid
from adapters.directory_sources import SourcedDirectory, role_directory
from adapters.group_source import GroupMembers, SourceUnavailable
from adapters.oidc_groups import SignInGroups
from adapters.settings import Settings
from tests import cases
from tests.adapters.people.conftest import Clock

GROUP = {"safety_lead": {"slack_user_group": "S0123"}}
Write = Callable[..., FileDirectory]


class FakeGroups:
    """Says who is in every group; `silent` makes it answer nothing. Implements GroupSource."""

    def __init__(self, clock: Clock, *members: str) -> None:
        self.clock = clock
        self.who = list(members)
        self.silent = False

    async def members(self, group: str) -> GroupMembers:
        assert group == "S0123"
        if self.silent:
            raise SourceUnavailable("Slack does not answer")
        return GroupMembers(members=dict.fromkeys(self.who, self.clock()), as_of=self.clock())


async def test_without_sources_the_directory_is_the_file_as_it_is(governance: Write, clock: Clock) -> None:
    file = governance(sources={})
    found = await SourcedDirectory(file, {}, clock).snapshot()
    assert found.memberships == ()
    assert found.digest == (await file.snapshot()).digest


async def test_the_digest_changes_with_the_members_and_not_with_the_time_of_reading(
    governance: Write, clock: Clock
) -> None:
    groups = FakeGroups(clock, cases.MARIA)
    people = SourcedDirectory(governance(sources=GROUP), {"slack_user_group": groups}, clock)
    first = await people.snapshot()
    clock.forward(minutes=5)
    assert (await people.snapshot()).digest == first.digest
    groups.who.append(cases.AMIRA)
    changed = await people.snapshot()
    assert changed.digest != first.digest
    assert [one.subject for one in changed.holders("safety_lead")] == [cases.MARIA, cases.AMIRA]


async def test_a_silent_source_gives_nobody_the_role_even_if_it_did_a_moment_ago(
    governance: Write, clock: Clock
) -> None:
    groups = FakeGroups(clock, cases.MARIA)
    people = SourcedDirectory(governance(sources=GROUP), {"slack_user_group": groups}, clock)
    assert (await people.snapshot()).holders("safety_lead")
    groups.silent = True
    found = await people.snapshot()
    assert found.holders("safety_lead") == ()
    assert found.memberships[0].unavailable == "Slack does not answer"


async def test_an_answer_that_is_older_than_two_minutes_is_no_answer(governance: Write, clock: Clock) -> None:
    class Old(FakeGroups):
        async def members(self, group: str) -> GroupMembers:
            said = await super().members(group)
            return said.model_copy(update={"as_of": clock() - timedelta(seconds=121)})

    people = SourcedDirectory(governance(sources=GROUP), {"slack_user_group": Old(clock, cases.MARIA)}, clock)
    assert (await people.snapshot()).memberships[0].unavailable == "what it said is 121s old"


async def test_last_known_members_count_up_to_the_age_that_the_file_states(governance: Write, clock: Clock) -> None:
    groups = FakeGroups(clock, cases.MARIA)
    file = governance(sources=GROUP, last_known={"max_age": "10m"})
    people = SourcedDirectory(file, {"slack_user_group": groups}, clock)
    await people.snapshot()
    groups.silent = True
    clock.forward(minutes=10)
    known = await people.snapshot()
    assert known.roles_of(cases.MARIA) == ("product_owner", "safety_lead")
    assert "last known 10m ago" in known.provenance(cases.MARIA, ("safety_lead",), clock())[0]
    clock.forward(seconds=1)
    assert (await people.snapshot()).holders("safety_lead") == ()


async def test_a_source_that_is_not_set_up_is_named(governance: Write, database: Database, tmp_path: Path) -> None:
    governance(sources=GROUP | {"release_owner": {"oidc_groups": "owners"}})
    settings = Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path)})
    found = await role_directory(settings, database).snapshot()
    assert [one.unavailable for one in found.memberships] == [
        "oidc_groups is not set up on this machine",
        "slack_user_group is not set up on this machine",
    ]


async def test_a_file_that_gives_a_role_two_sources_is_refused(governance: Write, tmp_path: Path) -> None:
    file = governance(sources=GROUP)
    path = tmp_path / "governance.yaml"
    path.write_text(path.read_text().replace('"product_owner"', '"safety_lead"'))
    with pytest.raises(GovernanceInvalid, match="a role has one source"):
        await SourcedDirectory(file, {}).snapshot()


async def test_groups_of_a_sign_in_count_for_eight_hours_and_the_newest_sign_in_wins(
    database: Database, clock: Clock
) -> None:
    groups = SignInGroups(database, clock)
    begin = clock()
    await groups.signed_in(cases.MARIA, ["rollback-safety", "everyone"], begin)
    await groups.signed_in(cases.AMIRA, ["everyone"], begin)
    assert (await groups.members("rollback-safety")).members == {cases.MARIA: begin}
    clock.forward(hours=1)
    await groups.signed_in(cases.MARIA, [], clock())
    await groups.signed_in(cases.AMIRA, ["rollback-safety"], clock())
    await groups.signed_in(cases.MARIA, ["rollback-safety"], begin)  # an older answer that came late
    assert (await groups.members("rollback-safety")).members == {cases.AMIRA: clock()}
    clock.forward(hours=8)
    assert (await groups.members("rollback-safety")).members == {}

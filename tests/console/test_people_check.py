"""GOV-6: what nobody can decide is told before somebody has to decide it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters.directory_file import GovernanceInvalid
from countermand.governance.directory import Directory
from countermand.governance.sources import Membership
from tests import cases
from tests.console.conftest import Served
from tests.console.world import Story

NOW = datetime(2026, 3, 2, tzinfo=UTC)


async def people(served: Served) -> dict[str, Any]:
    """What `/readyz` says about people; the console itself stays ready or not for other reasons."""
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        said = (await http.get("/readyz")).json()
    (check,) = [one for one in said["checks"] if one["name"] == "people"]
    assert said["ready"] is True, "shown beside; no reason to take the console away from people"
    return dict(check)


async def test_it_is_well_when_everything_has_its_people(serve: Callable[..., Awaitable[Served]]) -> None:
    assert (await people(await serve(Story.asked)))["ok"] is True


@pytest.mark.parametrize(
    ("membership", "says"),
    [
        ({}, "names nobody who is among the people"),
        ({"unavailable": "Slack does not answer"}, "slack_user_group:S0123: Slack does not answer"),
    ],
)
async def test_an_empty_group_and_a_silent_source_are_told_with_the_quorums_that_they_break(
    serve: Callable[..., Awaitable[Served]],
    monkeypatch: pytest.MonkeyPatch,
    membership: dict[str, str],
    says: str,
) -> None:
    served = await serve(Story.asked)
    document = cases.governance().model_dump(mode="json", by_alias=True)
    for person in document["people"]:
        person["roles"] = [role for role in person["roles"] if role != "safety_lead"]
    governance = cases.governance(people=document["people"], sources={"safety_lead": {"slack_user_group": "S0123"}})
    group = Membership(role="safety_lead", source="slack_user_group:S0123", members={}, as_of=NOW, **membership)

    async def snapshot() -> Directory:
        return Directory(governance=governance, digest="sha256:1", source="file", as_of=NOW, memberships=(group,))

    monkeypatch.setattr(served.world.story.people, "snapshot", snapshot)
    check = await people(served)
    assert check["ok"] is False
    assert says in check["sentence"]
    assert "safety_lead, the directory has 0" in check["sentence"]


async def test_a_broken_governance_file_is_told(
    serve: Callable[..., Awaitable[Served]], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await serve(Story.asked)

    async def unreadable() -> Directory:
        raise GovernanceInvalid("governance.yaml: people: a list is needed")

    monkeypatch.setattr(served.world.story.people, "snapshot", unreadable)
    assert (await people(served))["sentence"] == "governance.yaml: people: a list is needed"

"""Who has no part here fills no store, takes no pack and erases nothing, and nobody erases their own words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from console.decide import Person
from console.duties import keep_file
from console.handing_out import roles_of
from console.problems import Problem
from console.retention import erase
from tests import cases
from tests.console.world import Story, World

OUTSIDER = Person(subject="local|eve", name="Eve")
LENA = Person(subject=cases.LENA, name="Lena Ortiz")
OFFICER = ["privacy_officer", "compliance_officer"]


@pytest.fixture
async def world(tell: Callable[..., Awaitable[World]]) -> World:
    return await tell(Story.asked)


def govern(world: World, *, excluded: tuple[str, ...] = ()) -> None:
    people = cases.governance().model_dump(mode="json", by_alias=True)["people"]
    for person in people:
        if person["subject"] in (cases.LENA, cases.MARIA):
            person["roles"] += OFFICER
    world.deps.people.governance = cases.governance(people=people, excluded=list(excluded))  # type: ignore[attr-defined]


async def test_who_has_no_part_here_cannot_fill_the_store(world: World) -> None:
    with pytest.raises(Problem, match="has no part"):
        await keep_file(world.deps, OUTSIDER, b"x" * 100)
    assert (await keep_file(world.deps, LENA, b"a report")).startswith("sha256:")


async def test_an_account_that_may_not_take_part_has_no_roles_here(world: World) -> None:
    govern(world)
    assert "compliance_officer" in await roles_of(world.deps, cases.LENA)
    govern(world, excluded=(cases.LENA,))
    assert await roles_of(world.deps, cases.LENA) == ()
    with pytest.raises(Problem, match="may not answer"):
        await erase(world.deps, LENA, "e-1", cases.JONAS, "asked by letter", "")


async def test_nobody_erases_what_they_wrote_themselves(world: World) -> None:
    govern(world)
    with pytest.raises(Problem, match="wrote themselves") as refused:
        await erase(world.deps, LENA, "e-1", cases.LENA, "asked by letter", "")
    assert "Maria" in refused.value.next

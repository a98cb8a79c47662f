"""A release is registered with an adopted playbook only, where the governance file does not say otherwise (T9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx
import pytest

from console.adoptions import ask_to_adopt
from console.decide import Person
from console.problems import Problem
from countermand.governance.directory import Governance
from tests import cases
from tests.console.conftest import Served
from tests.console.world import Story


async def test_a_release_with_a_playbook_that_nobody_adopted_is_refused_and_told_what_to_do(
    serve: Callable[..., Awaitable[Served]],
) -> None:
    served = await serve(Story.asked)
    deps = served.world.deps
    said = cases.governance().model_dump(mode="json", by_alias=True) | {"playbooks": {"adoption": "required"}}
    served.world.story.people.governance = Governance.model_validate(said)
    known = (await deps.catalogue.releases())[0].release
    release = known.model_dump(mode="json", exclude={"registered_by"}) | {"release_id": "another-release"}
    token = (await deps.accounts.issue_person_token(cases.JONAS)).token
    async with httpx.AsyncClient(base_url=served.url, trust_env=False, timeout=60) as http:
        answer = await http.post("/api/v1/releases", json=release, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (409, "playbook_not_adopted")
    assert "countermand playbook adopt" in answer.json()["next"]


async def test_nobody_is_asked_when_the_people_who_must_sign_are_not_there(
    tell: Callable[..., Awaitable[object]],
) -> None:
    world = await tell(Story.asked)
    deps = world.deps  # type: ignore[attr-defined]
    digest = (await deps.catalogue.releases())[0].release.playbook_digest
    with pytest.raises(Problem, match="nobody is left to sign as playbook maintainer") as refused:
        await ask_to_adopt(deps, Person(subject=cases.AMIRA, name="Amira Haddad"), digest, "We agreed on it.")
    assert refused.value.code == "quorum_unattainable"

"""A bundle in several members goes back as one: all of it, or people see what is divided (TGT-19 to TGT-21)."""

from __future__ import annotations

import asyncio

import pytest

from activities.ports import TargetRejected
from countermand import ids
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.messages.ask_card import ask_card
from countermand.messages.incident import incident
from countermand.playbook.model import Playbook
from tests import cases, fakes
from tests.waiting import until
from tests.workflows.conftest import World
from workflows.staged_revert import StagedRevert


def together(policy: str) -> Playbook:
    document = cases.playbook_document()
    document["revert"] |= {
        "stages": [{"give_back": "100%", "soak": "100ms"}],
        "together": [
            {"target": "prompts", "member": "chat", "part": "prompt"},
            {"target": "indexes", "member": "docs", "part": "index"},
        ],
        "on_member_failure": policy,
    }
    return Playbook.model_validate(document)


@pytest.fixture(params=["compensate"])
def bundle(request: pytest.FixtureRequest, world: World) -> World:
    """A world whose release lives in a split, a prompt alias and an index alias."""
    world.playbook = together(request.param)
    world.catalogue.the_playbook = world.playbook
    baseline = world.release.baseline
    world.targets.named |= {"prompts": fakes.FakeAlias(baseline.prompt), "indexes": fakes.FakeAlias(baseline.index)}
    return world


def shares(world: World) -> list[int]:
    return [target.split.candidate_bp for target in world.targets.named.values()]


async def stage_is(world: World, word: str) -> str:
    async def there() -> str | None:
        stage = (await world.view()).stage(1)
        return stage.sentence if stage is not None and stage.state == word else None

    return await until(there, f"the stage is {word}")


async def asked(world: World, times: int) -> None:
    async def there() -> bool:
        found = incident(await world.ledger.records(incident_id=world.incident_id))
        return found is not None and len(found.asks) == times

    await until(there, f"people are asked {times} times")


async def test_all_members_move_in_order_and_each_is_seen(bundle: World) -> None:
    async with bundle.worker():
        handle = await bundle.open_incident()
        await bundle.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    assert shares(bundle) == [0, 0, 0]
    intents = [body["member"] for body in bundle.ledger.bodies(Kind.stage_intent)]
    assert intents == [None, "prompts/chat", "indexes/docs"]
    view = await bundle.view()
    assert [(one.says, one.configured, one.observed) for one in view.members] == [
        ("candidate 0 % of users", "pass", "pass"),
        ("names the baseline", "pass", "pass"),
        ("names the baseline", "pass", "pass"),
    ]


async def test_a_member_that_is_refused_brings_the_others_back_and_people_are_asked(bundle: World) -> None:
    bundle.targets("indexes").script = ["rejected"]
    async with bundle.worker():
        await bundle.open_incident()
        await bundle.approve_by_two()
        sentence = await stage_is(bundle, "compensated")
        await asked(bundle, 2)
    assert shares(bundle) == [5_000, 10_000, 10_000]
    assert "403" in sentence
    assert "brought back" in sentence
    view = await bundle.view()
    told = [line.text for line in view.timeline]
    assert "Stage 1, indexes/docs: rejected" in told
    assert told.count("Bringing back, prompts/chat: applied") == 1
    assert not any("999" in text for text in told)
    why = next(fact for fact in ask_card(view, view.asks[1]).facts if fact.title == "Why")
    assert why.lines[0] == f"asked again, because the last try stopped: {sentence}"
    assert not any("the last try" in line for fact in ask_card(view, view.asks[0]).facts for line in fact.lines)
    assert ("revert_stopped", "operator") in bundle.channel.steps()
    order = [(body["member"], body["stage"]) for body in bundle.ledger.bodies(Kind.stage_intent)]
    assert order[-3:] == [("indexes/docs", 1), ("prompts/chat", 999), (None, 999)]


async def test_compensation_that_fails_is_partial_with_what_each_member_says(bundle: World) -> None:
    bundle.targets("indexes").script = ["rejected"]
    bundle.targets("prompts").script = ["", "rejected"]
    async with bundle.worker():
        await bundle.open_incident()
        await bundle.approve_by_two()
        sentence = await stage_is(bundle, "partial")
        await asked(bundle, 2)
    assert "prompts/chat: names the baseline" in sentence
    assert "indexes/docs: names the candidate" in sentence
    assert shares(bundle) == [0, 0, 10_000]


async def test_somebody_elses_change_is_never_overwritten_nor_compensated(bundle: World) -> None:
    """A conflict says that somebody else is at work: nothing is done behind their back."""
    index = bundle.targets("indexes")
    real = index.set

    async def moved_by_another(*arguments: object, **more: object) -> object:
        index.generation += 1
        return await real(*arguments, **more)  # type: ignore[arg-type]

    index.set = moved_by_another  # type: ignore[method-assign, assignment]
    async with bundle.worker():
        await bundle.open_incident()
        await bundle.approve_by_two()
        assert "divided" in await stage_is(bundle, "partial")
    assert shares(bundle) == [0, 0, 10_000]


@pytest.mark.parametrize("said", ["hold", "glass"])
async def test_nothing_is_brought_back_to_the_bad_version_once_somebody_held_it_or_broke_the_glass(
    bundle: World, said: str
) -> None:
    index = bundle.targets("indexes")
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def refused_later(*_: object, **__: object) -> object:
        begun.set()
        await go_on.wait()
        raise TargetRejected("403: the write token may not change this alias")

    index.set = refused_later  # type: ignore[method-assign, assignment]
    async with bundle.worker():
        await bundle.open_incident()
        await bundle.approve_by_two()
        await asyncio.wait_for(begun.wait(), 20)
        if said == "hold":
            await bundle.decide(DecisionKind.hold, cases.JONAS, reason="stay where we are, I look at the index")
        else:
            revert = bundle.env.client.get_workflow_handle(ids.revert_workflow(bundle.workflow_id, 1))
            await revert.signal(StagedRevert.overrule, "somebody broke the glass")
        go_on.set()
        sentence = await stage_is(bundle, "held" if said == "hold" else "stopped")
        assert ("I look at the index" in sentence) == (said == "hold")
    assert shares(bundle) == [0, 0, 10_000]


@pytest.mark.parametrize("bundle", ["hold"], indirect=True)
async def test_hold_leaves_what_moved_and_a_resume_moves_the_rest(bundle: World) -> None:
    bundle.targets("prompts").script = ["rejected"]
    async with bundle.worker():
        handle = await bundle.open_incident()
        await bundle.approve_by_two()
        assert "divided" in await stage_is(bundle, "partial")
        assert shares(bundle) == [0, 10_000, 10_000]
        await bundle.decide(DecisionKind.resume, cases.JONAS, reason="the registry accepts writes again")
        assert (await handle.result()).outcome == "reverted"
    assert shares(bundle) == [0, 0, 0]
    assert len(bundle.target.effects) == 1


@pytest.mark.parametrize("bundle", ["hold"], indirect=True)
async def test_reverse_brings_every_member_back(bundle: World) -> None:
    bundle.targets("indexes").script = ["rejected"]
    async with bundle.worker():
        handle = await bundle.open_incident()
        await bundle.approve_by_two()
        await stage_is(bundle, "partial")
        await bundle.decide(DecisionKind.reverse, cases.JONAS, reason="better the new version than a divided one")
        assert (await handle.result()).outcome == "reversed"
    assert shares(bundle) == [5_000, 10_000, 10_000]


@pytest.mark.parametrize("bundle", ["hold"], indirect=True)
async def test_an_unclear_member_is_never_compensated(bundle: World) -> None:
    bundle.targets("prompts").script = ["ambiguous"]
    async with bundle.worker():
        await bundle.open_incident()
        await bundle.approve_by_two()
        assert "prompts/chat: not known" in await stage_is(bundle, "partial")
    assert shares(bundle) == [0, 0, 10_000]


async def test_a_member_that_others_changed_before_the_start_makes_the_plan_stale(bundle: World) -> None:
    async with bundle.worker():
        await bundle.open_incident()
        await asked(bundle, 1)
        bundle.targets("indexes").generation += 1
        await bundle.approve_by_two()
        await asked(bundle, 2)
    assert shares(bundle) == [5_000, 10_000, 10_000]

"""The pages of evidence and population, and who may have what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import expect

from adapters.evidence_pdf import PdfUnavailable
from console import packs as packs_module
from console.counting import count, reconcile
from console.decide import Person as Somebody
from console.handing_out import Asked, build, download, every
from console.problems import Problem
from countermand.evidence.reconciliation import members_in
from countermand.evidence.verify import Anchors, unzip, verify
from countermand.ledger.bodies import PopulationReconciled
from countermand.ledger.record import Kind
from tests import cases
from tests.adapters.targets.embedded import EmbeddedHarness
from tests.console.conftest import Person, Served
from tests.console.packing import CANARY, packs, reverted
from tests.console.world import BASE, INCIDENT, Story, World

Tell = Callable[..., Awaitable[World]]
Serve = Callable[..., Awaitable[Served]]
SignIn = Callable[..., Awaitable[Person]]

AMIRA, JONAS, LENA = (
    Somebody(subject=subject, name=name)
    for subject, name in ((cases.AMIRA, "Amira Haddad"), (cases.JONAS, "Jonas Weber"), (cases.LENA, "Lena Ortiz"))
)
WHY = "The supervisory authority asked for every word by letter of today."


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> bytes:
        raise PdfUnavailable("not drawn in this test")

    monkeypatch.setattr(packs_module, "render_pdf", none)


async def told(story: Story) -> None:
    """The whole story, in an organisation where Amira is the compliance officer."""
    governance = story.people.governance
    people = tuple(
        one.model_copy(update={"roles": (*one.roles, "compliance_officer")}) if one.subject == cases.AMIRA else one
        for one in governance.people
    )
    story.people.governance = governance.model_copy(update={"people": people})
    await reverted(story)


@pytest.fixture
async def world(tell: Tell, tmp_path: Path) -> World:
    made = await tell(told)
    made.deps = replace(made.deps, packs=packs(made, tmp_path / "packs"))
    return made


async def test_every_word_needs_the_role_and_a_reason_and_is_a_record(world: World) -> None:
    wanted = Asked(incident_id=INCIDENT, profile="full", reason=WHY)
    with pytest.raises(Problem, match="needs the role compliance_officer or legal_counsel"):
        await build(world.deps, wanted, JONAS)
    with pytest.raises(Problem, match="too short"):
        await build(world.deps, replace(wanted, reason="because"), AMIRA)
    assert await world.deps.ledger.records(kinds=(Kind.evidence_released, Kind.evidence_sealed)) == []
    sealed = await build(world.deps, wanted, AMIRA)
    [released] = await world.deps.ledger.records(kinds=(Kind.evidence_released,))
    assert (released.body["name"], released.body["reason"]) == ("Amira Haddad", WHY)
    assert released.body["manifest_sha256"] == sealed.manifest_sha256
    assert WHY not in released.line
    assert not list((world.deps.packs.directory if world.deps.packs else Path()).glob("*.zip")), "kept with every word"


async def test_who_takes_a_copy_is_recorded_and_a_stranger_gets_none(world: World) -> None:
    sealed = await build(world.deps, Asked(incident_id=INCIDENT), JONAS)
    with pytest.raises(Problem, match="needs the role"):
        await download(world.deps, sealed.manifest_sha256, LENA, "api")
    copy = await download(world.deps, sealed.manifest_sha256, AMIRA, "api")
    assert copy.content == sealed.content
    [made] = await every(world.deps.ledger)
    assert [one.body["name"] for one in made.downloads] == ["Amira Haddad"]
    with pytest.raises(Problem, match="No pack has the manifest"):
        await download(world.deps, "00" * 32, AMIRA, "api")


async def test_two_people_asking_at_once_get_one_seal(world: World) -> None:
    asked = [build(world.deps, Asked(incident_id=INCIDENT), one) for one in (JONAS, AMIRA)]
    first, second = await asyncio.gather(*asked)
    assert first.content == second.content
    assert len(await world.deps.ledger.records(kinds=(Kind.evidence_sealed,))) == 1


async def test_a_split_that_somebody_moved_by_hand_at_the_real_service_is_shown_red(
    world: World, tmp_path: Path
) -> None:
    harness = EmbeddedHarness()
    await harness.start(tmp_path)
    try:
        member = next(iter(members_in(await world.deps.ledger.records()).values()))
        tokens = {name: tmp_path / f"{name}.token" for name in ("read", "write")}
        tokens["read"].write_text(harness.read_token)
        (tmp_path / "targets.yaml").write_text(
            f"targets:\n  {member.target}:\n    url: {harness.url}\n"
            f"    read_token_file: {tokens['read']}\n    write_token_file: {tokens['write']}\n"
        )
        world.deps = replace(
            world.deps, settings=world.deps.settings.model_copy(update={"targets": tmp_path / "targets.yaml"})
        )
        since, until = (
            min(BASE, datetime.now(UTC)) - timedelta(days=1),
            max(BASE, datetime.now(UTC)) + timedelta(days=1),
        )
        target = harness.target()
        for number, intent in enumerate(await world.deps.ledger.records(kinds=(Kind.stage_intent,))):
            state = await target.read(harness.member)
            desired = world.story.plan.stages[number].desired if world.story.plan else state.split
            await target.set(
                harness.member,
                desired,
                idempotency_key=intent.body["key"],
                fence=intent.body["fence"],
                expected_revision=state.revision,
            )
        await reconcile(world.deps, AMIRA, since, until)
        [agreed] = compared(await count(world.deps, AMIRA, since, until))
        assert agreed["clean"], agreed
        assert agreed["agree"] == 3
        await harness.external_edit(7_000)
        await reconcile(world.deps, AMIRA, since, until)
        [differs] = compared(await count(world.deps, AMIRA, since, until))
        assert [one["candidate_bp"] for one in differs["we_miss"]] == [7_000]
        assert differs["they_miss"] == []
    finally:
        await harness.stop()
    await reconcile(world.deps, AMIRA, since, until)
    [away] = compared(await count(world.deps, AMIRA, since, until))
    assert "cannot be read" in away["why"]
    assert not away["clean"]


def compared(counted: object) -> list[dict[str, object]]:
    record = counted.compared  # type: ignore[attr-defined]
    found: list[dict[str, object]] = PopulationReconciled.model_validate(record.body).result["members"]
    return found


async def test_a_pack_is_made_and_taken_on_its_page_and_verifies(serve: Serve, sign_in: SignIn, tmp_path: Path) -> None:
    served = await serve(told)
    console = served.server.config.app.state  # type: ignore[union-attr]
    console.console = replace(console.console, packs=packs(served.world, tmp_path / "packs"))
    amira = await sign_in(served, cases.AMIRA)
    await amira.open(f"/evidence?incident={INCIDENT}")
    await amira.page.get_by_role("radio", name="Every word").check()
    await amira.page.get_by_label("Why every word is needed").fill(WHY)
    await amira.page.get_by_role("button", name="Make the pack").click()
    await expect(amira.page.locator("article.card")).to_contain_text("Let out by")
    async with amira.page.expect_download() as waiting:
        await amira.page.get_by_role("button", name="Take a copy").click()
    content = await asyncio.to_thread(Path(await (await waiting.value).path()).read_bytes)
    assert verify(unzip(content), Anchors(), BASE.timestamp() + 86_400).verdict == "internally consistent"
    assert CANARY.encode() in content
    await amira.open("/evidence")
    await expect(amira.page.locator("article.card")).to_contain_text("Amira Haddad")
    await amira.open("/population?from=2026-11-19&to=2026-11-20")
    await expect(amira.page.locator("main")).to_contain_text("no number missing")
    await expect(amira.page.locator("#reconciliation")).to_contain_text("not compared")
    lena = await sign_in(served, cases.LENA, viewport={"width": 320, "height": 700})
    await lena.open("/evidence")
    await expect(lena.page.get_by_role("button", name="Make the pack")).to_have_count(0)
    assert await lena.page.locator("html").evaluate("page => page.scrollWidth") <= 320
    await lena.open("/population")
    await expect(lena.page.locator("main")).to_contain_text("This needs the role")

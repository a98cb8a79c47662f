"""The restore drill: a pack made again from a copy of the database, and a copy that lost something."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.evidence_pdf import PdfUnavailable
from adapters.settings import Settings
from console import packs as packs_module
from console import restore_drill
from console.restore_drill import RestoreDrill
from countermand.ledger.record import Kind
from tests.console.packing import LEDGER, reverted
from tests.console.world import World
from tests.vaults import master_key

Tell = Callable[..., Awaitable[World]]


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packs here go without their PDF, which takes seconds to draw."""

    def none(*_: object, **__: object) -> bytes:
        raise PdfUnavailable("not drawn in this test")

    monkeypatch.setattr(packs_module, "render_pdf", none)


@pytest.fixture
async def world(tell: Tell) -> World:
    return await tell(reverted)


@pytest.fixture
def drill(world: World, tmp_path: Path) -> RestoreDrill:
    settings = Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path)})
    settings.ledger_key.parent.mkdir(parents=True)
    settings.ledger_key.write_bytes(LEDGER.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    settings.ledger_key.chmod(0o600)
    shutil.copy(master_key()._path, settings.vault_key)
    return RestoreDrill(world.deps.database, settings, world.deps.clock)


async def test_a_pack_is_made_again_from_a_copy_and_verified_by_the_program_of_auditors(
    world: World, drill: RestoreDrill
) -> None:
    found = await drill.drill(world.deps.clock())
    assert (found.result, found.findings) == ("clean", ())
    before = await world.deps.ledger.records()
    assert [one.kind for one in before].count(Kind.evidence_sealed) == 1
    await drill.drill(world.deps.clock())
    assert len(await world.deps.ledger.records()) == len(before), "a second drill adds nothing"


async def test_a_copy_that_lost_a_frozen_item_is_a_finding(
    world: World, drill: RestoreDrill, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = restore_drill._copied

    def torn(original: Path, copy: Path) -> None:
        whole(original, copy)
        with closing(sqlite3.connect(copy)) as database, database:
            names = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
            for name in names:
                database.execute(f'DROP TRIGGER "{name}"')
            database.execute("DELETE FROM playbook_version")

    monkeypatch.setattr(restore_drill, "_copied", torn)
    try:
        found = await drill.drill(world.deps.clock())
    except KeyError:
        pytest.fail("a copy that lost something is a finding, not an accident")
    assert found.result == "findings"


async def test_without_an_incident_the_drill_shows_nothing_and_says_so(tell: Tell, tmp_path: Path) -> None:
    world = await tell(None)
    settings = Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path)})
    found = await RestoreDrill(world.deps.database, settings, world.deps.clock).drill(world.deps.clock())
    assert found.result == "unknown"

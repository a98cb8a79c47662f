"""The self-checks of the Ledger's head name what is wrong; only what endangers the record keeps us from writing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from adapters.database import Database, utc_now
from adapters.keys import key_files, rotate
from adapters.ledger_checks import shown, stopping
from adapters.settings import Settings
from countermand.ledger.record import Entry, Kind
from tests.adapters.storage.entries import entry
from tests.adapters.storage.heads import Desk
from tests.adapters.storage.stores import Store


@pytest.fixture
def settings(desk: Desk, tmp_path: Path) -> Settings:
    """The same place as the desk's, with every key."""
    found = Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path), "COUNTERMAND_DEPLOYMENT": "test"})
    for key in key_files(found):
        key.create_if_missing()
    return found


async def wrong(db: Database, settings: Settings, now: datetime | None = None) -> dict[str, str]:
    """Sentences by name of the checks that do not hold; each of them says what to do."""
    found = [*await stopping(db, settings), *await shown(db, settings, now or utc_now())]
    assert [one.name for one in found] == ["checkpoint", "outside", "keys", "head", "anchors", "intents"]
    assert all(one.ok == (not one.repair) for one in found)
    return {one.name: one.sentence for one in found if not one.ok}


async def test_a_healthy_head_passes_every_check(desk: Desk, settings: Settings) -> None:
    assert await wrong(desk.db, settings) == {}
    await desk.anchored()
    assert await wrong(desk.db, settings) == {}


async def test_a_record_that_is_not_the_signed_one_and_a_missing_one_stop_us(
    desk: Desk, settings: Settings, store: Store
) -> None:
    await desk.anchored()
    store.without_triggers("UPDATE ledger_record SET line = replace(line, 'worker', 'forger') WHERE seq = 3")
    assert "Record 3 is not the one" in (await wrong(desk.db, settings))["checkpoint"]
    store.without_triggers("DELETE FROM ledger_record WHERE seq >= 3")
    assert "record 3 is missing" in (await wrong(desk.db, settings))["checkpoint"]


async def test_a_checkpoint_of_a_key_that_nobody_let_in_stops_us(desk: Desk, settings: Settings, store: Store) -> None:
    await desk.anchored()
    store.without_triggers("UPDATE ledger_checkpoint SET note = replace(note, 'test', 'best')")
    assert "no recorded ledger key signed it" in (await wrong(desk.db, settings))["checkpoint"]


async def test_a_key_that_was_exchanged_or_is_gone_is_named(desk: Desk, settings: Settings) -> None:
    await rotate(desk.ledger, desk.key)
    assert await wrong(desk.db, settings) == {}
    desk.key.path.unlink()
    assert "ledger key cannot be read" in (await wrong(desk.db, settings))["keys"]
    desk.key.create_if_missing()
    assert "the Ledger says lg-" in (await wrong(desk.db, settings))["keys"]


async def test_a_head_that_stays_unsigned_is_named(desk: Desk, settings: Settings) -> None:
    await desk.write(2)
    assert await wrong(desk.db, settings, utc_now() + timedelta(minutes=4)) == {}
    late = await wrong(desk.db, settings, utc_now() + timedelta(minutes=6))
    assert "are under no checkpoint" in late["head"]


async def test_a_place_outside_that_takes_nothing_is_named_after_an_hour(
    desk: Desk, settings: Settings, tmp_path: Path
) -> None:
    settings.anchors.write_text("folders:\n  safe: {path: safe}\n")
    await desk.write(1)
    await desk.checkpoints.now()
    assert await wrong(desk.db, settings) == {}
    late = await wrong(desk.db, settings, utc_now() + timedelta(hours=2))
    assert "the folder safe took no checkpoint since" in late["anchors"]


async def test_an_effect_that_was_begun_and_has_no_outcome_is_listed(desk: Desk, settings: Settings) -> None:
    await desk.ledger.append(intent("inc-1/revert/1/stage/1"), intent("inc-1/revert/1/stage/2"))
    done = intent("inc-1/revert/1/stage/1").model_copy(
        update={"kind": Kind.stage_outcome, "idem_key": "inc-1/revert/1/stage/1/outcome/1"}
    )
    await desk.ledger.append(done)
    (listed,) = [one for one in await shown(desk.db, settings, utc_now()) if one.name == "intents"]
    assert listed.ok, "it may still be under way"
    assert listed.sentence == "begun and without an outcome: record 3 (inc-1)"
    late = await wrong(desk.db, settings, utc_now() + timedelta(minutes=11))
    assert late["intents"] == listed.sentence


def intent(key: str) -> Entry:
    return entry(f"{key}/intent", kind=Kind.stage_intent, incident_id="inc-1")

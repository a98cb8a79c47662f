"""The daily audits over a real database: a changed record, records cut off, and duties that did not take place."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from activities.cadence import duties_planned
from adapters.cadence_audits import StoredAudits
from adapters.cadence_file import FileCadence
from adapters.catalogue import SqlCatalogue
from adapters.database import utc_now
from adapters.keys import announce_all, key_files
from adapters.settings import Settings
from countermand.ledger.record import Kind
from tests.adapters.storage.heads import Desk
from tests.adapters.storage.stores import Store


@pytest.fixture
async def audits(desk: Desk, tmp_path: Path) -> StoredAudits:
    settings = Settings.from_environment({"COUNTERMAND_DATA": str(tmp_path), "COUNTERMAND_DEPLOYMENT": "test"})
    for key in key_files(settings):
        key.create_if_missing()
    await announce_all(desk.ledger, settings)
    cadence = FileCadence(settings.cadence)
    return StoredAudits(desk.db, desk.ledger, desk.checkpoints, SqlCatalogue(desk.db), cadence, settings)


async def test_a_changed_record_is_found_and_a_ledger_that_nobody_outside_holds_is_not_clean(
    desk: Desk, store: Store, audits: StoredAudits
) -> None:
    await desk.anchored()
    fine = await audits.ledger(utc_now())
    assert (fine.result, fine.findings) == ("unknown", ())
    assert fine.not_looked[0].sentence == "No place outside holds a head of this Ledger."
    newest = await desk.ledger.head()
    store.without_triggers(f"UPDATE ledger_record SET line = replace(line, 'worker', 'forger') WHERE seq = {newest}")
    found = await audits.ledger(utc_now())
    assert found.result == "findings"
    assert any("does not hold" in one.sentence for one in found.findings)


async def test_the_self_check_records_each_duty_that_did_not_take_place_once(
    desk: Desk, audits: StoredAudits, tmp_path: Path
) -> None:
    await duties_planned(desk.ledger, FileCadence(tmp_path / "cadence.yaml"))
    assert await desk.ledger.records(kinds=(Kind.cadence_missed,)) == []
    later = utc_now() + timedelta(days=10)
    for _ in range(2):
        found = await audits.checks(later)
        assert found.result == "findings"
        missed = [one.body["duty"] for one in await desk.ledger.records(kinds=(Kind.cadence_missed,))]
        assert sorted(missed) == ["change_log_audit", "ledger_audit", "obligation_recheck", "target_audit"]


async def test_a_file_of_intervals_that_cannot_be_used_is_found_and_changes_nothing(
    desk: Desk, audits: StoredAudits, tmp_path: Path
) -> None:
    file = tmp_path / "cadence.yaml"
    file.write_text("schema: countermand.cadence/v1\nduties: {ledger_audit: {every: 6h}}\n")
    await duties_planned(desk.ledger, FileCadence(file))
    await duties_planned(desk.ledger, FileCadence(file))
    file.write_text("schema: countermand.cadence/v1\nduties: {ledger_audit: {every: 60d}}\n")
    assert any("write `because`" in one.sentence for one in (await audits.checks(utc_now())).findings)
    await duties_planned(desk.ledger, FileCadence(file))
    planned = [one.body for one in await desk.ledger.records(kinds=(Kind.cadence_planned,))]
    assert [one["every_s"] for one in planned if one["duty"] == "ledger_audit"] == [6 * 3600, 86_400]

"""Data that was harmed stops the way back and asks people; data that nobody could look at does so too."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from adapters.data_settings import SqlSettings
from adapters.data_sources import ConfiguredDataSources
from countermand.governance.decision import DecisionKind
from countermand.ledger.record import Kind
from countermand.playbook.model import Playbook
from tests import cases
from tests.waiting import until
from tests.workflows.conftest import World

CHECKS: list[dict[str, Any]] = [
    {
        "id": "notes_kept",
        "kind": "row_counts",
        "source": "notes",
        "tables": ["notes"],
        "may_grow": True,
        "meaning": "no note of a customer is lost",
    },
    {
        "id": "notes_marked",
        "kind": "dispositions",
        "source": "notes",
        "query": "select id, 'note' as kind, disposition from notes where version = :candidate_digest",
        "meaning": "every note of the bad version says what becomes of it",
    },
]


class Notes:
    """A real table of notes, five written by each version."""

    def __init__(self, folder: Path, world: World) -> None:
        self.path = folder / "notes.db"
        self.change("create table notes (id integer primary key, version text, disposition text)")
        for version in (world.release.candidate.digest, world.release.baseline.digest):
            for _ in range(5):
                self.change("insert into notes (version, disposition) values (?, 'keep')", version)
        (folder / "notes.url").write_text(f"sqlite+aiosqlite:///{self.path}")

    def change(self, statement: str, *values: str) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(statement, values)
        connection.close()


@pytest.fixture
def notes(world: World, tmp_path: Path) -> Notes:
    """The world's playbook checks notes in every phase, and its stages soak long enough to harm them meanwhile."""
    document = cases.playbook_document()
    for stage in document["revert"]["stages"]:
        stage["soak"] = "800ms"
    document["data_integrity"]["checks"] += CHECKS
    for phase in ("before", "between", "after"):
        document["data_integrity"][phase] += [check["id"] for check in CHECKS]
    world.playbook = Playbook.model_validate(document)
    world.catalogue.the_playbook = world.playbook
    made = Notes(tmp_path, world)
    settings = {"notes": SqlSettings(kind="sql", url_file=tmp_path / "notes.url")}
    world.data = ConfiguredDataSources(settings, world.ledger.put_blob)
    return made


async def in_stage(world: World, number: int, state: str) -> str:
    async def there() -> str | None:
        # Before the first effect there are no stages in the view yet; the record has them all.
        last = next(reversed(world.ledger.bodies(Kind.stage_state)), None)
        return str(last["sentence"]) if last and (last["stage"], last["state"]) == (number, state) else None

    return await until(there, f"stage {number} is {state}")


async def test_data_that_is_well_lets_the_way_back_go_on_and_its_lists_are_kept(world: World, notes: Notes) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        assert (await handle.result()).outcome == "reverted"
    marked = [body for body in world.ledger.bodies(Kind.check_result) if body["name"] == "notes_marked"]
    assert [body["word"] for body in marked] == ["pass"] * 4
    assert "5 rows of the candidate: 5 keep" in str(marked[0]["sentence"])
    assert all(str(body["raw_sha256"]) in world.ledger.blobs for body in marked)


async def test_a_table_that_loses_rows_stops_the_stage_asks_and_goes_on_when_they_are_back(
    world: World, notes: Notes
) -> None:
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        await in_stage(world, 1, "soaking")
        notes.change("delete from notes where id in (1, 2)")
        assert "notes 10 → 8" in await in_stage(world, 1, "stopped")
        assert world.target.split.candidate_bp == 4_500
        assert (await world.view()).status != "reverted"

        async def executives_told() -> bool:
            return ("revert_stopped", "exec") in world.channel.steps()

        await until(executives_told, "executives are told that the revert stopped")
        for _ in range(2):
            notes.change("insert into notes (version, disposition) values ('restored', 'keep')")
        await world.decide(DecisionKind.resume, cases.JONAS, reason="the notes are restored")
        assert (await handle.result()).outcome == "reverted"
    assert [share for _, share in world.target.effects] == [4_500, 2_500, 0]


async def test_a_row_of_the_bad_version_without_a_disposition_stops_before_anything_changes(
    world: World, notes: Notes
) -> None:
    notes.change("insert into notes (version) values (?)", world.release.candidate.digest)
    async with world.worker():
        await world.open_incident()
        await world.approve_by_two()
        assert "1 of 6 rows of the candidate have no disposition" in await in_stage(world, 1, "stopped")
    assert world.target.effects == []


async def test_an_index_of_another_version_stops_the_stage_and_both_are_named(world: World, notes: Notes) -> None:
    """What serves the baseline has loaded the candidate's index: the release is back and answers from the wrong one."""
    notes.change("create table loaded (index_digest text, embedding_model text)")
    notes.change("insert into loaded values (?, 'small-1')", world.release.candidate.index)
    document = world.playbook.model_dump(mode="json", by_alias=True, exclude_none=True)
    document["data_integrity"]["checks"].append(
        {
            "id": "right_index",
            "kind": "index_version",
            "source": "notes",
            "query": 'select index_digest as "index", embedding_model from loaded',
            "embedding_model": "small-1",
            "meaning": "the index of the version that users return to is loaded",
        }
    )
    document["data_integrity"]["after"].append("right_index")
    world.playbook = world.catalogue.the_playbook = Playbook.model_validate(document)
    async with world.worker():
        handle = await world.open_incident()
        await world.approve_by_two()
        said = await in_stage(world, 3, "stopped")
        assert world.release.candidate.index in said
        assert world.release.baseline.index in said
        assert (await world.view()).status == "reverting"
        notes.change("update loaded set index_digest = ?", world.release.baseline.index)
        await world.decide(DecisionKind.resume, cases.JONAS, reason="the right index is loaded")
        assert (await handle.result()).outcome == "reverted"


async def test_a_table_that_cannot_be_read_is_unknown_and_stops(world: World, notes: Notes) -> None:
    async with world.worker():
        await world.open_incident()
        await world.approve_by_two()
        await in_stage(world, 1, "soaking")
        notes.path.unlink()
        assert "cannot be read" in await in_stage(world, 1, "stopped")
    words = {str(body["word"]) for body in world.ledger.bodies(Kind.check_result) if body["phase"] == "between"}
    assert words == {"pass", "unknown"}

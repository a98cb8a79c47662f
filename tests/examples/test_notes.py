"""What the demo's assistants write down, and what the checks of the demo's playbook find in it."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from temporalio.testing import ActivityEnvironment

from activities.checking import CheckingActivities, CheckRequest
from adapters.data_settings import SqlSettings
from adapters.data_sources import ConfiguredDataSources
from countermand.playbook.integrity import DataCheck
from countermand.playbook.load import parse
from examples.demo.bundles import BASELINE, CANDIDATE
from examples.demo.notes import NoteStore
from tests import fakes
from tests.plans import a_plan

PLAYBOOK = parse((Path(__file__).parents[2] / "examples" / "demo" / "playbook.yaml").read_bytes())
GOOD, BAD = BASELINE.bundle.digest, CANDIDATE.bundle.digest
PLAN = a_plan().model_copy(update={"candidate": CANDIDATE.bundle, "baseline": BASELINE.bundle})


class Desk:
    """The data checks of the demo over a database in which both versions wrote."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "service.db"
        notes = NoteStore(self.database)
        for user in ("ada", "bo", "cy"):
            for version in (GOOD, BAD):
                notes.write(user, version, "The fee is 3 EUR.", known=user != "cy")
        notes.close()
        (folder / "notes.url").write_text(f"sqlite+aiosqlite:///{self.database}")
        ledger = fakes.FakeLedger()
        settings = {"notes": SqlSettings(kind="sql", url_file=folder / "notes.url")}
        sources = ConfiguredDataSources(settings, ledger.put_blob)
        self.checking = CheckingActivities(fakes.FakeTarget(0, GOOD), sources, ledger, fakes.now)

    def change(self, statement: str) -> None:
        connection = sqlite3.connect(self.database)
        with connection:
            connection.execute(statement)
        connection.close()

    async def run(self, phase: Literal["before", "between", "after"]) -> dict[str, tuple[str, str]]:
        """(word, sentence) by check."""
        checks = tuple(check for check in PLAYBOOK.data_integrity.named(phase) if isinstance(check, DataCheck))
        request = CheckRequest(
            plan=PLAN, revert=1, stage=1, phase=phase, checks=checks, time_limit=timedelta(seconds=20), key="effect",
            attempt=0,
        )  # fmt: skip
        checked = await ActivityEnvironment().run(self.checking.run_checks, request)
        return {result.name: (result.word.value, result.sentence) for result in checked.results}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_later_answer_takes_the_place_of_the_note_and_a_restart_keeps_all(tmp_path: Path) -> None:
    for answer, known in (("The fee is nil.", True), ("I do not know.", False)):
        notes = NoteStore(tmp_path / "service.db")
        notes.write("ada", BAD, answer, known=known)
        notes.close()
    connection = sqlite3.connect(tmp_path / "service.db")
    rows = connection.execute("select user, kind, note, disposition from conversation_notes").fetchall()
    connection.close()
    assert rows == [("ada", "open_question", "I do not know.", "reprocess")]


async def test_notes_that_are_well_pass_in_every_phase(desk: Desk) -> None:
    for phase in ("before", "between"):
        assert {word for word, _ in (await desk.run(phase)).values()} == {"pass"}
    after = await desk.run("after")
    assert {word for word, _ in after.values()} == {"pass"}
    assert "3 rows of the candidate: 2 keep, 1 reprocess." in after["notes_of_the_bad_version"][1]


@pytest.mark.parametrize(
    ("harm", "check", "said"),
    [
        ("delete from conversation_notes where user = 'ada'", "notes_kept", "conversation_notes 6 → 4"),
        ("update conversation_notes set written_by = 'nobody' where user = 'bo' and written_by = '" + GOOD + "'",
         "notes_have_an_author", "“bo”"),
        ("update conversation_notes set disposition = null where user = 'cy'", "notes_of_the_bad_version",
         "1 of 3 rows of the candidate have no disposition"),
    ],
)  # fmt: skip
async def test_harm_to_the_notes_is_found(desk: Desk, harm: str, check: str, said: str) -> None:
    await desk.run("before")
    desk.change(harm)
    after = await desk.run("after")
    assert [name for name, (word, _) in after.items() if word == "fail"] == [check]
    assert said in after[check][1]

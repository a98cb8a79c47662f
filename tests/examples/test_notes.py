"""What the demo's assistants write down, as the checks of its playbook find it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from examples.demo.notes import NoteStore


def rows(database: Path) -> list[tuple[str, ...]]:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        query = "select user, written_by, kind, note, disposition from conversation_notes order by user, written_by"
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_each_version_has_one_note_per_user_that_says_what_becomes_of_it(tmp_path: Path) -> None:
    notes = NoteStore(tmp_path / "service.db")
    notes.write("ada", "sha256:bad", "The fee is nil.", known=True)
    notes.write("ada", "sha256:good", "The fee is 3 EUR.", known=True)
    notes.write("ada", "sha256:bad", "I do not know.", known=False)
    notes.close()
    assert rows(tmp_path / "service.db") == [
        ("ada", "sha256:bad", "open_question", "I do not know.", "reprocess"),
        ("ada", "sha256:good", "answer", "The fee is 3 EUR.", "keep"),
    ]


def test_notes_survive_a_restart(tmp_path: Path) -> None:
    for user in ("ada", "bo"):
        notes = NoteStore(tmp_path / "service.db")
        notes.write(user, "sha256:good", "Yes.", known=True)
        notes.close()
    assert len(rows(tmp_path / "service.db")) == 2

"""What the assistants write down: for each user the last answer, with the digest of the bundle that gave it.

A rollback has to say what becomes of these notes, so every note carries its disposition from the start: answers are
kept, questions that nobody answered are asked again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

_SCHEMA = """
create table if not exists conversation_notes (
  user text not null, written_by text not null, kind text not null, note text not null, disposition text,
  primary key (user, written_by)
) strict, without rowid;
"""


class NoteStore:
    """One note per user and bundle; a later answer of the same bundle takes its place."""

    def __init__(self, database: Path) -> None:
        self._db = sqlite3.connect(database)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=normal")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def write(self, user: str, bundle: str, answer: str, *, known: bool) -> None:
        """What the bundle of this digest answered; `known`: whether it had an answer at all."""
        kind: Literal["answer", "open_question"] = "answer" if known else "open_question"
        disposition: Literal["keep", "reprocess"] = "keep" if known else "reprocess"
        with self._db:
            self._db.execute(
                "insert into conversation_notes values (?, ?, ?, ?, ?) on conflict do update"
                " set kind = excluded.kind, note = excluded.note, disposition = excluded.disposition",
                (user, bundle, kind, answer, disposition),
            )

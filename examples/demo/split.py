"""The split: which share of users gets which arm. SQLite holds it; every change is a new generation."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from countermand.canonical import instant
from countermand.detection.models import Arm
from countermand.plan.target import WHOLE, Split, Value

_SCHEMA = """
create table if not exists split (
  name text primary key, generation integer not null,
  candidate_bp integer not null, baseline_bp integer not null,
  idem_key text, fence integer not null, changed_at text not null, salt text not null
) strict;
create table if not exists split_history (
  seq integer primary key autoincrement, name text not null, generation integer not null,
  candidate_bp integer not null, baseline_bp integer not null,
  idem_key text, fence integer not null, changed_at text not null
) strict;
create trigger if not exists history_is_not_updated before update on split_history
  begin select raise(abort, 'the history of splits is append-only'); end;
create trigger if not exists history_is_not_deleted before delete on split_history
  begin select raise(abort, 'the history of splits is append-only'); end;
"""
_COLUMNS = "name, generation, candidate_bp, baseline_bp, idem_key, fence, changed_at"


class SplitState(Value):
    """One generation of a split and who asked for it."""

    name: str
    generation: int
    candidate_bp: int
    baseline_bp: int
    idempotency_key: str | None
    fence: int
    changed_at: str


class UnknownSplit(Exception):
    """No split has this name."""


class Moved(Exception):
    """The split is not at the generation that the writer expected."""


class LowerFence(Exception):
    """A writer with a higher fence was here before."""


class KeyReused(Exception):
    """The idempotency key belongs to a change to other shares."""


def bucket(salt: str, user: str) -> int:
    """A fixed number in 0…9,999 for this user."""
    return int.from_bytes(hashlib.sha256(f"{salt}{user}".encode()).digest()[:8]) % WHOLE


def arm_of(salt: str, user: str, candidate_bp: int) -> Arm:
    """The arm of this user at this share; a change of share moves only the users between the two shares."""
    return Arm.candidate if bucket(salt, user) < candidate_bp else Arm.baseline


class SplitStore:
    """Splits by name, with an append-only history."""

    def __init__(self, database: Path) -> None:
        self._db = sqlite3.connect(database)
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=full")
        self._db.executescript(_SCHEMA)

    @property
    def database(self) -> sqlite3.Connection:
        """What else belongs to splits is kept beside them."""
        return self._db

    def close(self) -> None:
        self._db.close()

    def seed(self, name: str, split: Split, salt: str) -> None:
        """Create the split at generation 1 unless it exists: a restart keeps what was set."""
        row = (name, 1, split.candidate_bp, split.baseline_bp, None, 0, instant(datetime.now(UTC)))
        with self._db:
            if self._db.execute("insert or ignore into split values (?,?,?,?,?,?,?,?)", (*row, salt)).rowcount:
                self._append(row)

    def get(self, name: str) -> SplitState:
        """Raises UnknownSplit."""
        row = self._db.execute(f"select {_COLUMNS} from split where name = ?", (name,)).fetchone()  # noqa: S608
        if row is None:
            raise UnknownSplit(f"no split is called {name!r}")
        return _state(row)

    def salt(self, name: str) -> str:
        """What users are hashed with; fixed for the life of the split."""
        return str(self._db.execute("select salt from split where name = ?", (name,)).fetchone()[0])

    def history(self, name: str) -> list[SplitState]:
        """Every generation, oldest first."""
        query = f"select {_COLUMNS} from split_history where name = ? order by seq"  # noqa: S608
        return [_state(row) for row in self._db.execute(query, (name,))]

    def change(
        self, name: str, split: Split, *, key: str, fence: int, generation: int | None, dry_run: bool
    ) -> tuple[SplitState, bool]:
        """The state afterwards, and whether this key had been applied before (then nothing is changed again).

        Raises UnknownSplit, KeyReused, LowerFence, Moved; nothing has changed then, nor with `dry_run`.
        """
        now = self.get(name)
        applied = self._db.execute(
            "select candidate_bp from split_history where name = ? and idem_key = ?", (name, key)
        ).fetchone()
        if applied and applied[0] != split.candidate_bp:
            raise KeyReused(f"key {key!r} set the candidate to {applied[0]} bp, not {split.candidate_bp}")
        if applied:
            return now, True
        if fence < now.fence:
            raise LowerFence(f"fence {fence} is lower than {now.fence}, set by generation {now.generation}")
        if generation != now.generation:
            raise Moved(f"the split is at generation {now.generation}, not {generation}")
        return (now if dry_run else self.write(now, split, key=key, fence=fence)), False

    def write(self, before: SplitState, split: Split, *, key: str, fence: int) -> SplitState:
        """One new generation after `before`, whatever the key. Raises Moved."""
        now = instant(datetime.now(UTC))
        after = (before.generation + 1, split.candidate_bp, split.baseline_bp, key, fence, now)
        with self._db:
            changed = self._db.execute(
                "update split set (generation, candidate_bp, baseline_bp, idem_key, fence, changed_at)"
                " = (?,?,?,?,?,?) where name = ? and generation = ?",
                (*after, before.name, before.generation),
            )
            if not changed.rowcount:
                raise Moved(f"the split left generation {before.generation}")
            self._append((before.name, *after))
        return _state((before.name, *after))

    def _append(self, row: tuple[object, ...]) -> None:
        self._db.execute(f"insert into split_history ({_COLUMNS}) values (?,?,?,?,?,?,?)", row)  # noqa: S608


def _state(row: tuple[object, ...]) -> SplitState:
    return SplitState.model_validate(dict(zip(SplitState.model_fields, row, strict=True)))

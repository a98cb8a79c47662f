"""The evidence restore drill: does a copy of the database still make the pack that was sealed? (LRN §4)

Nothing is signed anew over the copy: a second signed head of one size would be another history. A pack that was sealed
before is made again from the copy, has to have the same bytes, and is checked with the program that auditors get.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from activities.evidence_ports import CheckpointFailed
from adapters.catalogue import SqlCatalogue
from adapters.checkpoints import SqlCheckpoints
from adapters.database import Database
from adapters.ledger import SqlLedger
from adapters.outbox import Outbox
from adapters.settings import Settings
from adapters.signals import SqlSignals
from adapters.signing import LedgerKey
from adapters.vault import SqlVault
from adapters.vault_key import MasterKey
from console.packs import Packs, SealingStopped
from countermand.cadence.audits import Audited
from countermand.evidence import verify
from countermand.ledger.cadence_bodies import Finding
from countermand.ledger.record import Kind

#: Seconds that the program of auditors has for one pack.
_WITHIN = 600.0


class RestoreDrill:
    """One installation's database and keys."""

    def __init__(self, db: Database, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._db = db
        self._settings = settings
        self._clock = clock

    async def drill(self, _now: datetime) -> Audited:
        """Copy, make the pack of the newest incident again, verify it."""
        if self._db.dialect != "sqlite" or self._db.url.database is None:
            return _unseen(
                "PostgreSQL is not copied here: restore a backup, start a console on it, make the pack there."
            )
        with tempfile.TemporaryDirectory(prefix="countermand-drill-") as folder:
            here = Path(folder)
            original = self._packs(self._db, here / "original")
            incidents = await SqlLedger(self._db).records(kinds=(Kind.incident_opened,))
            if not incidents or incidents[-1].incident_id is None:
                return _unseen("There is no incident yet whose pack could be made.")
            incident_id = incidents[-1].incident_id
            try:
                sealed = await original.build(await original.incident_scope(incident_id), "redacted")
            except (SealingStopped, CheckpointFailed) as stopped:
                return Audited(sentence="No pack was made.", findings=(_finding(incident_id, str(stopped)),))
            copy = here / "copy.db"
            await asyncio.to_thread(_copied, Path(self._db.url.database), copy)
            return await self._from_copy(copy, here, incident_id, sealed.record.seq)

    async def _from_copy(self, copy: Path, here: Path, incident_id: str, seq: int) -> Audited:
        db = Database(f"sqlite+aiosqlite:///{copy}")
        try:
            [record] = await SqlLedger(db).records(after_seq=seq - 1, limit=1)
            made = await self._packs(db, here / "again").again(record)
        except (ValueError, KeyError, SQLAlchemyError) as wrong:
            return Audited(sentence="The copy makes no pack.", findings=(_finding(incident_id, str(wrong)),))
        finally:
            await db.close()
        if made is None:
            said = "The copy makes another pack than the one that was sealed."
            return Audited(sentence="A pack was made from a copy.", findings=(_finding(incident_id, said),))
        pack = here / "pack.zip"
        await asyncio.to_thread(pack.write_bytes, made.content)
        code, printed = await _verified(pack)
        sentence = f"The pack of {incident_id} was made from a copy of the database, {len(made.content)} bytes."
        if code in (verify.OK, verify.EXIT_WEAKER):
            return Audited(sentence=sentence)
        return Audited(sentence=sentence, findings=(_finding(incident_id, f"verify.py says: {printed[-600:]}"),))

    def _packs(self, db: Database, directory: Path) -> Packs:
        settings, key = self._settings, LedgerKey(self._settings.ledger_key)
        vault = SqlVault(db, MasterKey(settings.vault_key))
        return Packs(
            ledger=SqlLedger(db, vault=vault),
            catalogue=SqlCatalogue(db),
            signals=SqlSignals(db),
            outbox=Outbox(db),
            vault=vault,
            checkpoints=SqlCheckpoints(db, key, settings.deployment, self._clock),
            key=key,
            directory=directory,
            templates=settings.templates,
        )


def _copied(original: Path, copy: Path) -> None:
    """SQLite's own online backup, as an operator makes one."""
    with closing(sqlite3.connect(original)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


async def _verified(pack: Path) -> tuple[int, str]:
    """Exit code and words of the program that auditors get, in a process of its own."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        verify.__file__,
        str(pack),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(program.communicate(), _WITHIN)
    except TimeoutError:
        program.kill()
        await program.wait()
        return verify.EXIT_REJECTED, f"no answer within {_WITHIN:.0f} s"
    return program.returncode or 0, printed.decode(errors="replace")


def _finding(about: str, said: str) -> Finding:
    return Finding(about=about, sentence=said)


def _unseen(said: str) -> Audited:
    return Audited(sentence="No pack was made.", not_looked=(_finding("pack", said),))

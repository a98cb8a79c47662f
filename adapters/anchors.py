"""What a place outside does with a checkpoint, and how its answer is kept (EVD-11, EVD-12)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from sqlmodel import col, func, select

from adapters.checkpoints import SqlCheckpoints, forks
from adapters.database import Database, insert_new
from adapters.ledger import SqlLedger
from adapters.tables import AnchorTable, CheckpointTable, CosignatureTable
from countermand.ledger.bodies import CheckpointExternal, CheckpointForked
from countermand.ledger.note import Checkpoint
from countermand.plan.target import Value

_ACTOR = "worker"


class AnchorFailed(Exception):
    """The place did not take it now; trying again later may help."""


class AnchorMisconfigured(AnchorFailed):
    """The place refuses us; a person has to change something there or in the anchors file."""


class Forked(Exception):
    """The place holds another history than this Ledger. answer: what it said or holds."""

    def __init__(self, sentence: str, answer: bytes) -> None:
        super().__init__(sentence)
        self.answer = answer


class Taken(Value):
    """That a place took a checkpoint. answer: what it gave back. cosignature: the signature line of a witness."""

    answer: bytes
    media_type: str
    cosignature: str | None = None


class Anchor(Protocol):
    """One place outside of the database."""

    @property
    def kind(self) -> Literal["witness", "rfc3161", "folder"]: ...

    @property
    def place(self) -> str: ...

    async def take(self, checkpoint: Checkpoint, checkpoints: SqlCheckpoints, /) -> Taken:
        """Hand over a checkpoint. Raises AnchorFailed, AnchorMisconfigured, Forked."""
        ...

    async def seen(self, checkpoint: Checkpoint, /) -> int:
        """How many records this place has seen, 0 when it remembers nothing. Raises AnchorFailed."""
        ...


class AnchorStore:
    """Keeps what places outside answered."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ledger = SqlLedger(db)

    async def anchored(self, kind: str, place: str) -> int:
        """Size of the newest checkpoint that this place took; 0 when it took none."""
        query = select(func.max(AnchorTable.tree_size)).where(AnchorTable.kind == kind, AnchorTable.place == place)
        async with self._db.reading() as session:
            return (await session.exec(query)).one() or 0

    async def waiting_since(self, kind: str, place: str) -> datetime | None:
        """When the oldest checkpoint was signed that this place has not taken and nothing newer; None when it has."""
        query = select(func.min(CheckpointTable.at)).where(
            col(CheckpointTable.tree_size) > await self.anchored(kind, place)
        )
        async with self._db.reading() as session:
            return (await session.exec(query)).one()

    async def places(self) -> list[AnchorTable]:
        """Everything that was anchored, by size."""
        async with self._db.reading() as session:
            return list((await session.exec(select(AnchorTable).order_by(col(AnchorTable.tree_size)))).all())

    async def keep(self, anchor: Anchor, checkpoint: Checkpoint, taken: Taken, at: datetime) -> None:
        """Store the answer and record that the place holds this checkpoint; repeating it changes nothing."""
        blob = await self._ledger.put_blob(taken.answer, taken.media_type)
        where = {"tree_size": checkpoint.size, "place": anchor.place}
        async with self._db.writing() as session:
            known = await session.get(AnchorTable, (checkpoint.size, anchor.kind, anchor.place))
            if known is None:
                await insert_new(session, AnchorTable, **where, kind=anchor.kind, blob_sha256=blob, at=at)
                if taken.cosignature is not None:
                    values = {"tree_size": checkpoint.size, "witness": anchor.place, "line": taken.cosignature}
                    await insert_new(session, CosignatureTable, **values, at=at)
        if known is None:
            body = CheckpointExternal(**where, kind=anchor.kind, blob_sha256=blob)
            await self._ledger.append(
                body.entry(f"checkpoint/external/{anchor.kind}/{anchor.place}/{checkpoint.size}", _ACTOR)
            )

    async def keep_fork(self, anchor: Anchor, checkpoint: Checkpoint, fork: Forked) -> None:
        """Record that the place holds another history; once until it takes a checkpoint again."""
        if (anchor.kind, anchor.place) in await forks(self._ledger):
            return
        assert anchor.kind != "rfc3161"  # noqa: S101  # a timestamp authority remembers nothing
        body = CheckpointForked(
            tree_size=checkpoint.size,
            kind=anchor.kind,
            place=anchor.place,
            sentence=str(fork),
            blob_sha256=await self._ledger.put_blob(fork.answer, "text/plain"),
        )
        await self._ledger.append(body.entry(f"checkpoint/forked/{anchor.place}/{checkpoint.size}", _ACTOR))

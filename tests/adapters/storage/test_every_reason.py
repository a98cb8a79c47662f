"""Hold × open reporting clock × period × way of deleting, against the real tables (OBL-29, OBL-33, OBL-36)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlmodel import select

from adapters.database import Database
from adapters.erasure import Request, SqlErasure
from adapters.ledger import SqlLedger
from adapters.retention import Run, SqlRetention
from adapters.sample_purge import SqlSamplePurge
from adapters.tables import BlobTable, ObservationTable, ReleaseTable, VaultItemTable, VaultKeyTable
from countermand.ledger.bodies import ErasureRefused, HoldPlaced, ObligationClock, ObligationFiled
from countermand.ledger.record import Entry, Kind
from countermand.plan.model import Release
from countermand.retention.holding import Scope
from tests.adapters.storage.releases import START
from tests.adapters.storage.test_vault import concern
from tests.vaults import vault

INCIDENT, MARIA = "inc-1", "local|maria"
RUN = Run(run_id="run-1", approver="schedule", operator="worker")
LATE = datetime(2040, 1, 1, tzinfo=UTC)


def clock(row_id: str = "gdpr-33") -> Entry:
    body = ObligationClock(
        row_id=row_id, regime="gdpr", row_sha256="0", row={"legal_status": "in_force"}, anchor_event="aware.breach",
        anchor_at=START, due=START + timedelta(hours=72), legal_latest=None, notes=(), rules="r", rebased_from=None,
    )  # fmt: skip
    return body.entry(f"{INCIDENT}/clock/{row_id}", "worker", incident_id=INCIDENT, release_id="rel-1")


def filed(row_id: str = "gdpr-33") -> Entry:
    body = ObligationFiled(
        decision_id="d-f", subject="local|lena", name="Lena", role="dpo", row_id=row_id, content_sha256="0",
        channel="portal", reference="7", receipt_sha256=None, filed_at=START, facts_root=1, late=False, partial=False,
    )  # fmt: skip
    return body.entry(f"{INCIDENT}/filed/{row_id}", "local|lena", incident_id=INCIDENT, release_id="rel-1")


def hold(**scope: tuple[str, ...]) -> Entry:
    body = HoldPlaced(
        hold_id="hold-1", scope=Scope(**scope), reason="a court asks", matter="case 7", custodians=(),
        decision_id="d-h", subject="local|lena", name="Lena",
    )  # fmt: skip
    return body.entry("hold/1/placed", "console")


class Place:
    """One incident with a text of Maria, a page that quotes her, and a sample of its release."""

    def __init__(self, db: Database, now: datetime = LATE) -> None:
        self.db = db
        self.ledger = SqlLedger(db, lambda: START, vault=vault(db))
        self.now = lambda: now

    async def begin(self, *reasons: Entry) -> None:
        self.text = concern(1, subject=MARIA).model_copy(update={"incident_id": INCIDENT})
        await self.ledger.append(self.text, *reasons)
        self.page = await self.ledger.put_blob(b"<p>Maria said</p>", "text/html", INCIDENT)
        at_us = int(START.timestamp() * 1e6)
        async with self.db.writing() as session:
            watched = await session.get(ReleaseTable, "rel-1")
            assert watched is not None
            watched.sealed_until_us = at_us + 1
            session.add(watched)
            session.add(
                ObservationTable(
                    source_id="app", observation_id="o-1", batch_id="b-1", release_id="rel-1", signal="failures",
                    arm="candidate", event_us=at_us, value=1, late=False,
                )
            )  # fmt: skip

    async def left(self) -> dict[str, bool]:
        async with self.db.reading() as session:
            items = [one.incident_id for one in await session.exec(select(VaultItemTable))]
            samples = (await session.exec(select(ObservationTable.observation_id))).all()
        return {
            "text": INCIDENT in items,
            "page": await self.ledger.get_blob(self.page) is not None,
            "sample": bool(samples),
        }

    async def purge(self) -> None:
        await SqlRetention(self.db, self.ledger, clock=self.now).purge_texts(RUN, "decisions_and_plans")
        await SqlSamplePurge(self.db, self.ledger, clock=self.now).purge_release(RUN, "rel-1")

    async def erase(self) -> list[object]:
        eraser = SqlErasure(self.db, self.ledger, vault(self.db), clock=self.now)
        return list(await eraser.erase(Request(erasure_id="e-1", subject=MARIA, reason="asked", by="privacy")))


KEPT = {"text": True, "page": True, "sample": True}


@pytest.mark.parametrize("way", ["purge", "erase"])
@pytest.mark.parametrize(
    "reasons",
    [(hold(incidents=(INCIDENT,), releases=("rel-1",)),), (clock(),), (clock(), filed("ai-act-73"))],
    ids=["hold", "clock", "another row was filed"],
)
async def test_obl_29_neither_purge_nor_erasure_takes_what_is_held_or_still_to_be_reported(
    db: Database, release: Release, way: str, reasons: tuple[Entry, ...]
) -> None:
    place = Place(db)
    await place.begin(*reasons)
    answers = await (place.purge() if way == "purge" else place.erase())
    assert await place.left() == KEPT
    if answers:
        (refused,) = answers
        assert isinstance(refused, ErasureRefused)
        assert ("legal hold" if reasons[0].kind is Kind.hold_placed else "gdpr-33 of incident inc-1") in refused.basis


async def test_obl_29_a_report_that_was_filed_in_full_lets_everything_go(db: Database, release: Release) -> None:
    place = Place(db)
    await place.begin(clock(), filed())
    await place.purge()
    assert await place.left() == KEPT | {"text": False, "sample": False}
    assert len(await place.ledger.records(kinds=[Kind.purge_certificate])) == 2


async def test_obl_36_an_erasure_without_a_reason_to_keep_takes_text_and_page(db: Database, release: Release) -> None:
    place = Place(db)
    await place.begin()
    await place.erase()
    assert await place.left() == {"text": False, "page": False, "sample": True}


async def test_obl_29_what_quotes_somebody_who_is_held_stays_when_another_person_is_erased(
    db: Database, release: Release
) -> None:
    place = Place(db)
    await place.begin(hold(subjects=("local|jonas",)))
    _, refused = await place.erase()
    assert await place.left() == {"text": False, "page": True, "sample": True}
    assert isinstance(refused, ErasureRefused)
    assert refused.scope == "shown pages and messages that quote them"


@pytest.mark.parametrize(("held", "after"), [(False, False), (True, True)])
async def test_obl_33_yesterdays_copy_of_the_vault_is_purged_again_unless_it_is_held_now(
    db: Database, release: Release, held: bool, after: bool
) -> None:
    place = Place(db)
    await place.begin()
    async with db.reading() as session:
        keys = [row.model_dump() for row in await session.exec(select(VaultKeyTable))]
        items = [row.model_dump() for row in await session.exec(select(VaultItemTable))]
        blobs = len((await session.exec(select(BlobTable.sha256))).all())
    await place.erase()
    async with db.writing() as session:
        session.add_all([VaultKeyTable(**key) for key in keys])
        await session.flush()
        session.add_all([VaultItemTable(**item) for item in items])
    assert await place.left() == KEPT, "the copy is back, with its keys"
    assert blobs == 1
    if held:
        await place.ledger.append(hold(incidents=(INCIDENT,)))
    assert await SqlErasure(db, place.ledger, vault(db), clock=place.now).replay() == (0 if held else 1)
    assert await place.left() == {"text": after, "page": after, "sample": True}

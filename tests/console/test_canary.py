"""What people type through the door of the console is in no line and in no plain byte of the record (T15, EVD-26)."""

from __future__ import annotations

import sqlite3

import pytest
from sqlmodel import select

from adapters.tables import BlobTable, LedgerTable, VaultItemTable
from countermand.ledger.record import Kind
from tests import cases
from tests.adapters.storage.test_vault import files
from tests.console.conftest import Served
from tests.console.test_holds import people, place
from tests.console.test_standing import decide
from tests.console.test_versions import BASELINE, Call, call, deny, served
from tests.console.world import RELEASE

__all__ = ["call", "people", "served"]
CANARY = "canary7 sings in the mine"


async def test_t15_a_canary_typed_on_every_path_of_the_api_is_in_no_stored_line(
    served: Served,
    call: Call,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.console.test_standing.WHY", CANARY)
    about = f"/releases/{RELEASE}"
    said = {"severity": "sev2", "reason": CANARY}
    declared = {"severity": "sev2", "mode": "propose", "harm": CANARY, "reason": f"{CANARY} again"}
    in_production = {"environment": "production", "reason": CANARY}
    answers = [
        await call(cases.MARIA, "POST", f"{about}/concerns", said | {"propose": True}),
        await call(cases.MARIA, "POST", f"{about}/declarations", declared),
        await call(cases.MARIA, "POST", f"/releases/{BASELINE}/denials", in_production),
        await deny(served, call, reason=CANARY),
        await call(cases.LENA, "POST", "/holds", {"subjects": ["x"], "matter": CANARY, "reason": CANARY}),
    ]
    await place(served, call)
    erasure = {"subject": cases.MARIA, "reason": CANARY}
    answers.append(await call(cases.LENA, "POST", "/retention/erasures", erasure))
    hold = (await call(cases.MARIA, "GET", "/holds")).json()["items"][0]["hold_id"]
    answers += [
        await call(cases.MARIA, "POST", "/retention/erasures", {"subject": "x", "reason": CANARY, "claim": CANARY}),
        await call(cases.MARIA, "POST", f"/releases/{BASELINE}/allowances", in_production),
        await call(cases.LENA, "POST", f"/holds/{hold}/release", {"reason": CANARY}),
    ]
    asked = [answer.json()["consent_id"] for answer in answers[-2:]]
    voted = [
        await decide(served, call, who, consent_id, kind)
        for consent_id, (who, kind) in zip(asked, ((cases.LENA, "reject"), (cases.MARIA, "approve")), strict=True)
    ]
    answers += voted
    assert [answer.status_code for answer in answers if answer.status_code in (404, 405, 422, 500)] == []
    async with served.world.deps.database.reading() as session:
        lines = list(await session.exec(select(LedgerTable.line)))
        blobs = list(await session.exec(select(BlobTable.content)))
        sealed = list(await session.exec(select(VaultItemTable.ciphertext)))
    assert [line for line in lines if "canary7" in line] == []
    assert [blob for blob in [*blobs, *sealed] if b"canary7" in blob] == []
    with sqlite3.connect(served.world.deps.database.url.database or "") as raw:
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert [raw for raw in files(served.world.deps.database) if b"canary7" in raw] == [], "a plain byte of it"
    assert [record.message for record in caplog.records if "canary7" in record.message] == []
    every = await served.world.deps.ledger.records()
    kinds = {record.kind for record in every if "canary7" in str(record.body)}
    assert kinds >= {
        Kind.decision,
        Kind.version_denied,
        Kind.consent_opened,
        Kind.consent_vote,
        Kind.erasure_refused,
    }, kinds
    told = await served.world.deps.ledger.records(kinds=[Kind.concern_raised])
    assert [record.body["reason"] for record in told] == [CANARY], "who may read still reads it"

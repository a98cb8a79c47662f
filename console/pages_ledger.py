"""The Ledger as it is: records in order, one record with its bytes and links, and the check of the whole chain."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from adapters.ledger_proof import verify_ledger
from console.api_ledger import anchors_of
from console.auth import Session, browser
from console.deps import Console, console
from console.ledger_heads import head_view, proof_view
from console.render import Page
from console.summaries import summary
from countermand.ledger.record import GENESIS_PREV, ChainBroken, Record, verify_chain

router = APIRouter()

Deps = Annotated[Console, Depends(console)]
SignedIn = Annotated[Session, Depends(browser)]

PER_PAGE = 100


@dataclass(frozen=True)
class Checked:
    """The answer of a check, in a word of the glossary and a sentence."""

    word: str
    sentence: str


@router.get("/ledger")
async def ledger(deps: Deps, session: SignedIn, after: int | None = None) -> Response:
    """Records after a seq, or the newest ones."""
    page = await Page.begin(deps, session)
    first = max(page.as_of - PER_PAGE, -1) if after is None else max(after, -1)
    records = await deps.ledger.records(after_seq=first, limit=PER_PAGE)
    return page.html(
        "ledger.html",
        records=[(record, summary(record)) for record in records],
        head=await head_view(deps),
        older=max(first - PER_PAGE, -1) if first >= 0 else None,
        newer=records[-1].seq if records and records[-1].seq < page.as_of else None,
    )


@router.get("/ledger/verify")
async def verify_all(deps: Deps, session: SignedIn) -> Response:
    """Check every record and every link; the same code as the command line's."""
    page = await Page.begin(deps, session)
    found = await verify_ledger(deps.database, anchors_of(deps))
    checked = Checked("pass" if found.ok else "fail", found.sentence)
    return page.html("verify.html", checked=checked, found=found)


@router.get("/ledger/{seq:int}")
async def record(seq: int, deps: Deps, session: SignedIn) -> Response:
    page = await Page.begin(deps, session)
    around = await deps.ledger.records(after_seq=seq - 2, limit=3)
    found = next((record for record in around if record.seq == seq), None)
    if found is None:
        raise HTTPException(404)
    return page.html(
        "record.html",
        record=found,
        summary=summary(found),
        pretty=json.dumps(json.loads(found.line), indent=2, ensure_ascii=False, sort_keys=True),
        checked=_check(found, around),
        proof=await proof_view(deps, found),
        newest=page.as_of,
    )


def _check(record: Record, around: list[Record]) -> Checked:
    """The record's own form, its link to the one before and the next one's link to it."""
    by_seq = {neighbour.seq: neighbour for neighbour in around}
    before, following = by_seq.get(record.seq - 1), by_seq.get(record.seq + 1)
    if before is None and record.seq > 0:
        return Checked("fail", f"Record {record.seq - 1} is missing.")
    lines = [record.line] + ([following.line] if following else [])
    try:
        verify_chain(lines, first_seq=record.seq, prev=before.hash if before else GENESIS_PREV)
    except ChainBroken as error:
        return Checked("fail", f"The chain breaks at record {error.seq}: {error.why}.")
    after = ", and the next record links to it" if following else "; it is the newest record"
    return Checked("pass", f"In canonical form, linked to the record before{after}.")

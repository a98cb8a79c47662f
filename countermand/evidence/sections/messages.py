"""`comms/`: who was told what and when, by whom it was corrected, and whom it could not reach."""

from __future__ import annotations

from typing import Any

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.evidence.sections.kept import as_line
from countermand.evidence.sections.writing import Section, lines, present, pretty
from countermand.ledger.record import Kind


def messages(material: Material) -> Section:
    """Sent texts by digest, receipts, and who was reached about which request."""
    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    sent = material.of(Kind.comms_sent.value)
    for record in sent:
        digest = record.body["text_sha256"]
        path = f"comms/sent/{digest.removeprefix('sha256:')}.txt"
        if digest in material.blobs:
            files[path] = material.blobs[digest].content
        elif material.profile == "redacted":
            missing[path] = "redacted: a message may hold words of people"
        else:
            missing[path] = "the text is kept in the outbox only; the record names its digest"
    receipts = lines(map(as_line, material.of("comms.", "update.")))
    reached = [_asked(material, record.body["ask_id"]) for record in material.of(Kind.ask_opened.value)]
    section = present(
        {"comms/receipts.jsonl": receipts, "comms/reached.json": pretty(reached) if reached else b""},
        {
            "comms/receipts.jsonl": "nobody was told anything in this scope",
            "comms/reached.json": "nobody was asked anything in this scope",
        },
    )
    if not sent:
        missing["comms/sent"] = "no message was sent in this scope"
    return Section(section.files | files, section.missing | missing)


def _asked(material: Material, ask_id: str) -> dict[str, Any]:
    """Who was asked, how each was reached, who said that they look at it, and who was reminded."""
    about = [record for record in material.of("ask.") if record.body.get("ask_id") == ask_id]
    opened = next(record for record in about if record.kind is Kind.ask_opened)
    return {
        "ask_id": ask_id,
        "seq": opened.seq,
        "asked": opened.body["asked"],
        "expires_at": opened.body["expires_at"],
        "lanes": [_one(record, "name", "lane") for record in about if record.kind is Kind.ask_sent],
        "looking": [_one(record, "name", "channel") for record in about if record.kind is Kind.ask_acknowledged],
        "rungs": [_one(record, "rung", "do", "to") for record in about if record.kind is Kind.ask_rung],
    }


def _one(record: Any, *names: str) -> dict[str, Any]:
    return {"seq": record.seq, "at": instant(record.at), **{name: record.body[name] for name in names}}

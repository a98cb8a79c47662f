"""`decisions.jsonl`, `decisions/` and `views/`: who decided what, in what role, shown what, signed how."""

from __future__ import annotations

import base64
import json
from typing import Any

from countermand.canonical import canonical, instant
from countermand.evidence.material import Material
from countermand.evidence.sections.writing import Section, lines, present
from countermand.ledger.record import Kind, Record


def decisions(material: Material) -> Section:
    """One line per signed or refused act; beside it the exact bytes that were signed, and what was shown."""
    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    listed: list[dict[str, Any]] = []
    asks = {record.body["ask_id"]: record for record in material.of(Kind.ask_opened.value)}
    counted = {
        record.body["decision_id"]: record
        for record in material.records
        if record.kind is not Kind.decision and isinstance(record.body.get("decision_id"), str)
    }
    for record in material.of(Kind.decision.value, Kind.decision_refused.value):
        if record.kind is Kind.decision_refused:
            listed.append(
                {"seq": record.seq, "at": instant(record.at), "incident_id": record.incident_id, "counted": False}
                | record.body
            )
            continue
        decision = record.body["decision"]
        files |= _signed(record)
        if view := decision["view_sha256"]:
            _keep_view(material, view, files, missing)
        listed.append(_line(record, decision, asks.get(decision["ask_id"]), counted.get(decision["decision_id"])))
    none = "nobody decided anything in this scope"
    section = present({"decisions.jsonl": lines(listed)}, {"decisions.jsonl": none})
    if not any(path.startswith("views/") for path in (*files, *missing)):
        missing["views"] = "no decision in this scope names a stored view"
    if not files:
        missing["decisions"] = none
    return Section(section.files | files, section.missing | missing)


def _line(record: Record, decision: dict[str, Any], ask: Record | None, effect: Record | None) -> dict[str, Any]:
    shown = {key: value for key, value in decision.items() if key not in ("signature", "bound")}
    times = {"presented_at": None, "expires_at": None}
    if ask is not None:
        times = {"presented_at": ask.body["opened_at"], "expires_at": ask.body["expires_at"]}
    return {
        "seq": record.seq,
        "incident_id": record.incident_id,
        "processed_at": instant(record.at),
        # A refused act is signed and recorded too; what it led to is another record.
        "counted": effect is not None and effect.kind is not Kind.decision_refused,
        "led_to": None if effect is None else {"seq": effect.seq, "kind": effect.kind.value},
        "excluded": [] if ask is None else ask.body["excluded"],
        "requester": None if ask is None else ask.body["requester"],
        "signed_bytes": f"decisions/{record.seq}.json",
        "signature_file": f"decisions/{record.seq}.sig",
        **times,
        **shown,
    }


def _signed(record: Record) -> dict[str, bytes]:
    """What the gateway key signed: the decision as it stands in the line, without `signature`."""
    decision = json.loads(record.line)["body"]["decision"]
    signature = base64.b64decode(decision.pop("signature"))
    return {f"decisions/{record.seq}.json": canonical(decision), f"decisions/{record.seq}.sig": signature}


def _keep_view(material: Material, view: str, files: dict[str, bytes], missing: dict[str, str]) -> None:
    path = f"views/{view.removeprefix('sha256:')}"
    if view in material.blobs:
        files[path] = material.blobs[view].content
    elif material.profile == "redacted":
        missing[path] = "redacted: what was shown may hold samples and words of people"
    else:
        missing[path] = "these bytes are not stored here; the decision names their digest"

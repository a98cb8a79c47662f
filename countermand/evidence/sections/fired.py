"""`signals/`: which values fired, on which blocks, against which version of which threshold, and who changed it."""

from __future__ import annotations

from typing import Any

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.evidence.sections.writing import Section, lines, present, pretty
from countermand.ledger.record import Kind
from countermand.playbook.load import parse


def signals(material: Material) -> Section:
    """Verdicts, sealed blocks up to each verdict, thresholds in force and their history."""
    verdicts = [
        {
            "seq": record.seq,
            "at": instant(record.at),
            "incident_id": record.incident_id,
            "release_id": record.release_id,
            **record.body,
        }
        for record in material.of(Kind.verdict.value)
    ]
    blocks = "".join(f"{row}\n" for release in sorted(material.rows) for row in material.rows[release]).encode()
    in_force = [_thresholds(digest, material.playbooks[digest]) for digest in sorted(material.playbooks)]
    history = [
        {"seq": record.seq, "at": instant(record.at), "kind": record.kind.value, "actor": record.actor, **record.body}
        for record in material.of("threshold.", "playbook.", "release.registered")
    ]
    files = {
        "signals/fired.json": pretty(verdicts) if verdicts else b"",
        "signals/blocks.jsonl": blocks,
        "signals/thresholds_in_force.json": pretty(in_force) if in_force else b"",
        "signals/threshold_history.jsonl": lines(history),
    }
    files |= {f"signals/playbooks/{one.removeprefix('sha256:')}.yaml": raw for one, raw in material.playbooks.items()}
    missing = {
        "signals/fired.json": "no watch gave a verdict in this scope",
        "signals/blocks.jsonl": "no sealed measurement led to a verdict in this scope",
        "signals/thresholds_in_force.json": "no playbook is named in this scope",
        "signals/threshold_history.jsonl": "no threshold was changed in this scope",
    }
    section = present(files, missing)
    section.missing["signals/backtests"] = "no back-test of a threshold is recorded"
    return section


def _thresholds(digest: str, raw: bytes) -> dict[str, Any]:
    """The detection part of a playbook; its exact bytes stand beside it."""
    playbook = parse(raw, digest)
    return {
        "playbook_digest": digest,
        "name": playbook.name,
        "version": playbook.version,
        "bytes": f"signals/playbooks/{digest.removeprefix('sha256:')}.yaml",
        "detection": playbook.detection.model_dump(mode="json"),
    }

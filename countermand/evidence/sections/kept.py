"""`freeze/` and `data/`: what was copied before anything was changed, and what was kept, held, purged or erased."""

from __future__ import annotations

from typing import Any

from countermand.canonical import instant
from countermand.evidence.material import Material, shows
from countermand.evidence.sections.writing import Section, lines, present, pretty
from countermand.ledger.record import Kind, Record


def frozen(material: Material) -> Section:
    """The inventory of every freeze, and the bytes of its items by digest."""
    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    inventory: list[dict[str, Any]] = []
    for record in material.of("freeze.", Kind.glass_broken.value):
        items = [_item(material, item, files, missing) for item in record.body.get("items", [])]
        said = {key: value for key, value in record.body.items() if key != "items"}
        inventory.append(
            {"seq": record.seq, "at": instant(record.at), "kind": record.kind.value, "incident_id": record.incident_id}
            | said
            | {"items": items}
        )
    if not any(path.startswith("freeze/items/") for path in (*files, *missing)):
        missing["freeze/items"] = "no frozen item stands in this pack"
    section = present(
        {"freeze/inventory.json": pretty(inventory) if inventory else b""},
        {"freeze/inventory.json": "no evidence was frozen in this scope"},
    )
    return Section(section.files | files, section.missing | missing)


def _item(material: Material, item: dict[str, Any], files: dict[str, bytes], missing: dict[str, str]) -> dict[str, Any]:
    if not item["complete"]:
        return item | {"file": None}
    path = f"freeze/items/{item['sha256'].removeprefix('sha256:')}"
    if not shows(item, material.profile):
        missing[path] = "redacted: this item may hold names and words of people"
    elif item["sha256"] in material.blobs:
        files[path] = material.blobs[item["sha256"]].content
    else:
        missing[path] = "these bytes are not stored here; the inventory names their digest"
    return item | {"file": path if path in files else None}


def dispositions(material: Material) -> Section:
    """What happened to data: retained, purged, held, erased. Each line is a record."""
    kept = {
        "data/retained.jsonl": ("retention.", "freeze.completed", "freeze.incomplete"),
        "data/purge_certificates.jsonl": ("purge.",),
        "data/holds.jsonl": ("hold.",),
        "data/erasures.jsonl": ("erasure.",),
    }
    reasons = {
        "data/retained.jsonl": "no record says what was retained",
        "data/purge_certificates.jsonl": "nothing was purged",
        "data/holds.jsonl": "nothing was put on hold",
        "data/erasures.jsonl": "nobody's words were erased",
    }
    files = {path: lines(map(as_line, material.of(*kinds))) for path, kinds in kept.items()}
    return present(files, reasons)


def as_line(record: Record) -> dict[str, Any]:
    """A record of whatever kind as one line of a section."""
    return {
        "seq": record.seq,
        "at": instant(record.at),
        "kind": record.kind.value,
        "incident_id": record.incident_id,
        "release_id": record.release_id,
        "actor": record.actor,
        "body": record.body,
    }

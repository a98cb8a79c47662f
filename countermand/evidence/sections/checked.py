"""`verification/` and `integrity/`: what the target said, what traffic showed, and what the data checks found."""

from __future__ import annotations

from countermand.evidence.material import Material
from countermand.evidence.sections.kept import as_line
from countermand.evidence.sections.writing import Section, lines, present
from countermand.ledger.record import Kind, Record

#: Kinds of playbook checks by the file that holds their answers.
_KINDS = {"row_counts": "integrity/counts.jsonl", "checksum": "integrity/checksums.jsonl"}


def checks(material: Material) -> Section:
    """Every check by what it is about. A check that belongs to no other file stands in `integrity/other.jsonl`."""
    kinds = {
        (record.incident_id, check["id"]): check["kind"]
        for record in material.of(Kind.plan.value)
        for check in record.body["plan"]["checks"]
    }
    sorted_: dict[str, list[Record]] = {}
    for record in material.of(Kind.check_result.value, Kind.rollout_traffic.value):
        sorted_.setdefault(_file(record, kinds), []).append(record)
    reasons = {
        "verification/configured.jsonl": "no target was read back in this scope",
        "verification/observed.jsonl": "no traffic was looked at in this scope",
        "verification/healthy.jsonl": "no signal was shown to be good after a rollback in this scope",
        "integrity/counts.jsonl": "no check of this scope counts rows",
        "integrity/checksums.jsonl": "no check of this scope compares checksums",
        "integrity/other.jsonl": "no other check was run in this scope",
    }
    section = present({path: lines(map(as_line, sorted_.get(path, []))) for path in reasons}, reasons)
    section.missing["integrity/migrations"] = "no kind of check is about migrations; queries stand in other.jsonl"
    return section


def _file(record: Record, kinds: dict[tuple[str | None, str], str]) -> str:
    if record.kind is Kind.rollout_traffic:
        return "verification/observed.jsonl"
    name, phase = record.body["name"], record.body["phase"]
    if phase == "verification":
        return "verification/healthy.jsonl"
    if name in ("configured", "observed"):
        return f"verification/{name}.jsonl"
    return _KINDS.get(kinds.get((record.incident_id, name), ""), "integrity/other.jsonl")

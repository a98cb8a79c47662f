"""`population/`: every rollback of the period, proof that none is missing, and what the targets' own logs say."""

from __future__ import annotations

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.evidence.population import population
from countermand.evidence.sections.planned import unanswered
from countermand.evidence.sections.writing import Section, pretty, table

_HEADING = (
    "seq", "at", "what", "incident_id", "release_id", "severity", "outcome", "closed_at", "rehearsal", "sentence",
)  # fmt: skip


def counted(material: Material) -> Section:
    """The list of a period pack. An incident pack leaves others closed, so it has none."""
    if material.scope.kind == "incident":
        closed = "an incident pack leaves other incidents closed; ledger/leaf_hashes.bin proves how many records exist"
        return Section({}, {"population": closed})
    found = population(material.in_range, unanswered(material))
    rows = [
        (
            case.seq,
            instant(case.at),
            case.what,
            case.incident_id,
            case.release_id,
            case.severity,
            case.outcome,
            instant(case.closed_at) if case.closed_at else None,
            "yes" if case.rehearsal else "no",
            case.sentence,
        )
        for case in found.cases
    ]
    gaps = {
        "first_seq": found.first_seq,
        "last_seq": found.last_seq,
        "records": len(material.in_range),
        "gaps": [{"first": first, "last": last} for first, last in found.gaps],
        "records_by_kind": found.counts,
        "outcomes": found.outcomes,
        "intents_without_outcome": [
            {"seq": one.seq, "at": instant(one.at), "incident_id": one.incident_id, "release_id": one.release_id}
            for one in found.unanswered
        ],
    }
    files = {"population/all_rollbacks.csv": table(_HEADING, rows), "population/gaps.json": pretty(gaps)}
    if material.reconciliation is None:
        why = "the targets' own change logs were not compared before this pack was made"
        return Section(files, {"population/target_reconciliation.json": why})
    files["population/target_reconciliation.json"] = pretty(material.reconciliation)
    return Section(files, {})

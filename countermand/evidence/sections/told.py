"""`timeline.jsonl` and `timeline.csv`: every record of the scope in a sentence."""

from __future__ import annotations

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.evidence.sections.writing import Section, lines, table


def timeline(material: Material) -> Section:
    """Both forms of the timeline, in `seq` order."""
    rows = [
        {
            "seq": record.seq,
            "at": instant(record.at),
            "kind": record.kind.value,
            "incident_id": record.incident_id,
            "release_id": record.release_id,
            "actor": record.actor,
            "said": material.said[record.seq],
        }
        for record in material.records
    ]
    heading = ("seq", "at", "kind", "incident_id", "release_id", "actor", "said")
    cells = [[row[name] for name in heading] for row in rows]
    return Section({"timeline.jsonl": lines(rows), "timeline.csv": table(heading, cells)}, {})

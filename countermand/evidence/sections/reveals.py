"""`reveals.jsonl`: what opens the commitments of the records, or why one stays closed (EVD-26)."""

from __future__ import annotations

from typing import Any

from countermand.evidence.material import Material, commitments
from countermand.evidence.sections.writing import Section, lines


def reveals(material: Material) -> Section:
    """One line per commitment, by `seq` and pointer. Every pack has the file, be it empty."""
    listed: list[dict[str, Any]] = []
    for record in material.records:
        for pointer, commit in sorted(commitments(record)):
            place = {"seq": record.seq, "pointer": pointer}
            opening = material.openings.get(commit)
            if material.profile == "redacted":
                listed.append(place | {"omitted": "redacted"})
            elif opening is None:
                listed.append(place | {"omitted": "erased"})
            else:
                listed.append(place | {"salt": opening.salt, "value": opening.value})
    return Section({"reveals.jsonl": lines(listed)}, {})

"""Sections of a pack: from records to files, one module per folder of the pack. Everything here is pure."""

from __future__ import annotations

from countermand.evidence.material import Material
from countermand.evidence.sections.checked import checks
from countermand.evidence.sections.counted import counted
from countermand.evidence.sections.decided import decisions
from countermand.evidence.sections.duties import obligations, rehearsal, reviews
from countermand.evidence.sections.fired import signals
from countermand.evidence.sections.kept import dispositions, frozen
from countermand.evidence.sections.messages import messages
from countermand.evidence.sections.planned import plans
from countermand.evidence.sections.reveals import reveals
from countermand.evidence.sections.told import timeline
from countermand.evidence.sections.versions import versions
from countermand.evidence.sections.writing import Section

__all__ = ["Material", "Section", "sections"]

_ALL = (
    timeline, decisions, plans, versions, signals, frozen, checks, dispositions, messages, obligations, reviews,
    rehearsal, counted, reveals,
)  # fmt: skip


def sections(material: Material) -> Section:
    """Every section of evidence.md §5 but the Ledger, the keys, the summary and the control map, which name these."""
    files: dict[str, bytes] = {}
    missing: dict[str, str] = {}
    for make in _ALL:
        section = make(material)
        files |= section.files
        missing |= section.missing
    return Section(files, missing)

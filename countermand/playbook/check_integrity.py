"""What a playbook's data checks still get wrong when it parses."""

from __future__ import annotations

from collections.abc import Iterator

from countermand.playbook.finding import Finding
from countermand.playbook.integrity import Drained
from countermand.playbook.model import Playbook
from countermand.playbook.units import format_duration


def against_stages(playbook: Playbook) -> Iterator[Finding]:
    """Checks that wait longer than a stage has time for, and checks that never run."""
    integrity, revert = playbook.data_integrity, playbook.revert
    used = {*integrity.before, *integrity.between, *integrity.after}
    longest = max(stage.soak for stage in revert.stages) + revert.traffic.settle
    left = revert.stage_time_limit - longest
    for i, check in enumerate(integrity.checks):
        if check.id not in used:
            message = f"{check.id!r} never runs; list it in `before`, `between` or `after`, or remove it"
            yield Finding(("data_integrity", "checks", i, "id"), "warning", message)
        if isinstance(check, Drained) and check.time_limit >= left:
            yield Finding(
                ("data_integrity", "checks", i, "time_limit"),
                "error",
                f"{format_duration(check.time_limit)!r} is not shorter than the {format_duration(left)} that "
                f"stage_time_limit {format_duration(revert.stage_time_limit)} leaves after soak and settle: "
                "the stage would run out of time while it waits",
            )

"""Do the configured targets answer? For `/readyz` and `countermand doctor`."""

from __future__ import annotations

from typing import Any

from adapters.settings import SettingsInvalid
from adapters.target_reach import reached
from adapters.target_settings import target_settings
from console.deps import Console


async def targets_check(deps: Console) -> list[dict[str, Any]]:
    """One check per target. The file is read anew each time; what is wrong with it is a check of its own."""
    try:
        settings = target_settings(deps.settings.targets)
    except SettingsInvalid as error:
        return [{"name": "targets", "ok": False, "sentence": str(error)}]
    return [{"name": f"target {one.name}", "ok": one.ok, "sentence": one.sentence} for one in await reached(settings)]

"""`control_map.json`: where a reader of a named control looks first. Pointers, never a verdict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from countermand.evidence.sections.writing import pretty

_NOTE = (
    "Pointers from controls to files of this pack. They are no finding that a control is met, and no legal advice. "
    "A file that is not in this pack is listed under not_applicable of manifest.json with its reason."
)


def controls() -> list[dict[str, Any]]:
    """The shipped list of controls."""
    loaded: list[dict[str, Any]] = YAML(typ="safe", pure=True).load(
        Path(__file__).parents[1].joinpath("controls.yaml").read_text(encoding="utf-8")
    )
    return loaded


def control_map(paths: Collection[str], missing: Mapping[str, str]) -> bytes:
    """For each control the files that are here, those that are not, and what no pack can show."""
    mapped = []
    for control in controls():
        found = {name: sorted(path for path in paths if _names(name, path)) for name in control["files"]}
        mapped.append(
            {
                "control": control["control"],
                "files": [name for name, here in found.items() if here],
                "not_in_this_pack": {
                    name: next((why for path, why in sorted(missing.items()) if _names(name, path)), "no such facts")
                    for name, here in found.items()
                    if not here
                },
                "not_covered": control["not_covered"],
            }
        )
    return pretty({"note": _NOTE, "controls": mapped})


def _names(name: str, path: str) -> bool:
    return path == name or path.startswith(name) or (name.endswith("/") and path == name[:-1])

"""The JSON Schema for editors is current, explains every key and accepts every shipped playbook."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from countermand.playbook.schema import FILE, schema, text
from countermand.playbook.source import read

ROOT = Path(__file__).parents[3]
SHIPPED = [*sorted((ROOT / "playbooks").glob("*.yaml")), ROOT / "examples/demo/playbook.yaml"]
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def disagreements(value: Any, rule: dict[str, Any], defs: dict[str, Any], at: str = "") -> list[str]:
    """Where `value` breaks the schema, for the part of JSON Schema that ours uses."""
    if "$ref" in rule:
        rule = {
            **defs[rule["$ref"].removeprefix("#/$defs/")],
            **{k: v for k, v in rule.items() if k != "$ref"},
        }
    if "anyOf" in rule:
        tried = [disagreements(value, option, defs, at) for option in rule["anyOf"]]
        return [] if any(not found for found in tried) else [f"{at}: {value!r} fits none"]
    if "type" in rule and not isinstance(value, TYPES[rule["type"]]):
        return [f"{at}: {value!r} is no {rule['type']}"]
    found = [f"{at}: {value!r} not in {rule['enum']}"] if value not in rule.get("enum", [value]) else []
    if value != rule.get("const", value):
        found.append(f"{at}: {value!r} is not {rule['const']!r}")
    if isinstance(value, str) and not re.search(rule.get("pattern", ""), value):
        found.append(f"{at}: {value!r} does not match")
    if isinstance(value, dict):
        named, other = rule.get("properties", {}), rule.get("additionalProperties", True)
        found += [f"{at}.{key}: missing" for key in rule.get("required", []) if key not in value]
        for key, item in value.items():
            below = named.get(key, other)
            found += [f"{at}.{key}: unknown"] if below is False else []
            found += disagreements(item, below, defs, f"{at}.{key}") if isinstance(below, dict) else []
    if isinstance(value, list) and "items" in rule:
        for index, item in enumerate(value):
            found += disagreements(item, rule["items"], defs, f"{at}[{index}]")
    return found


def test_the_committed_schema_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run: python -m countermand.playbook.schema"


def test_every_key_has_a_title_and_a_description() -> None:
    whole = schema()
    assert whole["$id"] == "urn:countermand:playbook:v1"
    assert "countermand.playbook/v1" in whole["title"]
    for name, part in {"Playbook": whole, **whole["$defs"]}.items():
        assert part.get("title"), name
        for key, rule in part.get("properties", {}).items():
            assert len(rule.get("description", "")) > 5, f"{name}.{key}"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_an_editor_finds_no_fault_in_a_shipped_playbook(path: Path) -> None:
    written, _ = read(path.read_bytes())
    assert written is not None
    assert disagreements(written.value, schema(), schema()["$defs"]) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("    ladder:\n", "    laddr:\n", ".approvals.sev2.laddr: unknown"),
        ("stage_time_limit: 90s", "stage_time_limit: 90 s", ".revert.stage_time_limit"),
        ("severity: sev2", "severity: sev7", ".detection.triggers[0].severity"),
        ("  stage_time_limit: 90s\n", "", ".revert.stage_time_limit: missing"),
    ],
)
def test_an_editor_shows_what_would_not_parse(old: str, new: str, where: str) -> None:
    demo = SHIPPED[-1].read_text(encoding="utf-8")
    assert old in demo
    written, _ = read(demo.replace(old, new, 1).encode())
    assert written is not None
    found = disagreements(written.value, schema(), schema()["$defs"])
    assert any(where in fault for fault in found), json.dumps(found)

"""Promises about the repository itself: nothing undocumented, nothing shadowed, nothing that must not be shipped."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import cast

import pytest

from console.app import create_app
from console.deps import Console

ROOT = Path(__file__).parent.parent


def test_every_setting_is_documented_and_every_documented_setting_exists() -> None:
    code = "".join(
        path.read_text() for room in ("adapters", "console", "countermand") for path in ROOT.glob(f"{room}/**/*.py")
    )
    used = set(re.findall(r"COUNTERMAND_[A-Z_]+\b", code))
    documented = set(re.findall(r"`(COUNTERMAND_[A-Z_]+)`", (ROOT / "docs/settings.md").read_text()))
    assert used == documented


def test_every_page_is_documented() -> None:
    text = (ROOT / "docs/console.md").read_text()
    code = "".join(path.read_text() for path in ROOT.glob("console/*.py"))
    found = {path.replace(":int", "") for path in re.findall(r'@(?:router|app)\.get\("(/[^"]*)"', code)}
    parts = (".json", ".ico", "/decision", "/commands", "/signature")  # of pages, not pages of their own
    pages = {path for path in found if not path.endswith(parts)} - api_paths(code)
    assert {"/", "/asks/{ask_id}", "/ledger", "/healthz"} <= pages
    assert sorted(path for path in pages if f"`{path}`" not in text) == []


def api_paths(code: str) -> set[str]:
    """Paths of the JSON API: below its prefix, or written out in full."""
    below = re.findall(r'@router\.get\("(/[^"]*)"', (ROOT / "console/api.py").read_text())
    watch = re.findall(r'@router\.get\("(/[^"]*)"', (ROOT / "console/api_watch.py").read_text())
    pages = re.findall(r'@router\.get\("(/[^"]*)"', "".join(p.read_text() for p in ROOT.glob("console/pages*.py")))
    written = {path for path in re.findall(r'"(/api/[^"]*)"', code)}
    return (set(below) | set(watch) | written) - {path.replace(":int", "") for path in pages}


def test_the_committed_openapi_file_is_the_one_the_console_serves() -> None:
    served = create_app(cast(Console, None)).openapi()
    assert json.loads((ROOT / "docs/openapi.json").read_text()) == served, "write it anew: make schema"


@pytest.mark.parametrize("room", ["countermand", "workflows", "activities", "adapters", "console"])
def test_rooms_resolve_inside_this_repository(room: str) -> None:
    """Another distribution installs a package called `workflows`; ours must win."""
    assert importlib.import_module(room).__path__[0] == str(ROOT / room)


def test_only_the_rules_and_the_command_line_are_packaged() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["countermand"]


def test_requirements_are_locked_by_hash_and_name_no_address() -> None:
    for file in (ROOT / "requirements").glob("*.txt"):
        text = file.read_text()
        pins = re.findall(r"^[a-z0-9][^\s\\]*==", text, flags=re.MULTILINE)
        assert pins
        assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(pins)
        assert not re.search(r"https?://|--index|--find-links", text)


def test_the_command_line_imports_neither_temporal_nor_a_server() -> None:
    program = (
        "import sys, countermand.cli.app; "
        "print([m for m in ('temporalio', 'sqlalchemy', 'fastapi', 'jinja2', 'numpy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert said.stdout.strip() == "[]"


def test_data_files_of_others_are_not_committed() -> None:
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False).stdout
    assert not re.search(r"halueval_general|moderation_labels\.jsonl|azure_llm_conversation", tracked)

"""docs/cli.md and the commands say the same; the command line starts fast and never loads Temporal."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from countermand.cli.app import app
from countermand.cli.exits import Exit

ROOT = Path(__file__).resolve().parents[3]
DOCS = (ROOT / "docs" / "cli.md").read_text()
SECTIONS = {
    heading: text
    for heading, text in re.findall(r"^### `(countermand [a-z -]+)`\n(.*?)(?=^##|\Z)", DOCS, re.MULTILINE | re.DOTALL)
}
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]+|-[a-z])(?![\w-])")


def commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(typer.main.get_command(app), "countermand"))


def options(command: Any) -> set[str]:
    return {option for parameter in command.params for option in parameter.opts if option.startswith("-")} - {
        "-h",
        "--help",
    }


def test_every_command_is_documented_and_every_documented_command_exists() -> None:
    assert set(SECTIONS) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_documented_with_its_command(name: str) -> None:
    listed = "\n".join(line for line in SECTIONS[name].splitlines() if line.startswith("* "))
    assert set(OPTION.findall(listed)) == options(COMMANDS[name])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_explains_itself(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    assert all(parameter.help for parameter in command.params if parameter.param_type_name == "option")


def test_every_exit_code_is_documented_by_its_name() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \|", DOCS, re.MULTILINE)
    assert {(int(code), name.replace(" ", "_")) for code, name in rows} == {(code.value, code.name) for code in Exit}


def test_every_setting_that_is_read_is_documented() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "countermand" / "cli").glob("*.py"))
    read = set(re.findall(r'environ\.get\(\s*"([A-Z_]+)"', sources))
    assert {name for name in read if name.startswith("COUNTERMAND_")} <= set(re.findall(r"[A-Z_]{6,}", DOCS))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True, cwd=ROOT)


def test_help_costs_little_more_than_the_help_of_an_empty_program() -> None:
    """A ratio to a floor of the same run: processor time is half as long on a machine with nothing else to do."""

    def used(*arguments: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(*arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    empty = "import typer; app = typer.Typer(); app.command()(lambda: None); app(['--help'])"
    pairs = [(used("-m", "countermand.cli", "--help"), used("-c", empty)) for _ in range(5)]
    assert min(ours for ours, _ in pairs) < 2.5 * min(floor for _, floor in pairs)


def test_no_command_loads_temporal_a_database_or_a_server() -> None:
    modules = [f"countermand.cli.{file.stem}" for file in (ROOT / "countermand" / "cli").glob("[a-z]*.py")]
    program = f"import sys, importlib; [importlib.import_module(m) for m in {modules}]; print(*sys.modules)"
    loaded = {name.partition(".")[0] for name in run("-c", program).stdout.split()}
    assert "countermand" in loaded
    assert not loaded & {"temporalio", "sqlalchemy", "fastapi", "uvicorn", "jinja2", "workflows", "activities"}


def test_a_reader_that_has_enough_is_no_error() -> None:
    command = f"{sys.executable} -m countermand.cli playbook explain examples/demo/playbook.yaml"
    shell = f"set -o pipefail; {command} | true"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, check=False, cwd=ROOT)
    assert (ended.returncode, ended.stderr) == (0, b"")

"""Read a scenario file, or say everything that is wrong with it: file, line, value, and what would be accepted."""

from __future__ import annotations

from collections.abc import Iterator
from errno import EINVAL
from pathlib import Path

from pydantic import ValidationError

from countermand.obligations.dataset import shipped
from countermand.playbook.load import PlaybookErrors
from countermand.playbook.load import parse as parse_playbook
from countermand.playbook.model import Playbook
from countermand.playbook.source import MAX_BYTES, Written, read
from countermand.playbook.source import Path as Place
from countermand.playbook.terms import Fault, Misfit
from countermand.playbook.wording import dotted, in_words, path_of
from countermand.rehearsal.references import dangling
from countermand.rehearsal.scenario import SCHEMA, Scenario


class ScenarioErrors(ValueError):
    """A scenario that cannot be played; `problems` are lines `file:line:column: where: message`, in file order."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load_scenario(path: Path) -> Scenario:
    """The scenario in a file whose playbook, people, signals and rows all exist. Raises ScenarioErrors, OSError."""
    return load_with_playbook(path)[0]


def load_with_playbook(path: Path) -> tuple[Scenario, bytes]:
    """The scenario and the exact bytes of its playbook. Raises ScenarioErrors, OSError (of the scenario's file)."""
    scenario, written = _parse(_bytes(path), path.name)
    place = path.parent / scenario.playbook
    try:
        raw = _bytes(place)
        playbook = parse_playbook(raw, place.name)
    except OSError as error:
        message = f"{scenario.playbook!r} cannot be read ({error.strerror}); write a path seen from this file"
        raise ScenarioErrors(_lines(path.name, written, [(("playbook",), message)])) from error
    except PlaybookErrors as error:
        message = f"{scenario.playbook!r} cannot be used: {error.problems[0]}"
        raise ScenarioErrors(_lines(path.name, written, [(("playbook",), message)])) from error
    if faults := list(_unresolved(scenario, playbook)):
        raise ScenarioErrors(_lines(path.name, written, faults))
    return scenario, raw


def parse_scenario(raw: bytes, name: str = "scenario") -> Scenario:
    """The scenario in these bytes; what it refers to is not looked up. Raises ScenarioErrors."""
    return _parse(raw, name)[0]


def _bytes(path: Path) -> bytes:
    """At most one byte more than is accepted. Raises OSError, also for what is no file and may never end."""
    if path.exists() and not path.is_file():
        raise OSError(EINVAL, "not a regular file", str(path))
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _unresolved(scenario: Scenario, playbook: Playbook) -> Iterator[Fault]:
    return dangling(scenario, playbook, frozenset(row.id for row in shipped().obligations))


def _parse(raw: bytes, name: str) -> tuple[Scenario, Written]:
    written, flaws = read(raw)
    if written is None or flaws:
        # The reader is that of playbooks; only what it says of an empty file names their schema.
        said = [(flaw, flaw.message.replace("countermand.playbook/v1", SCHEMA)) for flaw in flaws]
        raise ScenarioErrors([f"{name}:{flaw.line}:{flaw.column}: {message}" for flaw, message in said])
    try:
        return Scenario.model_validate(written.value), written
    except ValidationError as error:
        raise ScenarioErrors(_lines(name, written, _from_pydantic(error, written))) from error


def _from_pydantic(error: ValidationError, written: Written) -> Iterator[Fault]:
    for details in error.errors(include_url=False):
        path = path_of(details)
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, Misfit):
            yield from (((*path, *below), message) for below, message in cause.faults)
        elif details["type"] != "too_short" or not written.size_at(path):
            yield path, in_words(details, written, Scenario)


def _lines(name: str, written: Written, faults: Iterator[Fault] | list[Fault]) -> list[str]:
    found: list[tuple[tuple[int, int], Place, str]] = [(written.place(path), path, message) for path, message in faults]
    found.sort(key=lambda one: one[0])
    return [f"{name}:{line}:{column}: {dotted(path) or 'the file'}: {said}" for (line, column), path, said in found]

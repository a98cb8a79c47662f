"""Read a playbook, or say everything that is wrong with it: file, line, and what would be accepted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from countermand.playbook.check import check
from countermand.playbook.model import Playbook
from countermand.playbook.source import Path, Written, read
from countermand.playbook.terms import Misfit
from countermand.playbook.wording import dotted, in_words, path_of


class Problem(BaseModel):
    """One thing wrong in a playbook. `where` is a path: `revert.stages[1].give_back`; lines start at 1."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int
    column: int
    where: str
    message: str
    level: Literal["error", "warning"]

    def __str__(self) -> str:
        where = f"{self.where}: " if self.where else ""
        return f"{self.file}:{self.line}:{self.column}: {self.level}: {where}{self.message}"


class PlaybookErrors(ValueError):
    """A playbook that cannot be used; `problems` holds everything found, warnings included, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def parse(raw: bytes, name: str = "playbook") -> Playbook:
    """The playbook in these bytes; `name` is the file name in messages. Raises PlaybookErrors."""
    playbook, found = _examine(raw, name)
    if playbook is None:
        raise PlaybookErrors(found)
    return playbook


def problems(raw: bytes, name: str = "playbook", today: date | None = None) -> list[Problem]:
    """All errors, or all warnings when there is no error, in file order; empty when nothing is wrong.

    today: what accepted risks are compared with; without it no date is judged.
    """
    return _examine(raw, name, today)[1]


def _examine(raw: bytes, name: str, today: date | None = None) -> tuple[Playbook | None, list[Problem]]:
    written, flaws = read(raw)
    found = [_problem(name, (flaw.line, flaw.column), flaw.where, flaw.message) for flaw in flaws]
    playbook: Playbook | None = None
    if written is not None:
        try:
            playbook = Playbook.model_validate(written.value)
            found += [
                _problem(name, written.place(finding.path), finding.path, finding.message, finding.level)
                for finding in check(playbook, today=today)
            ]
        except ValidationError as error:
            found += _from_pydantic(error, written, name)
    found.sort(key=lambda problem: (problem.line, problem.column))
    refused = any(problem.level == "error" for problem in found)
    return None if refused else playbook, found


def _from_pydantic(error: ValidationError, written: Written, name: str) -> Iterator[Problem]:
    for details in error.errors(include_url=False):
        path = path_of(details)
        if details["type"] == "too_short" and written.size_at(path):
            continue  # entries were written; pydantic dropped the ones it refused and reported them already
        cause = details.get("ctx", {}).get("error")
        if isinstance(cause, Misfit):
            for below, message in cause.faults:
                yield _problem(name, written.place((*path, *below)), (*path, *below), message)
        else:
            of_key = details["type"] == "extra_forbidden" or "[key]" in details["loc"]
            place = written.key_place(path) if of_key else written.place(path)
            yield _problem(name, place, path, in_words(details, written))


def _problem(
    name: str, place: tuple[int, int], path: Path, message: str, level: Literal["error", "warning"] = "error"
) -> Problem:
    line, column = place
    return Problem(file=name, line=line, column=column, where=dotted(path), message=message, level=level)

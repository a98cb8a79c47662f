"""Data sources of a rehearsal: each check of the playbook finds the answer that its scenario scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from activities.fence import REHEARSAL, Rehearsal
from countermand.canonical import digest
from countermand.plan.integrity_answer import Answer, Cell, Question, Unanswered
from countermand.playbook.integrity import (
    Check,
    Checksum,
    DataCheck,
    Dispositions,
    Drained,
    IndexVersion,
    RowCounts,
    SqlInvariant,
)
from countermand.playbook.units import plain


class SandboxData:
    """Implements DataSources. `words`: what each check finds, by its id, one per asking; the last one stays.

    index: what the version that users return to was built with.
    """

    environment: Rehearsal = REHEARSAL

    def __init__(self, checks: Sequence[Check], words: Mapping[str, Sequence[str]], index: str) -> None:
        self._checks = [check for check in checks if isinstance(check, DataCheck)]
        self._words = {check.id: list(words.get(check.id, ("pass",))) for check in self._checks}
        self._index = index
        self._asked = 0

    def __call__(self, name: str) -> _Source:
        return _Source(self, name)

    def answer(self, source: str, question: Question) -> Answer:
        """Raises Unanswered where the script says so, and for what no check asks."""
        found = next((check for check in self._checks if check.source == source and _asks(check, question)), None)
        if found is None:
            raise Unanswered(f"nothing is scripted for source {source!r}.")
        left = self._words[found.id]
        word = left.pop(0) if len(left) > 1 else left[0]
        self._asked += 1
        if word == "unknown":
            raise Unanswered("the source does not answer.")
        columns, rows = _rows(found, word == "pass", self._index, self._asked)
        return Answer(columns=columns, rows=rows, raw_sha256=digest({"rows": [list(row) for row in rows]}))


class _Source:
    def __init__(self, data: SandboxData, name: str) -> None:
        self._data = data
        self._name = name

    async def ask(self, question: Question, within: timedelta) -> Answer:  # noqa: ARG002, the script decides
        return self._data.answer(self._name, question)


def _asks(check: DataCheck, question: Question) -> bool:
    if isinstance(check, RowCounts) and check.tables:
        return "count(*)" in (question.query or "")
    if check.query is not None:
        return question.query == check.query
    return question.get is not None and check.get is not None and question.get.path == check.get.path


def _rows(
    check: DataCheck, passes: bool, index: str, asked: int
) -> tuple[tuple[str, ...], tuple[tuple[Cell, ...], ...]]:
    """Columns and rows that make the check pass or fail."""
    match check:
        case IndexVersion():
            return ("index", "embedding_model"), ((index if passes else "another-index", check.embedding_model),)
        case SqlInvariant():
            bound = next((one for one in (check.equals, check.at_most, check.at_least) if one is not None), None)
            if bound is None:
                return ("id",), () if passes else (("row-17",),)
            if passes:
                return ("n",), ((plain(bound),),)
            return ("n",), ((plain(bound - 1 if check.at_least == bound else bound + 1),),)
        case RowCounts():
            names = check.tables or ("rows",)
            return tuple(names), (tuple(1_000 if passes else 1_000 - 100 * asked for _ in names),)
        case Checksum():
            return ("id", "sha256"), (("seed-1", "aa" if passes else f"changed-{asked}"), ("seed-2", "bb"))
        case Drained():
            return ("n",), ((plain(check.at_most if passes else check.at_most + 12),),)
        case Dispositions():
            return ("id", "kind", "disposition"), (
                ("row-1", "memory", "quarantine"),
                ("row-2", "memory", "purge" if passes else None),
            )

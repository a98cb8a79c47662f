"""What the answer of a data source says about the data: one rule per kind of check. Pure.

No answer, no rows where rows are needed and nothing to compare with are unknown, never a pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from countermand.canonical import digest
from countermand.messages.fencing import fenced
from countermand.plan.integrity_answer import Answer, Cell, Question, Unanswered, number
from countermand.plan.model import Bundle, Plan
from countermand.plan.target import CheckWord, Measured
from countermand.playbook.data_questions import BINDINGS, named
from countermand.playbook.integrity import (
    Checksum,
    DataCheck,
    Dispositions,
    Drained,
    IndexVersion,
    RowCounts,
    SqlInvariant,
)
from countermand.playbook.units import plain

DISPOSITIONS = ("keep", "quarantine", "purge", "reprocess")
#: Most rows that a sentence names.
_NAMED_ROWS = 3
_UNTRUSTED = 60
#: Most counts of one check, and most characters of their names: they stand in the record.
_MOST = 100


class Judged(NamedTuple):
    """The word, the sentence people read, and what later phases compare with."""

    word: CheckWord
    sentence: str
    measured: tuple[Measured, ...] = ()


def question(check: DataCheck, plan: Plan) -> Question:
    """What the source of a check is asked about the bundles of this plan."""
    query = _counting(check.tables) if isinstance(check, RowCounts) and check.tables else check.query
    if check.get is not None:
        return Question(get=check.get, values={key: binding(plan, name) for key, name in check.get.parameters.items()})
    return Question(query=query, values={name: binding(plan, name) for name in named(query or "")})


def binding(plan: Plan, name: str) -> str:
    """The digest that a bind parameter stands for: `candidate_digest`, `baseline_index`, …"""
    if name not in BINDINGS:
        raise ValueError(f"{name!r} is no bind parameter; accepted are {', '.join(BINDINGS)}")
    arm, _, part = name.partition("_")
    return str(getattr(plan.candidate if arm == "candidate" else plan.baseline, part))


def judge_data(
    check: DataCheck, answer: Answer, baseline: Bundle, before: Sequence[Measured], *, first: bool
) -> Judged:
    """One check. `before`: what was measured before the first stage; `first`: this is that measuring."""
    try:
        match check:
            case IndexVersion():
                return _index(check, answer, baseline)
            case SqlInvariant():
                return _invariant(check, answer)
            case RowCounts():
                return _counts(check, answer, before, first=first)
            case Checksum():
                return _checksum(answer, before, first=first)
            case Drained():
                return _drained(check, answer)
            case Dispositions():
                return _dispositions(answer)
    except Unanswered as unanswered:
        return Judged(CheckWord.unknown, str(unanswered))


def _counting(tables: Sequence[str]) -> str:
    # Names of tables are small letters, digits, '_' and one '.' (playbook/data_questions.py).
    quoted = {table: ".".join(f'"{part}"' for part in table.split(".")) for table in tables}
    counts = (f'(SELECT count(*) FROM {name}) AS "{table}"' for table, name in quoted.items())  # noqa: S608
    return f"SELECT {', '.join(counts)}"


def _word(passed: bool) -> CheckWord:
    return CheckWord.passed if passed else CheckWord.failed


def _index(check: IndexVersion, answer: Answer, baseline: Bundle) -> Judged:
    answer.only_row()
    (index,), (model,) = answer.column("index"), answer.column("embedding_model")
    if index is None or model is None:
        raise Unanswered("the source does not say which index and which embedding model are loaded.")
    wrong = [
        f"{what} is {_quoted(got)}, needed is {_quoted(needed)}"
        for what, got, needed in (
            ("the loaded index", index, baseline.index),
            ("the embedding model", model, check.embedding_model),
        )
        if got != needed
    ]
    if wrong:
        return Judged(CheckWord.failed, "; ".join(wrong) + ".")
    return Judged(CheckWord.passed, f"index {_quoted(index)} is loaded, made with {_quoted(model)}.")


def _invariant(check: SqlInvariant, answer: Answer) -> Judged:
    if check.at_most is None and check.at_least is None and check.equals is None:
        if not answer.rows:
            return Judged(CheckWord.passed, "no row breaks it.")
        return Judged(CheckWord.failed, f"broken by {_rows(len(answer.rows))}: {_ids(answer, answer.rows)}.")
    found = answer.number()
    wanted = {"at least": check.at_least, "at most": check.at_most, "exactly": check.equals}
    kept = (
        (check.at_least is None or found >= check.at_least)
        and (check.at_most is None or found <= check.at_most)
        and (check.equals is None or found == check.equals)
    )
    accepted = " and ".join(f"{word} {plain(bound)}" for word, bound in wanted.items() if bound is not None)
    return Judged(_word(kept), f"the number is {fenced(str(found), _UNTRUSTED)}; accepted is {accepted}.")


def _counts(check: RowCounts, answer: Answer, before: Sequence[Measured], *, first: bool) -> Judged:
    now = {name: number(one) for name, one in answer.only_row().items()}
    if not 0 < len(now) <= _MOST or any(len(name) > _MOST for name in now):
        raise Unanswered(f"the source gave {len(now)} counts; 1 to {_MOST} with short names are needed.")
    measured = tuple(Measured(name=name, value=str(count)) for name, count in now.items())
    if first:
        listed = ", ".join(f"{one.name} {one.value}" for one in measured)
        return Judged(CheckWord.passed, f"counted before the first stage: {fenced(listed)}.", measured)
    then = {one.name: number(one.value) for one in before}
    if then.keys() != now.keys():
        raise Unanswered("there is no count of the same tables from before the first stage.")
    wrong = []
    for name, count in now.items():
        change = count - then[name]
        if change < -check.may_shrink_by or (change > 0 and not check.may_grow):
            wrong.append(name)
    shown = wrong or now
    listed = ", ".join(f"{name} {then[name]} → {now[name]}" for name in shown)
    lost = f"up to {_rows(check.may_shrink_by)} may be lost" if check.may_shrink_by else "no row may be lost"
    limit = lost if check.may_grow else f"{lost}, none may be added"
    return Judged(_word(not wrong), f"rows since before the first stage: {fenced(listed)}; {limit}.", measured)


def _checksum(answer: Answer, before: Sequence[Measured], *, first: bool) -> Judged:
    if not answer.rows:
        raise Unanswered("the source gave no rows, so there is nothing to compare.")
    now = digest([list(row) for row in answer.rows])
    measured = (Measured(name="checksum", value=now),)
    if first:
        sentence = f"{_rows(len(answer.rows))} before the first stage, checksum {_short(now)}."
        return Judged(CheckWord.passed, sentence, measured)
    then = next((one.value for one in before if one.name == "checksum"), None)
    if then is None:
        raise Unanswered("there is no checksum from before the first stage.")
    if then == now:
        return Judged(CheckWord.passed, f"{_rows(len(answer.rows))}, exactly as before the first stage.", measured)
    changed = f"the rows changed since before the first stage: checksum {_short(then)} → {_short(now)}"
    return Judged(CheckWord.failed, f"{changed}, {_rows(len(answer.rows))} now.", measured)


def _drained(check: Drained, answer: Answer) -> Judged:
    left = answer.number()
    return Judged(
        _word(left <= check.at_most),
        f"{fenced(str(left), _UNTRUSTED)} left; accepted is at most {plain(check.at_most)}.",
    )


def _dispositions(answer: Answer) -> Judged:
    words = answer.column("disposition")
    answer.column("kind")
    answer.column("id")
    if not words:
        return Judged(CheckWord.passed, "the candidate wrote no row.")
    listed = f"The whole list is kept as {_short(answer.raw_sha256)}."
    undecided = [row for row, word in zip(answer.rows, words, strict=True) if word not in DISPOSITIONS]
    if undecided:
        which = f"{len(undecided)} of {_rows(len(words))} of the candidate have no disposition"
        accepted = ", ".join(DISPOSITIONS)
        return Judged(CheckWord.failed, f"{which} ({accepted}): {_ids(answer, undecided)}. {listed}")
    counts = Counter(words)
    said = ", ".join(f"{counts[word]} {word}" for word in DISPOSITIONS if counts[word])
    return Judged(CheckWord.passed, f"{_rows(len(words))} of the candidate: {said}. {listed}")


def _ids(answer: Answer, rows: Sequence[tuple[Cell, ...]]) -> str:
    """Up to three rows by their `id`, or by their first value; what others wrote is fenced."""
    place = answer.columns.index("id") if "id" in answer.columns else 0
    more = ", …" if len(rows) > _NAMED_ROWS else ""
    return ", ".join(_quoted(row[place]) for row in rows[:_NAMED_ROWS]) + more


def _quoted(value: Cell) -> str:
    return "a row without an id" if value is None else f"“{fenced(str(value), _UNTRUSTED)}”"


def _rows(count: int) -> str:
    return f"{count} row" if count == 1 else f"{count} rows"


def _short(sha256: str) -> str:
    return sha256.removeprefix("sha256:")[:12]

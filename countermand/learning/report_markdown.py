"""A backtest report as Markdown: for reviews, issues and the command line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from countermand.learning.report import BacktestReport
from countermand.learning.report_view import Line, facts


def markdown(report: BacktestReport) -> str:
    """The whole report; the same report gives the same bytes."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: BacktestReport) -> Iterator[str]:
    told = facts(report)
    yield "# Backtest"
    yield ""
    yield from _listed(told.verdict)
    yield ""
    yield "It says what would have happened. It changes nothing: only people adopt a threshold."
    yield ""
    yield f"Backtest digest `{told.digest}`."
    yield f"Current version `{told.current}`, proposed version `{told.proposed}`."
    yield from _part("What is changed", _listed(told.change or ["Nothing in the detection."]))
    yield from _part("Side by side", _table(("", "current", "proposed"), told.figures))
    yield from _part("How far this carries", _listed((*told.honesty, *told.detectable)))
    yield from _part("Incidents", _stretches(told.incidents, "No incident was labelled."))
    yield from _part("Quiet stretches", _stretches(told.quiet, "No quiet stretch was labelled."))
    head = ("value", "moved by", "to", "incidents", "asks for nothing")
    yield from _part("If the value were a little different", _table(head, told.sensitivity))
    yield from _part(
        "Derived again without each incident",
        _listed([said for _, _, said in told.leave_one_out] or ["Nothing to derive."]),
    )


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from lines


def _listed(lines: Iterable[str]) -> Iterator[str]:
    return (f"- {_plain(line)}" for line in lines)


def _stretches(lines: Sequence[Line], otherwise: str) -> Iterator[str]:
    if not lines:
        yield otherwise
    for line in lines:
        yield f"- **{_plain(line.title)}** ({line.begins} to {line.ends})"
        yield from (f"  - {_plain(said)}" for said in line.sentences)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(_plain(cell) for cell in row)} |"


def _plain(text: str) -> str:
    """No part of a name or a value is markup."""
    return "".join("\\" + sign if sign in "\\`*[]|#<" else sign for sign in text)

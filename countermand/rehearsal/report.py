"""The report of a run in Markdown: what failed comes first, then numbers and evidence (LRN-23)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.score import Score, seconds_in_words
from countermand.rehearsal.trend import Trend

#: What would be read as markup; backticks stay, because they only make code of a text.
_PLAIN = str.maketrans({"\\": "\\\\", "|": "\\|", "[": "\\[", "]": "\\]", "<": "&lt;"})


def headline(judged: Score) -> str:
    """What it comes to, in one sentence."""
    total = judged.held + judged.failed
    if judged.passed:
        return f"All {total} lines of the oracle held."
    return (
        f"{judged.failed} of {total} lines of the oracle failed; the playbook does not count as rehearsed by this run."
    )


def markdown(run: Run, scenario: Scenario, judged: Score, since: Trend) -> str:
    """The whole report. Text of scenarios stays in its line: it makes no heading, link, picture or cell of its own."""
    ways = {"scripted": "scripted people", "people": "real people", "tabletop": "people at a table, no sandbox"}
    lines = [
        f"# Rehearsal: {in_a_line(scenario.title)}",
        "",
        f"**{headline(judged)}** This was a rehearsal in a sandbox. Nothing of it happened to users.",
        "",
        f"* Point: {in_a_line(scenario.point)}",
        f"* Played with {ways[run.mode]}, {run.started:%Y-%m-%d %H:%M} UTC, waits of machines {run.time_scale} times "
        f"faster, seed {run.seed}",
        f"* Shift: {scenario.shift.value}, story begins at {scenario.start}",
        f"* Scenario {scenario.id} version {scenario.version}, `{run.scenario_digest}`",
        f"* Playbook `{run.playbook_digest}`",
        f"* Head of the sandbox's ledger `{run.ledger_head}`",
        f"* Evidence pack: {judged.pack_word or 'none was made'}",
        "",
        "## What failed",
        "",
        *_bullets([f"{one.expects}: {one.found}. ({one.line})" for one in judged.findings if not one.held], "Nothing."),
        "## The oracle",
        "",
        *_table(
            ("Line", "Expected", "Found", "Word", "Record"),
            [
                (one.line, one.expects, one.found, "held" if one.held else "failed", _record(one.record))
                for one in judged.findings
            ],
        ),
        "## Times",
        "",
        *_table(("From … to", "Time"), [(one.name, seconds_in_words(one.seconds)) for one in judged.spans]),
        *_table(("Audience first told", "Time"), [(one.name, seconds_in_words(one.seconds)) for one in judged.told]),
        "## Who was reached",
        "",
        *_table(
            ("Who", "Audience", "Channel", "Tries", "After", "Looked"),
            [
                (
                    one.to,
                    one.audience,
                    one.channel,
                    str(one.tries),
                    seconds_in_words(one.seconds),
                    _yes(one.acknowledged),
                )
                for one in (*judged.not_reached, *judged.reached)
            ],
        ),
        "## What else",
        "",
        "Quorum with the people on shift:",
        "",
        *_bullets([f"missing: {one}" for one in judged.quorum_missing], "attainable."),
        "Forbidden acts that were tried:",
        "",
        *_bullets(judged.forbidden_tried, "None."),
        "Where the way back left its plan:",
        "",
        *_bullets(judged.deviations, "Nowhere."),
        "Clocks (not legal advice):",
        "",
        *_bullets(
            [
                *(f"started: {row}" for row in judged.clocks_started),
                *(f"missed: {row}" for row in judged.clocks_missed),
            ],
            "None started, none expected.",
        ),
        f"Messages corrected: {judged.messages_corrected}. Messages that failed: {judged.messages_failed}.",
        "",
        "## Since the last run",
        "",
        since.note,
        "",
        *_table(
            ("Number", "Then", "Now", "Word"),
            [(one.name, _number(one.before), _number(one.now), one.word) for one in since.changes],
        ),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    body = [f"| {' | '.join(map(in_a_line, row))} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body, ""] if body else []


def in_a_line(text: str) -> str:
    """Text that others wrote, as one line of Markdown in which nothing is markup."""
    return " ".join(text.translate(_PLAIN).split())


def _bullets(lines: Iterable[str], nothing: str) -> list[str]:
    found = [f"* {in_a_line(line)}" for line in lines]
    return [*(found or [nothing]), ""]


def _record(number: int | None) -> str:
    return "" if number is None else str(number)


def _number(value: int | None) -> str:
    return "never" if value is None else str(value)


def _yes(value: bool) -> str:
    return "yes" if value else "no"

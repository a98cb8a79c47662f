"""The form at a table on the command line: answers from a file, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from countermand.cli.exits import Exit, Failure
from countermand.cli.rehearsal_commands import app

FILE = str(Path(__file__).parents[3] / "rehearsals" / "slack-dark-at-three.yaml")
RIGHT = (
    "answers:\n  - {turn: no_slack, answer: console, who: Ines}\n  - {turn: nobody_answers, answer: held, who: Sam}\n"
)


def asked(tmp_path: Path, text: str, *more: str) -> tuple[int, str, BaseException | None]:
    path = tmp_path / "answers.yaml"
    path.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(app, ["tabletop", FILE, "--answers", str(path), *more])
    return result.exit_code, result.output, result.exception


def test_r24_right_answers_end_well_and_leave_a_report(tmp_path: Path) -> None:
    code, _, _ = asked(tmp_path, RIGHT, "--save", str(tmp_path / "report.md"))
    assert code == Exit.done
    assert "2 of 2 questions right" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_r24_a_wrong_answer_is_refused_with_what_is_right(tmp_path: Path) -> None:
    code, said, _ = asked(tmp_path, RIGHT.replace("answer: held", "answer: goes_back"))
    assert code == Exit.refused
    assert "Right: Nothing is changed, and people are asked again" in said


def test_an_answer_that_was_not_offered_is_told_with_those_that_were(tmp_path: Path) -> None:
    _, _, error = asked(tmp_path, RIGHT.replace("answer: held", "answer: perhaps"))
    assert isinstance(error, Failure)
    assert "nobody_answers: 'perhaps' is no answer to it; write goes_back, held, closed" in str(error)


def test_people_are_asked_when_there_is_no_file() -> None:
    result = CliRunner().invoke(app, ["tabletop", FILE], input="Ines\nperhaps\nconsole\nneeds no Slack\nheld\n\n")
    assert result.exit_code == Exit.done, result.output
    assert "'perhaps' is no answer to it; write wait, console, phone" in result.output
    assert "Their reason: needs no Slack" in result.output

"""The report of a rehearsal as one HTML file that loads nothing, with every character of others' texts visible."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from countermand.messages.fencing import shown
from countermand.rehearsal.report import headline
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.score import Score, seconds_in_words
from countermand.rehearsal.timeline import timeline
from countermand.rehearsal.trend import Trend


def render_report(templates: Path, run: Run, scenario: Scenario, judged: Score, since: Trend) -> str:
    """The page. templates: the directory that holds `rehearsal/report.html`."""
    directory = templates / "rehearsal"
    environment = Environment(
        loader=FileSystemLoader(directory),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"plain": _plain, "spent": seconds_in_words}
    css = directory.joinpath("report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html").render(
        run=run,
        scenario=scenario,
        score=judged,
        trend=since,
        headline=headline(judged),
        lanes=timeline(run, scenario),
        length=seconds_in_words(run.offset(run.ended)),
        style=Markup(css),  # noqa: S704  # our own file
    )


def _visible(value: object) -> object:
    if isinstance(value, str) and not isinstance(value, Markup):
        return "\n".join(map(shown, value.split("\n")))
    return value


def _plain(word: str) -> str:
    return word.replace("_", " ")

"""A backtest report as an HTML fragment with its lines of time, for pages."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from countermand.learning.report import BacktestReport
from countermand.learning.report_view import facts

_DIRECTORY = Path(__file__).parent.parent / "templates" / "learning"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_DIRECTORY),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def html(report: BacktestReport) -> str:
    """One `<section>`; everything in it is escaped, and nothing is fetched from anywhere."""
    return _ENVIRONMENT.get_template("backtest.html").render(facts=facts(report))

"""The report of a rehearsal as a page: it loads nothing, and texts of others stay text."""

from __future__ import annotations

import os
from pathlib import Path

from adapters.rehearsal_report import render_report
from countermand.rehearsal.run import InjectDone
from countermand.rehearsal.score import score
from countermand.rehearsal.trend import Trend
from tests.rules.rehearsal import played


def test_the_page_loads_nothing_marks_itself_as_a_rehearsal_and_shows_markup_as_text() -> None:
    story, book = played.scenario(), played.playbook()
    hostile = InjectDone(
        at=60, number=1, kind="media", to="x", channel="email", content="<script>1</script>", shown=True
    )
    lost = tuple(played.told(to="eva", channel="slack", at=400.0 + n, delivered=False, attempt=n) for n in (1, 2))
    run = played.run(injects=(hostile,), messages=(played.told(), *lost), records=played.rejected_after(16))
    page = render_report(
        played.ROOT / "templates", run, story, score(run, story, book), Trend(since=None, changes=(), note="First.")
    )
    assert "<title>REHEARSAL" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "http://" not in page
    assert "&lt;script&gt;" in page
    assert "1 min 00 s too late" in page
    assert "not reached" in page
    if folder := os.environ.get("COUNTERMAND_PICTURES"):
        Path(folder, "rehearsal-report.html").write_text(page, encoding="utf-8")

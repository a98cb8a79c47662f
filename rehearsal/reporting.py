"""What a run leaves behind on disk: the run itself, its judgement, and reports for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markdown_it import MarkdownIt

from adapters.rehearsal_report import render_report
from countermand.canonical import digest_bytes
from countermand.ledger.bodies import RehearsalFinished
from countermand.playbook.load import parse
from countermand.rehearsal.outcome import finished
from countermand.rehearsal.received import run_id_of
from countermand.rehearsal.report import in_a_line, markdown
from countermand.rehearsal.run import Run
from countermand.rehearsal.scenario import Scenario
from countermand.rehearsal.score import score
from countermand.rehearsal.trend import trend

_HISTORY = "history.jsonl"
_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Rehearsals</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}
th,td{text-align:left;padding:.3rem .8rem;border-bottom:1px solid #ccc;vertical-align:top}
</style>
"""


def write(scenario: Scenario, playbook: bytes, run: Run, out: Path) -> tuple[int, list[str]]:
    """Judge the run and write it with its reports; returns how many lines held, and what did not in words."""
    out.mkdir(parents=True, exist_ok=True)
    book = parse(playbook)
    judged = score(run, scenario, book)
    history = out / _HISTORY
    earlier = [RehearsalFinished.model_validate_json(line) for line in _lines(history)]
    raw = run.model_dump_json(indent=1).encode()
    body, _ = finished(run_id_of(run), run, scenario, book, judged, report="", html="")
    since = trend(body, earlier)
    text = markdown(run, scenario, judged, since)
    (out / "run.json").write_bytes(raw)
    (out / "report.md").write_text(text)
    page = render_report(_TEMPLATES, run, scenario, judged, since)
    (out / "report.html").write_text(page)
    stored = {"report_sha256": digest_bytes(text.encode()), "html_sha256": digest_bytes(page.encode())}
    body = body.model_copy(update=stored)
    with history.open("a") as file:
        file.write(body.model_dump_json() + "\n")
    return judged.held, [f"{one.expects}: {one.found} ({one.line})" for one in judged.findings if not one.held]


def last_of(out: Path) -> RehearsalFinished | None:
    """How the newest run in a directory ended; None when there is none."""
    lines = _lines(out / _HISTORY)
    return RehearsalFinished.model_validate_json(lines[-1]) if lines else None


def write_all(outs: Sequence[Path], out: Path) -> Path:
    """One page about all runs; returns it."""
    lines = [
        "# Rehearsals",
        "",
        "| Scenario | Lines held | Not held | How long |",
        "|---|---|---|---|",
    ]
    for one in outs:
        body = last_of(one)
        if body is None:
            lines.append(f"| {one.name} | no run | | |")
            continue
        spans = ", ".join(f"{name.replace('_', ' ')} {seconds} s" for name, seconds in body.seconds.items() if seconds)
        lines.append(
            f"| [{in_a_line(body.title)}]({one.name}/report.md) | {body.held} of {body.held + body.failed} "
            f"| {', '.join(body.failed_lines)} | {spans} |"
        )
    text = "\n".join(lines) + "\n"
    (out / "report.md").write_text(text)
    report = out / "report.html"
    report.write_text(_PAGE + _linked(MarkdownIt("js-default").render(text)))
    return report


def _linked(page: str) -> str:
    """Pages link to pages."""
    return page.replace("/report.md", "/report.html")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []

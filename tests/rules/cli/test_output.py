"""What is printed where: tables on a terminal only, the API's own JSON on demand, colour never on a pipe."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from countermand.cli.output import sign, state_text
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

INCIDENTS = {
    "items": [
        {
            "incident_id": "inc-2",
            "release_id": "bot-v7",
            "severity": "sev2",
            "status": "asking",
            "sentence": "Waiting for [2] people.",
            "opened_at": "2026-03-01T12:00:00.000000Z",
            "closed_at": None,
        },
        {
            "incident_id": "inc-1",
            "release_id": "bot-v6",
            "severity": "sev1",
            "status": "reverted",
            "sentence": "Rolled back and shown to be healthy.",
            "opened_at": "2026-02-01T12:00:00.000000Z",
            "closed_at": "2026-02-01T13:00:00.000000Z",
        },
    ]
}


@pytest.fixture
def listed(console: FakeConsole) -> FakeConsole:
    console.on("GET /api/v1/incidents", (200, INCIDENTS))
    return console


def test_a_pipe_gets_tab_separated_lines_with_a_heading(listed: FakeConsole, shell: Shell) -> None:
    heading, first, second = shell("incident", "list").out.splitlines()
    assert heading.split("\t")[:2] == ["INCIDENT", "STATUS"]
    assert first.split("\t")[:2] == ["inc-2", "asking"]
    assert second.split("\t")[-1] == "Rolled back and shown to be healthy."


def test_json_is_the_answer_of_the_api(listed: FakeConsole, shell: Shell) -> None:
    assert json.loads(shell("incident", "list", "-o", "json").out) == INCIDENTS


def test_jsonl_is_one_item_per_line(listed: FakeConsole, shell: Shell) -> None:
    lines = shell("incident", "list", "-o", "jsonl").out.splitlines()
    assert [json.loads(line) for line in lines] == INCIDENTS["items"]


def on_a_terminal(*command: str, **environment: str) -> str:
    """What a command writes to a terminal of 160 columns."""
    ours, theirs = pty.openpty()
    settings: dict[str, str] = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    settings |= {"TERM": "xterm-256color", "COLUMNS": "160", **environment}
    with subprocess.Popen([sys.executable, "-m", "countermand.cli", *command], stdout=theirs, env=settings) as process:
        os.close(theirs)
        written = b""
        while True:
            try:
                written += os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
    os.close(ours)
    assert process.returncode == 0
    return written.decode()


def test_a_terminal_gets_an_aligned_table_with_glyph_word_and_colour(listed: FakeConsole) -> None:
    written = on_a_terminal("incident", "list")
    assert "\x1b[32m✓ reverted" in written
    assert "… asking" in written
    assert "\t" not in written


def test_no_color_is_respected_on_a_terminal_and_states_are_still_told_apart(listed: FakeConsole) -> None:
    written = on_a_terminal("incident", "list", NO_COLOR="1")
    assert "\x1b[3" not in written
    assert "✓ reverted" in written


def test_text_from_the_console_is_never_taken_for_markup(listed: FakeConsole) -> None:
    assert "Waiting for [2] people." in on_a_terminal("incident", "list")


@pytest.mark.parametrize(
    ("word", "glyph"),
    [("ok", "✓"), ("trigger", "▲"), ("unknown", "?"), ("asking", "…"), ("not_verified", "▲"), ("a new word", "…")],
)
def test_every_state_has_a_glyph_and_a_word(word: str, glyph: str) -> None:
    assert sign(word) == glyph
    assert state_text(word).plain == f"{glyph} {word.replace('_', ' ')}"


def test_an_incident_shows_stages_votes_and_timeline(console: FakeConsole, shell: Shell) -> None:
    body: dict[str, Any] = {
        "incident_id": "inc-1",
        "release_id": "bot-v7",
        "status": "reverting",
        "sentence": "Going back in stages.",
        "opened": {"service": "bot", "environment": "prod", "severity": "sev2"},
        "stages": [{"number": 1, "candidate_bp": 4_500, "state": "soaking"}],
        "members": [
            {
                "moving": {"member": {"target": "registry", "name": "prompt"}},
                "says": "names the candidate",
                "wanted": "names the baseline",
                "configured": "waiting",
            }
        ],
        "asks": [
            {
                "opened": {"ask_id": "inc-1-ask-1", "need_people": 2},
                "status": "approved",
                "have": 2,
                "missing": [],
            }
        ],
        "timeline": [
            {"seq": 4, "at": "2026-03-01T12:00:00.000000Z", "tone": "bad", "text": "Incident opened", "detail": "why"}
        ],
        "closed": None,
    }
    console.on("GET /api/v1/incidents/inc-1", (200, body))
    out = shell("incident", "show", "inc-1").out
    assert "… stage 1: candidate 45 % of users, soaking" in out
    assert "… registry/prompt: names the candidate (asked: names the baseline)" in out
    assert "✓ request inc-1-ask-1: approved, 2 of 2 people" in out
    assert "2026-03-01 12:00:00 UTC  Incident opened: why" in out


def test_watch_on_a_terminal_shows_the_evidence_live_until_the_watch_ends(console: FakeConsole) -> None:
    def evidence(word: str, share: str) -> dict[str, Any]:
        return {
            "release_id": "bot-v7",
            "word": word,
            "sentence": f"it is {word}",
            "judged_until": None,
            "last_word": "trigger",
            "signals": {"false_answers": f"candidate {share}"},
            "evidence": {"truth": {"word": "trigger", "sentence": "Evidence is 130 to 1."}},
        }

    console.on("GET /api/v1/events", (200, "event: judged\r\ndata: {}\r\n\r\n"))
    console.on("GET /api/v1/releases/bot-v7/watch", (200, evidence("trigger", "4 %")), (200, evidence("closed", "5 %")))
    written = on_a_terminal("watch", "bot-v7")
    assert "▲ trigger" in written
    assert "false answers: candidate 4 %" in written
    assert "■ closed" in written
    assert written.index("candidate 4 %") < written.index("candidate 5 %")

"""`watch` and `incident show -w`: one answer per change, exit codes by verdict."""

from __future__ import annotations

import json
from typing import Any

import pytest

from countermand.cli import follow
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

WATCH = "GET /api/v1/releases/bot-v7/watch"


def evidence(word: str, last_word: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "release_id": "bot-v7",
        "word": word,
        "sentence": f"it is {word}",
        "judged_until": "2026-03-01T12:00:00.000000Z",
        "last_word": last_word or word,
        "signals": {"false_answers": "candidate 4 % (4 of 100 outputs)"},
        "evidence": {"truth": {"word": "watch", "sentence": "Evidence for “truth” is 30 to 1."}},
        **more,
    }


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "_PAUSE", 0.0)


@pytest.mark.parametrize(
    ("word", "last_word", "exit_code"),
    [
        ("ok", "ok", 0),
        ("watch", "watch", 10),
        ("trigger", "trigger", 11),
        ("unknown", "ok", 12),
        ("waiting", None, 12),
        ("over", "ok", 0),
        ("closed", "trigger", 11),
        ("closed", None, 12),
    ],
)
def test_the_exit_code_tells_the_verdict_and_silence_is_never_ok(
    console: FakeConsole, shell: Shell, word: str, last_word: str | None, exit_code: int
) -> None:
    console.on(WATCH, (200, {**evidence(word), "last_word": last_word}))
    ended = shell("watch", "bot-v7", "--exit-code")
    assert ended.code == exit_code
    assert "false answers: candidate 4 % (4 of 100 outputs)" in ended.out


def test_a_pipe_gets_one_line_per_change_of_the_word(console: FakeConsole, shell: Shell) -> None:
    answers = [evidence("ok"), evidence("ok", sentence="still ok"), evidence("trigger"), evidence("closed")]
    console.on(WATCH, *((200, answer) for answer in answers))
    lines = shell("watch", "bot-v7").out.splitlines()
    assert [line.split("\t")[1] for line in lines] == ["ok", "trigger", "closed"]


def test_jsonl_gets_every_change(console: FakeConsole, shell: Shell) -> None:
    answers = [evidence("ok"), evidence("ok"), evidence("ok", sentence="still ok"), evidence("over")]
    console.on(WATCH, *((200, answer) for answer in answers))
    lines = [json.loads(line) for line in shell("watch", "bot-v7", "-o", "jsonl").out.splitlines()]
    assert [line["sentence"] for line in lines] == ["it is ok", "still ok", "it is over"]


def test_the_event_stream_says_when_to_read_again(console: FakeConsole, shell: Shell) -> None:
    news = "event: changed\r\nid: 4\r\ndata: {}\r\n\r\n"
    ping = "event: ping\r\ndata: {}\r\n\r\n"
    console.on("GET /api/v1/events", (200, news + ping + news))
    console.on(WATCH, (200, evidence("ok")), (200, evidence("watch")), (200, evidence("closed")))
    shell("watch", "bot-v7")
    assert len(console.of("GET /api/v1/events")) == 1
    assert console.of("GET /api/v1/events")[0].query == {"topic": ["bot-v7"]}
    assert len(console.of(WATCH)) == 3


def test_a_console_that_goes_away_for_a_moment_is_waited_for(console: FakeConsole, shell: Shell) -> None:
    gone = (503, {"code": "store_unavailable", "detail": "try later"})
    console.on(WATCH, (200, evidence("ok")), gone, gone, (200, evidence("closed")))
    ended = shell("watch", "bot-v7")
    assert ended.code == 0
    assert ended.err.count("updates lost") == 1
    assert "updates are back" in ended.err
    assert ended.out.splitlines()[-1].split("\t")[1] == "closed"


def test_a_release_that_does_not_exist_is_said_at_once(console: FakeConsole, shell: Shell) -> None:
    console.on(WATCH, (404, {"code": "unknown_release", "detail": "no release 'bot-v7'"}))
    assert shell("watch", "bot-v7").code == 2


def test_incident_show_w_prints_each_timeline_entry_once_until_it_is_closed(console: FakeConsole, shell: Shell) -> None:
    def incident(entries: int, closed: bool) -> dict[str, Any]:
        at = "2026-03-01T12:00:00.000000Z"
        timeline = [{"seq": n, "at": at, "tone": "info", "text": f"entry {n}", "detail": ""} for n in range(entries)]
        return {"timeline": timeline, "closed": {"outcome": "reverted"} if closed else None}

    console.on(
        "GET /api/v1/incidents/inc-1", (200, incident(1, False)), (200, incident(3, False)), (200, incident(4, True))
    )
    lines = shell("incident", "show", "inc-1", "-w").out.splitlines()
    assert [line[-7:] for line in lines] == ["entry 0", "entry 1", "entry 2", "entry 3"]

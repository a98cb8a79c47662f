"""How commands end when something is wrong: one code and three answers, on stderr."""

from __future__ import annotations

import socket

import pytest

from countermand.cli import client
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole


def problem(code: str, next_: str = "do this") -> dict[str, str]:
    return {"code": code, "detail": f"about {code}", "next": next_}


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (401, "unauthenticated", 3),
        (403, "four_eyes", 3),
        (404, "unknown_incident", 2),
        (409, "stale", 4),
        (422, "reason_too_short", 2),
        (500, "bug", 1),
        (503, "store_unavailable", 6),
    ],
)
def test_each_problem_of_the_api_has_its_exit_code_and_says_what_to_do(
    console: FakeConsole, shell: Shell, status: int, code: str, exit_code: int
) -> None:
    console.on("GET /api/v1/incidents/inc-1", (status, problem(code)))
    ended = shell("incident", "show", "inc-1")
    assert ended.code == exit_code
    assert ended.out == ""
    assert f"{code}: about {code}" in ended.err
    assert "next: do this" in ended.err


def test_an_unreachable_console_is_exit_6_with_its_address(
    console: FakeConsole, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("COUNTERMAND_URL", url)
        ended = shell("release", "list")
    assert ended.code == 6
    assert url in ended.err
    assert "countermand up" in ended.err


def test_a_token_is_never_sent_in_the_clear_to_another_machine(
    console: FakeConsole, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERMAND_URL", "http://console.example")
    ended = shell("release", "list")
    assert ended.code == 2
    assert "'http://console.example'" in ended.err
    assert "https://" in ended.err


def test_without_a_token_the_command_says_how_to_sign_in(
    console: FakeConsole, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COUNTERMAND_TOKEN")
    ended = shell("ask", "list")
    assert ended.code == 3
    assert "countermand login" in ended.err
    assert console.sent == []


def test_an_unknown_option_is_a_usage_error(shell: Shell) -> None:
    assert shell("release", "list", "--frobnicate").code == 2


def test_a_bug_is_exit_1_with_its_traceback(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise RuntimeError("broken inside")

    monkeypatch.setattr(client, "console_url", broken)
    ended = shell("release", "list")
    assert ended.code == 1
    assert "RuntimeError: broken inside" in ended.err


class TestACommandThatChangesSomething:
    COMMAND = ("incident", "hold", "inc-1", "--reason", "Let us look at it first.")
    PATH = "POST /api/v1/incidents/inc-1/actions"

    def test_needs_a_reason(self, console: FakeConsole, shell: Shell) -> None:
        assert shell("incident", "hold", "inc-1").code == 2
        assert console.sent == []

    def test_whose_outcome_is_unknown_names_a_key_that_counts_once(self, console: FakeConsole, shell: Shell) -> None:
        console.on(
            self.PATH,
            (503, problem("outcome_unknown")),
            (200, {"status": "accepted", "sentence": "hold accepted.", "have": 0, "need": 0}),
        )
        unknown = shell(*self.COMMAND)
        assert unknown.code == 6
        key = console.sent[0].headers["idempotency-key"]
        assert f"--resume {key}" in unknown.err
        again = shell(*self.COMMAND, "--resume", key)
        assert (again.code, again.out) == (0, "✓ hold accepted.\n")
        assert [one.headers["idempotency-key"] for one in console.sent] == [key, key]
        assert console.sent[0].body == {"action": "hold", "reason": "Let us look at it first."}

    @pytest.mark.parametrize(
        ("command", "action"),
        [("resume", "resume"), ("abort", "abort"), ("reverse", "reverse"), ("ask-again", "ask_again")],
    )
    def test_sends_its_own_action(self, console: FakeConsole, shell: Shell, command: str, action: str) -> None:
        console.on(self.PATH, (200, {"status": "accepted", "sentence": "Accepted.", "have": 0, "need": 0}))
        assert shell("incident", command, "inc-1", "--reason", "It is time to do this.").code == 0
        assert console.sent[0].body["action"] == action

"""Deciding on the command line: only what was read can be approved."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

DIGEST = "4b5c" * 16
ASK = "inc-1-ask-1"
REASON = "The evidence is clear and the plan is small."


def shown(digest: str = DIGEST, view: str = "view-1", **card: Any) -> dict[str, Any]:
    return {
        "view_sha256": view,
        "status": "pending",
        "have": 0,
        "need": 2,
        "votes": [],
        "card": {
            "ask_id": ASK,
            "incident_id": "inc-1",
            "approval_digest": f"sha256:{digest}",
            "title": "Roll back bot v7 to bot v6?",
            "question": "May the users go back?",
            "deadline": "2026-03-01 12:00:00 UTC, 10 minutes after the request",
            "facts": [{"title": "Why", "lines": ["candidate 4 %, baseline 2 %"]}],
            "if_nobody_decides": "hold: nothing is changed.",
            "people": "0 of 2 people approved; asked: Maria Keller",
            "complete": True,
            "incomplete_because": [],
            "because": "",
            **card,
        },
    }


@pytest.fixture
def asked(console: FakeConsole) -> FakeConsole:
    console.on(f"GET /api/v1/asks/{ASK}", (200, shown()))
    answer = {"status": "pending", "sentence": "1 of 2 people approved", "have": 1, "need": 2}
    console.on(f"POST /api/v1/asks/{ASK}/decisions", (200, answer))
    return console


def decisions(console: FakeConsole) -> list[Any]:
    return [one.body for one in console.of(f"POST /api/v1/asks/{ASK}/decisions")]


def test_ask_show_prints_the_facts_in_order_and_the_command_to_approve(asked: FakeConsole, shell: Shell) -> None:
    out = shell("ask", "show", ASK).out
    order = ["Roll back bot v7", "May the users", "Decide before", "Why", "candidate 4 %", "If nobody decides"]
    places = [out.index(part) for part in order]
    assert places == sorted(places)
    assert f"approve {ASK} --digest {DIGEST[:12]}" in out
    assert DIGEST in out


def test_what_was_shown_can_be_approved(asked: FakeConsole, shell: Shell) -> None:
    shell("ask", "show", ASK)
    ended = shell("approve", ASK, "--digest", DIGEST[:12], "--reason", REASON)
    assert (ended.code, ended.out) == (0, "✓ counted: 1 of 2 people approved\n")
    assert decisions(asked) == [
        {"kind": "approve", "approval_digest": f"sha256:{DIGEST}", "view_sha256": "view-1", "reason": REASON}
    ]


def test_the_approval_names_the_card_that_was_printed_not_a_newer_one(asked: FakeConsole, shell: Shell) -> None:
    shell("ask", "show", ASK)
    asked.on(f"GET /api/v1/asks/{ASK}", (200, shown(view="view-2")))
    shell("approve", ASK, "--digest", DIGEST, "--reason", REASON)
    assert decisions(asked)[0]["view_sha256"] == "view-1"


def test_what_was_not_shown_here_cannot_be_approved(asked: FakeConsole, shell: Shell) -> None:
    ended = shell("approve", ASK, "--digest", DIGEST[:12], "--reason", REASON)
    assert ended.code == 4
    assert f"countermand ask show {ASK}" in ended.err
    assert decisions(asked) == []


def test_what_another_person_was_shown_does_not_count(
    asked: FakeConsole, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("ask", "show", ASK)
    monkeypatch.setenv("COUNTERMAND_TOKEN", "token-of-jonas")
    assert shell("approve", ASK, "--digest", DIGEST[:12], "--reason", REASON).code == 4
    assert decisions(asked) == []


@pytest.mark.parametrize("command", ["approve", "reject"])
def test_another_digest_is_stale_and_nothing_is_sent(asked: FakeConsole, shell: Shell, command: str) -> None:
    shell("ask", "show", ASK)
    asked.on(f"GET /api/v1/asks/{ASK}", (200, shown(digest="9d" * 32)))
    ended = shell(command, ASK, "--digest", DIGEST[:12], "--reason", REASON)
    assert ended.code == 4
    assert "stale" in ended.err
    assert DIGEST[:12] in ended.err
    assert "9d9d9d9d9d9d" in ended.err
    assert decisions(asked) == []


@pytest.mark.parametrize("digest", ["4b5c4b5c4b5", "not-a-digest-at-all", DIGEST + "0"])
def test_a_digest_that_is_too_short_or_not_hex_is_a_usage_error(asked: FakeConsole, shell: Shell, digest: str) -> None:
    ended = shell("approve", ASK, "--digest", digest, "--reason", REASON)
    assert ended.code == 2
    assert repr(digest) in ended.err
    assert asked.sent == []


def test_rejecting_needs_no_earlier_look(asked: FakeConsole, shell: Shell) -> None:
    assert shell("reject", ASK, "--digest", f"sha256:{DIGEST}", "--reason", REASON).code == 0
    assert decisions(asked)[0]["kind"] == "reject"
    assert decisions(asked)[0]["view_sha256"] is None


def test_an_incomplete_card_says_that_it_cannot_be_approved(asked: FakeConsole, shell: Shell) -> None:
    asked.on(f"GET /api/v1/asks/{ASK}", (200, shown(complete=False, incomplete_because=["the exact plan"])))
    assert "the exact plan cannot be shown" in shell("ask", "show", ASK).out


def test_only_asks_that_wait_for_me_are_asked_for_with_mine(console: FakeConsole, shell: Shell) -> None:
    console.on("GET /api/v1/asks", (200, {"items": []}))
    shell("ask", "list", "--mine")
    shell("ask", "list")
    assert [one.query for one in console.sent] == [{"mine": ["true"]}, {}]


def test_what_needs_a_security_key_is_answered_with_the_page_and_nothing_is_sent(
    asked: FakeConsole, shell: Shell
) -> None:
    asked.on(f"GET /api/v1/asks/{ASK}", (200, shown(signature_class="step_up")))
    out = shell("ask", "show", ASK).out
    assert f"approve with your security key: {asked.url}/asks/{ASK}" in out
    assert f"reject {ASK} --digest {DIGEST[:12]}" in out
    ended = shell("approve", ASK, "--digest", DIGEST[:12], "--reason", REASON)
    assert ended.code == 3
    assert "step_up_required" in ended.err
    assert f"next: open {asked.url}/asks/{ASK}" in ended.err
    assert len(ended.err.splitlines()) == 2
    assert decisions(asked) == []
    assert shell("reject", ASK, "--digest", DIGEST[:12], "--reason", REASON).code == 0

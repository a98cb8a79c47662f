"""Messages on the command line: listed with their keys, corrected and withdrawn by key."""

from __future__ import annotations

import json

import pytest

from countermand.cli.exits import Exit
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

KEY = "inc-1/reverted/1/customer"
ACCEPTED = {"status": "accepted", "sentence": "customer is being told.", "message": f"{KEY}/correction/c-1"}


def test_messages_are_listed_with_key_and_channel(console: FakeConsole, shell: Shell) -> None:
    sent = {"key": KEY, "channel": "pager", "subject": "The earlier version is back"}
    console.on("GET /api/v1/incidents/inc-1", (200, {"messages": [["2026-01-01T00:00:00Z", sent]]}))
    ran = shell("message", "list", "inc-1", "-o", "jsonl")
    assert ran.code == 0
    assert json.loads(ran.out) == {"at": "2026-01-01T00:00:00Z", **sent}


@pytest.mark.parametrize(
    ("arguments", "order"),
    [
        (("correct", KEY, "--what", "About 40.", "--why", "Old number."), {"what": "About 40.", "why": "Old number."}),
        (("retract", KEY, "--why", "Old number."), {"why": "Old number."}),
    ],
)
def test_a_wrong_message_is_put_right_under_a_key_that_can_be_sent_again(
    arguments: tuple[str, ...], order: dict[str, str], console: FakeConsole, shell: Shell
) -> None:
    request = f"POST /api/v1/messages/{KEY}/corrections"
    console.on(request, (200, ACCEPTED))
    ran = shell("message", *arguments, "--resume", "c-1")
    assert ran.code == 0
    assert "customer is being told." in ran.out
    assert f"{KEY}/correction/c-1" in ran.out
    (sent,) = console.of(request)
    assert (sent.body, sent.headers["idempotency-key"]) == (order, "c-1")


def test_without_the_role_the_exit_code_says_so(console: FakeConsole, shell: Shell) -> None:
    problem = {"code": "not_your_role", "detail": "correcting a message needs the role incident_commander."}
    console.on(f"POST /api/v1/messages/{KEY}/corrections", (403, problem))
    assert shell("message", "retract", KEY, "--why", "Old number.").code == Exit.not_authorised

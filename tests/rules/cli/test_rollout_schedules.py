"""A sandbox again and again, from the command line."""

from __future__ import annotations

import pytest

from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

PATH = "/api/v1/releases/bot-v7/rollout/schedule"
SAID = {"status": "accepted", "sentence": "A sandbox of bot-v7 starts every 1d from now on, as Lena Ortiz wants."}


def test_a_schedule_is_asked_for_with_its_interval_and_removed(console: FakeConsole, shell: Shell) -> None:
    console.on(f"PUT {PATH}", (200, SAID))
    console.on(f"DELETE {PATH}", (200, SAID | {"sentence": "No sandbox starts by a schedule any more."}))
    put = shell("release", "rollout", "schedule", "bot-v7", "--every", "24h")
    removed = shell("release", "rollout", "schedule", "bot-v7", "--remove")
    assert (put.code, removed.code) == (0, 0)
    assert "every 1d from now on" in put.out
    assert "any more" in removed.out
    assert [(one.method, one.raw) for one in console.sent] == [("PUT", b'{"every":"24h"}'), ("DELETE", b"")]


@pytest.mark.parametrize("said", [(), ("--every", "24h", "--remove")])
def test_neither_or_both_of_every_and_remove_is_refused_before_anything_is_sent(
    console: FakeConsole, shell: Shell, said: tuple[str, ...]
) -> None:
    ended = shell("release", "rollout", "schedule", "bot-v7", *said)
    assert ended.code == 2
    assert "--every 24h, or --remove" in ended.err
    assert console.sent == []


def test_the_console_says_which_intervals_are_accepted(console: FakeConsole, shell: Shell) -> None:
    detail = "body/every: Value error, '400d' is not accepted; write 1h to 30d"
    console.on(f"PUT {PATH}", (422, {"code": "schema", "detail": detail}))
    ended = shell("release", "rollout", "schedule", "bot-v7", "--every", "400d")
    assert ended.code == 2
    assert "write 1h to 30d" in ended.err


def test_the_status_of_a_rollout_ends_with_its_schedule(console: FakeConsole, shell: Shell) -> None:
    line = "A sandbox starts every 1d, as Lena Ortiz wanted. Next at 2026-11-21 00:00:00 UTC."
    rollout = {
        "kind": "sandbox", "release_id": "bot-v7", "rollout_id": "rollout-1", "status": "done", "sentence": "Healthy.",
        "plan": [], "steps": [], "decided": [], "restored": True, "wants_start": False, "schedule": {"lines": [line]},
    }  # fmt: skip
    console.on("GET /api/v1/releases/bot-v7/rollout", (200, rollout))
    assert line in shell("release", "rollout", "status", "bot-v7").out

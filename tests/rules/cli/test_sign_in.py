"""Signing in: where the token is kept, and who can read it."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

SESSION = {
    "token": "secret-token",
    "expires_at": "2026-03-01T12:00:00.000000Z",
    "subject": "local|maria",
    "name": "Maria Keller",
    "roles": ["safety_lead"],
}


@pytest.fixture
def signed_in(
    console: FakeConsole, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[FakeConsole, Path]:
    monkeypatch.delenv("COUNTERMAND_TOKEN")
    monkeypatch.setattr("sys.stdin", io.StringIO("amber-otter\n"))
    console.on("POST /api/v1/login", (200, SESSION))
    ended = shell("login", "maria", "--password-stdin")
    assert ended.code == 0
    assert "secret-token" not in ended.out
    return console, tmp_path / "config" / "countermand" / "tokens.json"


def test_login_keeps_the_token_where_only_its_owner_reads_it(signed_in: tuple[FakeConsole, Path]) -> None:
    console, file = signed_in
    assert console.sent[0].body == {"subject": "local|maria", "password": "amber-otter"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_later_commands_use_the_stored_token(signed_in: tuple[FakeConsole, Path], shell: Shell) -> None:
    console, _ = signed_in
    console.on("GET /api/v1/whoami", (200, SESSION))
    assert shell("whoami").out == "Maria Keller (local|maria), safety lead\n"
    assert console.sent[-1].headers["authorization"] == "Bearer secret-token"


def test_a_token_file_that_others_can_read_is_refused(signed_in: tuple[FakeConsole, Path], shell: Shell) -> None:
    console, file = signed_in
    file.chmod(0o640)
    before = len(console.sent)
    ended = shell("whoami")
    assert ended.code == 3
    assert "0640" in ended.err
    assert "chmod 600" in ended.err
    assert len(console.sent) == before


def test_a_token_is_for_the_console_that_issued_it(
    signed_in: tuple[FakeConsole, Path], shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeConsole() as other:
        monkeypatch.setenv("COUNTERMAND_URL", other.url)
        assert shell("whoami").code == 3
        assert other.sent == []


def test_logout_forgets_the_token_even_if_the_console_already_has(
    signed_in: tuple[FakeConsole, Path], shell: Shell
) -> None:
    console, file = signed_in
    console.on("POST /api/v1/logout", (401, {"code": "unauthenticated", "detail": "unknown token"}))
    assert shell("logout").code == 0
    assert "secret-token" not in file.read_text()
    assert shell("whoami").code == 3

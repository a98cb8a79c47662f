"""Fixtures: a fake console, and a shell in which this person is signed in to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from countermand import cli
from tests.rules.cli.fake_console import FakeConsole


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Shell = Callable[..., Ran]


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeConsole]:
    with FakeConsole() as fake:
        monkeypatch.setenv("COUNTERMAND_URL", fake.url)
        monkeypatch.setenv("COUNTERMAND_TOKEN", "token-of-maria")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
        monkeypatch.delenv("COUNTERMAND_SOURCE_TOKEN", raising=False)
        yield fake


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str]) -> Shell:
    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        code = cli.run(list(arguments))
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run

"""`doctor`: is everything here that is needed, and does the console answer and pass its own self-check?"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

from countermand import __version__
from countermand.cli import client, private_file
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Column, Format, FormatOption, items

_MAX_SKEW = 5.0  # seconds
_PORTS = {"temporal": 7233, "temporal UI": 8233, "console": 8800, "demo service": 8890}
_COLUMNS = (Column("CHECK", "name"), Column("RESULT", "state", state=True), Column("FOUND", "found"))


class Finding(NamedTuple):
    """One answer. `state`: ok, fail, or unknown; `code` is what the command ends with if it failed."""

    name: str
    state: str
    found: str
    code: Exit = Exit.failed


def doctor(output: FormatOption = Format.table) -> None:
    """Check settings, ports, the temporal binary, console, clocks, database and targets. Exit 5 or 6 if not well."""
    findings = [*_here(), *_console()]
    items({"schema": "countermand.doctor/v1", "items": [_json(finding) for finding in findings]}, _COLUMNS, output)
    failed = [finding for finding in findings if finding.state == "fail"]
    if failed:
        names = ", ".join(finding.name for finding in failed)
        raise Failure(failed[0].code, f"not well: {names}", next="the table says what was found")


def _json(finding: Finding) -> dict[str, str]:
    return {"name": finding.name, "state": finding.state, "found": finding.found}


def _here() -> Iterator[Finding]:
    yield Finding("countermand", "ok", f"{__version__} on Python {sys.version.split()[0]}")
    try:
        yield Finding("settings", "ok", f"COUNTERMAND_URL is {client.console_url()}")
    except Failure as failure:
        yield Finding("settings", "fail", failure.wrong, Exit.usage)
    try:
        private_file.read(private_file.config_file("tokens.json"))
        yield Finding("token file", "ok", "readable by you alone, or not there")
    except Failure as failure:
        yield Finding("token file", "fail", failure.wrong, failure.code)
    beside = Path(sys.executable).parent / "temporal"
    binary = str(beside) if beside.exists() else shutil.which("temporal")
    if binary is None:
        yield Finding("temporal binary", "unknown", "not found; only `up` and `demo` need it")
    else:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        yield Finding("temporal binary", "ok", shown or binary)
    for name, port in _PORTS.items():
        yield Finding(f"port {port}", "ok", f"{'in use' if _in_use(port) else 'free'} ({name})")


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _console() -> Iterator[Finding]:
    import httpx

    try:
        url = client.console_url()
        with httpx.Client(base_url=url, timeout=5, trust_env=not client.is_loopback(url)) as http:
            version = http.get("/api/v1/version")
            ready = http.get("/readyz")
    except Failure:
        return  # reported as a setting
    except httpx.TransportError as error:
        yield Finding("console", "fail", client.unreachable(url, error).wrong, Exit.unreachable)
        return
    theirs = client.answer_or_problem(version).get("version", "unknown")
    yield Finding("console", "ok" if version.is_success else "fail", f"{url} runs {theirs}", Exit.unreachable)
    yield _clock(version.headers.get("date", ""))
    for check in client.answer_or_problem(ready).get("checks", []):
        yield Finding(f"console: {check['name']}", "ok" if check["ok"] else "fail", check["sentence"])


def _clock(date: str) -> Finding:
    """The console's clock beside ours; its Date header has whole seconds."""
    if not date:
        return Finding("clock", "unknown", "the console sends no time")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    return Finding("clock", "ok" if skew <= _MAX_SKEW else "fail", f"{skew:.1f} s apart from the console's")

"""`countermand evidence` and `countermand population` against a served console."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from tests import cases
from tests.console.conftest import Served
from tests.console.packing import packs
from tests.console.test_evidence_pages import WHY, told, undrawn
from tests.console.world import BASE, INCIDENT

Serve = Callable[..., Awaitable[Served]]
__all__ = ["undrawn"]


async def test_a_pack_is_made_listed_looked_into_and_verified_from_the_command_line(
    serve: Serve, tmp_path: Path
) -> None:
    served = await serve(told)
    console = served.server.config.app.state  # type: ignore[union-attr]
    console.console = replace(console.console, packs=packs(served.world, tmp_path / "packs"))
    token = (await served.world.deps.accounts.issue_person_token(cases.AMIRA)).token
    environment = os.environ | {
        "COUNTERMAND_URL": served.url, "COUNTERMAND_TOKEN": token, "XDG_CONFIG_HOME": str(tmp_path)
    }  # fmt: skip

    async def run(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "countermand.cli", *arguments, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    file = tmp_path / "pack.zip"
    code, said = await run("evidence", "build", str(file), "--incident", INCIDENT, "--full", "--reason", WHY)
    assert code == 0, said
    assert (await run("evidence", "build", str(file), "--incident", INCIDENT))[0] == 2
    assert "Amira Haddad" in (await run("evidence", "list"))[1]
    assert f"incident {INCIDENT}, full" in (await run("evidence", "show", str(file)))[1]
    code, said = await run("evidence", "verify", str(file))
    assert (code, "internally consistent" in said) == (0, True), said
    assert (await run("evidence", "verify", str(file), "--require", "anchored"))[0] == 5
    content = await asyncio.to_thread(file.read_bytes)
    await asyncio.to_thread(file.write_bytes, content[:-1])
    assert (await run("evidence", "verify", str(file)))[0] == 7
    day = BASE.strftime("%Y-%m-%d")
    code, said = await run("population", "--from", day, "--to", day)
    assert code == 0, said
    assert "0 gaps" in said
    assert "not compared" in said

"""`countermand threshold` against a served console: propose from the version in force, follow, waive, keep."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from countermand.cli.exits import Exit
from tests import cases
from tests.console.test_thresholds import RATIO, SAID, Serve, Thresholds

WHY = "We looked at it together."


async def test_a_change_is_proposed_followed_waived_and_withdrawn_from_the_command_line(
    serve: Serve, tmp_path: Path
) -> None:
    desk = Thresholds(await serve())
    await desk.begin()
    desk.world.workflows.thresholds.said = {"missed": ("spring",)}

    async def run(who: str, *arguments: str) -> tuple[int | None, str]:
        token = (await desk.world.deps.accounts.issue_person_token(who)).token
        environment = os.environ | {
            "COUNTERMAND_URL": desk.served.url, "COUNTERMAND_TOKEN": token, "XDG_CONFIG_HOME": str(tmp_path)
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "countermand.cli", "threshold", *arguments, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    (status,) = await desk.world.deps.catalogue.releases()
    name = (await desk.world.deps.catalogue.playbook(status.release.playbook_digest)).name
    words = ("--hypothesis", SAID["hypothesis"], "--effect", SAID["expected_effect"])
    why = (*words, "--rollback-if", SAID["rollback_condition"], "--origin", "measured", "--playbook", name)
    code, said = await run(cases.AMIRA, "propose", *why, "--set", f"{RATIO}=eleven")
    assert (code, f"{RATIO}: 'eleven' is not a number" in said) == (2, True), said
    code, said = await run(cases.AMIRA, "propose", *why, "--set", f"{RATIO}=1.5")
    assert (code, "1.2 → 1.5 (loosened)" in said) == (0, True), said
    proposal_id = said.split()[1].rstrip(":")
    code, said = await run(cases.MARIA, "show", proposal_id)
    assert f"threshold waive {proposal_id} spring" in said
    code, said = await run(cases.MARIA, "waive", proposal_id, "spring", "--reason", WHY)
    assert (code, "spring is waived by Maria Keller" in said) == (0, True), said
    assert proposal_id in (await run(cases.MARIA, "list"))[1]
    code, said = await run(cases.AMIRA, "withdraw", proposal_id, "--reason", WHY)
    assert (code, "Nothing changed" in said) == (0, True), said
    code, said = await run(cases.MARIA, "back", proposal_id, "--reason", WHY)
    assert (code, "never adopted" in said) == (Exit.refused, True), said

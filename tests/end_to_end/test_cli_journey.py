"""A rollback from the command line alone: two people sign in, read, decide; a third checks the record."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.stack import RELEASE, Stack, running
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PLAYBOOK = ROOT / "examples" / "demo" / "playbook.yaml"
REASON = ("--reason", "The evidence is clear and the plan is small.")


class Ran(NamedTuple):
    code: int | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """The shell of one person: their own token, their own memory of what they were shown."""

    def __init__(self, stack: Stack, home: Path) -> None:
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith("COUNTERMAND_")}
        self._environment |= {
            "COUNTERMAND_URL": stack.place.console_url,
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_STATE_HOME": str(home / "state"),
        }

    async def __call__(self, *arguments: str, given: str = "") -> Ran:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "countermand.cli", *arguments),
            cwd=ROOT,
            env=self._environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(given.encode())
        return Ran(process.returncode, out.decode(), err.decode())


async def signed_in(stack: Stack, directory: Path, name: str) -> Shell:
    shell = Shell(stack, directory / name)
    ran = await shell("login", name, "--password-stdin", given=stack.passwords[f"local|{name}"] + "\n")
    assert ran.code == 0, ran.err
    return shell


@pytest.mark.timeout(300)
async def test_two_people_roll_back_a_bad_release_with_the_command_line_and_a_third_verifies_the_record(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "data") as stack:
        maria, jonas, lena = [await signed_in(stack, tmp_path, name) for name in ("maria", "jonas", "lena")]
        assert (await maria("whoami", "-o", "json")).json["roles"] == ["safety_lead"]

        # Lena puts the release out.
        sent = (await lena("playbook", "send", str(PLAYBOOK), "-o", "json")).json
        arms = await stack.service("GET", "/control/arms")
        names = {"release_id": RELEASE, "environment": "test", "service": "support-assistant", "owner": "local|jonas"}
        bundles = {arm: arms[arm]["bundle"] for arm in ("candidate", "baseline")}
        (tmp_path / "release.json").write_text(json.dumps({**names, **bundles, "playbook_digest": sent["digest"]}))
        registered = await lena("release", "register", str(tmp_path / "release.json"))
        assert (registered.code, registered.out) == (0, f"✓ {RELEASE} is watched\n")
        assert (await lena("watch", RELEASE, "--exit-code")).code == 12, "nothing is judged yet"

        async def healthy() -> bool:
            return (await maria("watch", RELEASE, "--exit-code")).code == 0

        await stack.users(shift_after=15)
        await until(healthy, "the release is healthy", within=15)
        ask = await stack.pending_ask()
        assert (await maria("watch", RELEASE, "--exit-code")).code == 11

        # Maria reads and approves; what does not count says why.
        mine = (await maria("ask", "list", "--mine", "-o", "json")).json["items"]
        assert [item["ask_id"] for item in mine] == [ask]
        assert (await lena("ask", "list", "--mine", "-o", "json")).json["items"] == []
        digest = (await maria("ask", "show", ask, "-o", "json")).json["card"]["approval_digest"].removeprefix("sha256:")
        assert (await maria("approve", ask, "--digest", "0" * 12, *REASON)).code == 4
        assert (await jonas("approve", ask, "--digest", digest[:12], *REASON)).code == 4, "not shown to him yet"
        await lena("ask", "show", ask)
        refused = await lena("approve", ask, "--digest", digest[:12], *REASON)
        assert (refused.code, "four_eyes" in refused.err) == (3, True)
        assert (await maria("approve", ask, "--digest", digest[:12], "--reason", "short")).code == 2
        first = await maria("approve", ask, "--digest", digest[:12], *REASON)
        assert (first.code, first.out) == (0, "✓ counted: 1 of 2 people approved\n")
        assert (await maria("approve", ask, "--digest", digest[:12], *REASON)).code == 4, "one person counts once"

        # Jonas follows the incident on a pipe while he approves.
        incident = ask.rpartition("-ask-")[0]
        following = asyncio.create_task(jonas("incident", "show", incident, "-w", "-o", "jsonl"))
        shown = await jonas("ask", "show", ask)
        assert f"approve {ask} --digest {digest[:12]}" in shown.out
        assert (await jonas("approve", ask, "--digest", digest[:12], *REASON)).code == 0
        followed = await asyncio.wait_for(following, 150)
        states = [json.loads(line) for line in followed.out.splitlines()]
        assert followed.code == 0
        assert states[-1]["status"] == "reverted"
        shares = [state["candidate_bp"] for state in states if state["candidate_bp"] is not None]
        assert list(dict.fromkeys(shares))[-3:] == [4_500, 2_500, 0]
        assert await stack.splits() == [5_000, 4_500, 2_500, 0]
        assert (await jonas("incident", "hold", incident, *REASON)).code == 4, "it is over"
        assert (await jonas("watch", RELEASE, "--exit-code")).code == 11, "its last verdict"

        # Lena checks the record, online and offline; a tampered copy is found.
        assert (await lena("ledger", "verify")).code == 0
        exported = tmp_path / "records.jsonl"
        assert (await lena("ledger", "export", str(exported))).code == 0
        assert (await lena("ledger", "verify", "--file", str(exported))).code == 0
        lines = exported.read_text().splitlines(keepends=True)
        changed = next(seq for seq, line in enumerate(lines) if "local|lena" in line)
        lines[changed] = lines[changed].replace("local|lena", "local|nobody")
        exported.write_text("".join(lines))
        tampered = await lena("ledger", "verify", "--file", str(exported))
        assert (tampered.code, f"record {changed + 1}:" in tampered.err) == (7, True)
        assert (await lena("doctor")).code == 0

        # Nothing can be added to a release that is over.
        answers = tmp_path / "answers.jsonl"
        answers.write_text('{"label": "bad"}\n')
        token = str(stack.place.keys / "judge.token")
        late = await lena(
            *("replay", str(answers), "--release", RELEASE, "--signal", "hallucinations", "--label", "label"),
            *("--bad", "bad", "--arm", "candidate", "--token-file", token, "-o", "json"),
        )
        assert (late.code, late.json["rejected"][0]["code"]) == (4, "release_closed")


@pytest.mark.xdist_group("the usual ports")
@pytest.mark.timeout(120)
async def test_up_starts_everything_says_how_to_sign_in_and_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = (sys.executable, "-m", "countermand.cli", "up", "--data", str(data))
    pipe = asyncio.subprocess.PIPE
    first = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=asyncio.subprocess.STDOUT)
    assert first.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = await asyncio.wait_for(first.stdout.readline(), 60)
        assert line, said
        said += line.decode()
    assert "console       http://127.0.0.1:" in said
    assert "countermand login maria" in said

    second = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)
    _, complained = await asyncio.wait_for(second.communicate(), 30)
    assert second.returncode == 4
    assert f"is using {data}" in complained.decode()

    assert len(_of(data)) == 3
    began = asyncio.get_running_loop().time()
    first.send_signal(signal.SIGINT)
    rest, _ = await asyncio.wait_for(first.communicate(), 20)
    assert asyncio.get_running_loop().time() - began < 6
    assert first.returncode == 0
    assert rest.decode().endswith("✓ stopped\n")
    assert _of(data) == []


def _of(data: Path) -> list[str]:
    """Ids of the processes that were started for this data directory."""
    found = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            mine = f"COUNTERMAND_DATA={data}".encode() in file.read_bytes()
        except OSError:
            continue  # it ended while we looked
        if mine:
            found.append(file.parent.name)
    return found

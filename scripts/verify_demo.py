"""`make verify-demo`: the demo unattended, the evidence pack of its incident, and every tool here that can check it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from countermand.cli.demo import Demo
from countermand.cli.demo_people import OWNER
from countermand.cli.exits import Exit, Failure
from countermand.cli.processes import until_stopped


class DemoWithPack(Demo):
    """The demo, and a pack of its incident before everything is stopped."""

    def __init__(self, data: Path, pack: Path) -> None:
        super().__init__(auto=True, data=data)
        self._pack = pack

    async def _prove(self) -> None:
        await super()._prove()
        who = {"subject": OWNER, "password": self._world.passwords[OWNER]}
        signed_in = await self._world.call("POST", "/api/v1/login", json=who)
        incident = next(one.incident_id for one in self._records if one.incident_id is not None)
        command = [
            sys.executable,
            "-m",
            "countermand.cli",
            "evidence",
            "build",
            str(self._pack),
            "--incident",
            incident,
        ]
        place = {"COUNTERMAND_URL": self._place.console_url, "COUNTERMAND_TOKEN": signed_in["token"]}
        built = await asyncio.to_thread(subprocess.run, command, env=os.environ | place, check=False)
        if built.returncode:
            raise Failure(Exit.failed, f"no pack of incident {incident!r} was made")


def main() -> int:
    """Exit code: 0 when every tool that ran accepts the pack, 1 otherwise."""
    with tempfile.TemporaryDirectory() as name:
        pack = Path(name) / "pack.zip"
        try:
            asyncio.run(until_stopped(DemoWithPack(Path(name) / "demo", pack).run))
        except Failure as failure:
            print(f"✗ {failure}", file=sys.stderr)
            return 1
        return subprocess.run([sys.executable, "-m", "scripts.verify_pack", str(pack)], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())

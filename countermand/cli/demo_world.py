"""What the demo is played with: the local processes, the demo service with its users, and calls to both."""

from __future__ import annotations

import secrets
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from countermand.cli import environment
from countermand.cli.demo_people import People
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.processes import Child, answers, at_once, free_port

if TYPE_CHECKING:
    import httpx

RELEASE, SERVICE = "support-assistant-v7", "support-assistant"
_MARKER = ".countermand-demo"
#: Answers of the demo's organisation that are no.
_NOT_REACHED = (
    *(("uk_gdpr", "controller"), ("dora", "financial_entity"), ("cra", "manufacturer"), ("sec", "form_8k_filer")),
    *(("nydfs", "covered_entity"), ("ca_sb53", "frontier_developer"), ("ny_raise", "frontier_developer")),
    *(("uk_csr", "in_scope"), ("circia", "covered_entity"), ("colorado", "admt_deployer")),
    ("contract", "example_enabled"),
)


class World(People):
    """One local environment with a demo service. `client` is open while the demo runs."""

    def __init__(self, place: Place, client: httpx.AsyncClient) -> None:
        super().__init__(place, client)
        self.service_url = f"http://127.0.0.1:{free_port(8890)}"
        self._read_token, self._write_token = (secrets.token_urlsafe(24) for _ in range(2))

    async def prepare(self) -> None:
        """An empty data directory with files, database, key, accounts, and the service as a target."""
        place = self.place
        empty(place.data)
        self.passwords = await environment.prepare(place)
        read = place.secret("demo-read.token", self._read_token)
        write = place.secret("demo-write.token", self._write_token)
        (place.data / "targets.yaml").write_text(
            f"targets:\n  demo:\n    kind: embedded\n    url: {self.service_url}\n"
            f"    read_token_file: {read}\n    write_token_file: {write}\n"
        )
        name_notes(place)
        declare_profile(place.data)

    def service_process(self) -> Child:
        """Two assistants behind one split."""
        port = self.service_url.rpartition(":")[2]
        command = [sys.executable, "-m", "examples.demo.service", "--port", port]
        command += ["--database", str(self.place.data / "service.db")]
        tokens = {"DEMO_READ_TOKEN": self._read_token, "DEMO_WRITE_TOKEN": self._write_token}
        return self.place.child("service", command, answers(f"{self.service_url}/healthz"), more=tokens)

    def traffic_process(self, rare: Path) -> Child:
        """Users and their judge; the file says which share of questions is about what the candidate cannot answer."""
        command = [sys.executable, "-m", "examples.demo.traffic", "--service", self.service_url]
        command += ["--console", self.place.console_url, "--release", RELEASE, "--rare-file", str(rare), "--rate", "90"]
        token = (self.place.keys / "judge.token").read_text()
        return self.place.child("traffic", command, at_once, more={"DEMO_SIGNALS_TOKEN": token})

    async def service(self, path: str) -> Any:
        """What the demo service itself says: with its read token, not through Countermand."""
        headers = {"Authorization": f"Bearer {self._read_token}"}
        response = await self._client.get(f"{self.service_url}{path}", headers=headers)
        response.raise_for_status()
        return response.json()

    async def register(self, playbook: bytes) -> tuple[str, str]:
        """Register exactly the bundles that the service says it serves; returns the names of both."""
        arms = await self.service("/control/arms")
        release = {
            "release_id": RELEASE,
            "environment": "demo",
            "service": SERVICE,
            "candidate": arms["candidate"]["bundle"],
            "baseline": arms["baseline"]["bundle"],
        }
        await self.register_release(release, playbook)
        digests = {arm["bundle"]["name"]: arm["digest"] for arm in arms.values()}
        for described in await self.service("/manifests"):
            path = f"/api/v1/bundles/{digests[described['manifest']['name']]}"
            await self.call("POST", path, json=described)
        return release["candidate"]["name"], release["baseline"]["name"]


def name_notes(place: Place) -> None:
    """The notes that the demo service writes, as a data source for checks."""
    notes = place.secret("demo-notes.url", f"sqlite+aiosqlite:///{place.data / 'service.db'}")
    (place.data / "data_sources.yaml").write_text(
        f"data_sources:\n  notes:\n    kind: sql\n    url_file: {notes}\n    max_rows: 50000\n"
    )


def declare_profile(data: Path) -> None:
    """The demo's organisation provides an AI system and controls personal data; nothing else reaches it."""
    answer = "{{value: {}, by: Priya Nair, at: 2026-11-20, document: demo profile}}"
    yes, no = answer.format("true"), answer.format("false")
    none = answer.format("none")
    (data / "profile.yaml").write_text(
        "profile:\n"
        f"  eu_ai_act:\n    role: {answer.format('provider')}\n"
        f"    gpai_systemic_risk: {no}\n    cop_signatory: {no}\n"
        f"  gdpr:\n    controller: {yes}\n    processor: {no}\n  nis2:\n    entity: {none}\n"
        + "".join(f"  {regime}:\n    {flag}: {no}\n" for regime, flag in _NOT_REACHED)
        + "  hipaa:\n"
        + "".join(f"    {flag}: {no}\n" for flag in ("covered_entity", "business_associate"))
        + "  uk_fca:\n"
        + "".join(f"    {flag}: {no}\n" for flag in ("in_scope", "psp"))
        + "  jurisdiction_tz: Europe/Paris\n"
    )


def empty(data: Path) -> None:
    """Remove what an earlier demo left. Raises Failure for a directory that is not a demo's."""
    others = [file for file in data.iterdir() if file.name != "lock"]
    if others and not (data / _MARKER).exists():
        raise Failure(
            Exit.usage, f"{data} is not empty and not a demo's", accepted="an empty or a new directory in --data"
        )
    for file in others:
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()
    (data / _MARKER).touch()

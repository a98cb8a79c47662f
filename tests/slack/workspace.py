"""A Slack workspace on this machine: the third-party emulator `emulate`, started once (slack.md §8)."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "emulator"
MANIFEST = ROOT / "deploy/slack/manifest.yaml"
TEAM = "T000000001"
BOT_TOKEN, ADMIN_TOKEN = "xoxb-test", "xoxb-admin"
BOT_USER = "U0BOT"
PEOPLE = ("maria", "jonas", "amira", "lena", "stranger")
_ADMIN = ["channels:manage", "channels:read", "channels:history", "groups:read", "groups:history", "im:history"]
_ADMIN += ["im:read", "users:read", "chat:write"]


def installed() -> list[str] | None:
    """The command that runs the emulator, or None when `npm ci` was not run for it."""
    nodes = [*HERE.glob("node_modules/node-*/bin/node")]
    node = str(nodes[0]) if nodes else shutil.which("node")
    program = HERE / "node_modules/emulate/dist/index.js"
    return [node, str(program)] if node and program.exists() else None


def required_scopes() -> list[str]:
    """The scopes of the bot in the committed manifest, optional ones too."""
    manifest = YAML(typ="safe", pure=True).load(MANIFEST.read_bytes())
    scopes = manifest["oauth_config"]["scopes"]
    return [*scopes["bot"], *scopes["bot_optional"]]


@dataclass
class Workspace:
    """A running emulator with the app installed, which holds exactly the scopes of the manifest."""

    process: subprocess.Popen[bytes]
    url: str
    users: dict[str, str]
    http: httpx.Client

    @classmethod
    def start(cls, program: list[str], directory: Path) -> Workspace:
        seed = directory / "seed.json"
        seed.write_text(json.dumps(_seed()))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [*program, "start", "-p", str(port), "--service", "slack", "--seed", str(seed)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        workspace = cls(process, f"http://127.0.0.1:{port}", {}, httpx.Client())
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                workspace.users = {one["name"]: one["id"] for one in workspace.call("users.list")["members"]}
                return workspace
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError("the Slack emulator did not start within 20 s")

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(timeout=10)

    def call(self, method: str, token: str = ADMIN_TOKEN, **arguments: Any) -> dict[str, Any]:
        """One call as an administrator of the workspace."""
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.http.post(f"{self.url}/api/{method}", json=arguments, headers=headers).json()
        assert answer["ok"], (method, answer)
        return dict(answer)

    def new_channel(self, name: str, members: tuple[str, ...]) -> str:
        channel = self.call("conversations.create", name=name)["channel"]["id"]
        users = ",".join(self.users[member] for member in members)
        self.call("conversations.invite", channel=channel, users=users)
        return str(channel)


def _seed() -> dict[str, Any]:
    app = {"app_id": "A1", "bot_id": "B1", "bot_user_id": BOT_USER}
    token = {"type": "bot", "user": "countermand", **app}
    return {
        "slack": {
            "strict_scopes": True,
            "users": [{"name": name} for name in PEOPLE],
            "oauth_apps": [
                {
                    "client_id": "c1",
                    "client_secret": "s1",
                    "name": "Countermand",
                    "bot_name": "countermand",
                    "redirect_uris": ["http://127.0.0.1/"],
                    "scopes": required_scopes(),
                    **app,
                }
            ],
            "tokens": [
                {"token": BOT_TOKEN, "scopes": required_scopes(), **token},
                {"token": ADMIN_TOKEN, "scopes": _ADMIN, **token},
            ],
        }
    }

"""An identity provider on this machine: the Okta of the third-party emulator `emulate`, with one app and its people."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.slack.workspace import installed

CLIENT, SECRET = "countermand", "okta-client-secret"
GROUP, GROUP_ID = "rollback-safety", "00g1safety"
PEOPLE = {"Maria": "00u1maria", "Jonas": "00u2jonas"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def issuer(port: int) -> str:
    return f"http://localhost:{port}/oauth2/default"


@dataclass
class Okta:
    """A running emulator. Maria is in the group when it starts."""

    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def start(cls, port: int, back: str, directory: Path) -> Okta | None:
        """None when the emulator is not installed. `back` is where it may send people."""
        program = installed()
        if program is None:
            return None
        seed = directory / "okta.json"
        seed.write_text(json.dumps(_seed(back)))
        command = [*program, "start", "-p", str(port), "--service", "okta", "--seed", str(seed)]
        okta = cls(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), f"http://localhost:{port}"
        )
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{issuer(port)}/.well-known/openid-configuration").raise_for_status()
                return okta
            except httpx.HTTPError:
                time.sleep(0.05)
        okta.stop()
        raise AssertionError("the Okta emulator did not start within 20 s")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=10)

    def member(self, name: str, *, of_the_group: bool) -> None:
        """An administrator puts a person into the group, or takes them out."""
        address = f"{self.url}/api/v1/groups/{GROUP_ID}/users/{PEOPLE[name]}"
        headers = {"Authorization": "SSWS test_token_admin"}
        httpx.request("PUT" if of_the_group else "DELETE", address, headers=headers).raise_for_status()


def _seed(back: str) -> dict[str, object]:
    users = [
        {"okta_id": okta_id, "login": f"{name.lower()}@example.com", "first_name": name, "last_name": "Example"}
        for name, okta_id in PEOPLE.items()
    ]
    app = {"client_id": CLIENT, "client_secret": SECRET, "name": "Countermand", "redirect_uris": [back]}
    return {
        "okta": {
            "users": users,
            "groups": [{"name": GROUP, "okta_id": GROUP_ID}],
            "group_memberships": [{"group_okta_id": GROUP_ID, "user_okta_id": PEOPLE["Maria"]}],
            "oauth_clients": [{**app, "auth_server_id": "default"}],
        }
    }

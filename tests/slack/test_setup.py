"""Setting Slack up: the manifest, the settings file, the socket."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from ruamel.yaml import YAML

from adapters.settings import SettingsInvalid
from adapters.slack_settings import slack_settings
from console.slack_http import SlackInbound
from countermand.ledger.record import Kind
from tests.slack.conftest import Start
from tests.slack.workspace import MANIFEST, ROOT
from tests.waiting import until

#: What Slack's documentation asks for each method (checked by the emulator too, which runs with exactly these scopes).
SCOPES: dict[str, set[str]] = {
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "chat_postEphemeral": {"chat:write"},
    "conversations_history": {"channels:history", "groups:history", "im:history"},
    "conversations_replies": {"channels:history", "groups:history", "im:history"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_open": {"im:write"},
    "conversations_list": {"groups:read"},
    "users_info": {"users:read"},
    "usergroups_users_list": {"usergroups:read"},
    "views_open": set(),
    "views_update": set(),
    "views_publish": set(),
}
#: For a channel of each incident.
OPTIONAL: dict[str, set[str]] = {
    "conversations_create": {"groups:write"},
    "conversations_setTopic": {"groups:write"},
    "conversations_invite": {"groups:write"},
    "pins_add": {"pins:write"},
    "bookmarks_add": {"bookmarks:write"},
}


def manifest() -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(MANIFEST.read_bytes()))


def test_the_manifest_holds_every_scope_that_is_used_and_no_other() -> None:
    code = "".join(path.read_text() for room in ("adapters", "console") for path in ROOT.glob(f"{room}/slack*.py"))
    used = set(re.findall(r"self\.client\.([a-z]+_[A-Za-z_]+)\(", code))
    assert used == set(SCOPES) | set(OPTIONAL)
    needed = set().union(*SCOPES.values()) | {"commands"}
    scopes = manifest()["oauth_config"]["scopes"]
    assert set(scopes["bot"]) == needed
    assert set(scopes["bot_optional"]) == set().union(*OPTIONAL.values())


def test_the_manifest_has_the_command_the_home_and_the_buttons_the_code_listens_to() -> None:
    found = manifest()
    features, settings = found["features"], found["settings"]
    assert [command["command"] for command in features["slash_commands"]] == ["/countermand"]
    assert features["app_home"]["home_tab_enabled"] is True
    assert settings["event_subscriptions"]["bot_events"] == ["app_home_opened"]
    assert settings["interactivity"]["is_enabled"] is True
    address = "https://console.example.com/slack/events"
    assert features["slash_commands"][0]["url"] == address
    assert settings["interactivity"]["request_url"] == settings["event_subscriptions"]["request_url"] == address
    assert len(found["display_information"]["name"]) <= 35
    assert len(found["display_information"]["description"]) <= 140


def test_the_guide_names_every_setting_and_shows_a_file_that_works(tmp_path: Path) -> None:
    guide = (ROOT / "docs/slack.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", guide, flags=re.DOTALL)
    (tmp_path / "slack.yaml").write_text(block)
    for name in ("slack-bot-token", "slack-signing-secret", "slack-app-token"):
        (tmp_path / name).write_text("x")
    found = slack_settings(tmp_path / "slack.yaml")
    assert found is not None
    for name in type(found).model_fields:
        assert f"`{name}`" in guide or re.search(rf"^(# )?{name}:", block, flags=re.MULTILINE), name


def test_without_a_file_slack_is_off(tmp_path: Path) -> None:
    assert slack_settings(tmp_path / "slack.yaml") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("channel: '#releases'\nbot_token_file: t\n", "channel = '#releases'"),
        ("channel: C1\n", "bot_token_file"),
        ("channel: C1\nbot_token_file: t\nchanel: C2\n", "chanel"),
        ("channel: C1\nbot_token_file: t\napi_url: https://slack.com.evil.example/api/\n", "api_url"),
        ("channel: C1\nbot_token_file: t\napi_url: http://10.0.0.1:80/api/\n", "api_url"),
        ("channel: C1\nbot_token_file: t\n", "neither signing_secret_files nor app_token_file"),
        ("channel: C1\nbot_token_file: missing\nsigning_secret_files: [t]\n", "put the secret there"),
        ("channel: C1\nbot_token_file: empty\nsigning_secret_files: [t]\n", "is empty"),
        ("channel: [\n", "not YAML"),
        ("- a\n", "slack.yaml"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_what_is_accepted(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t").write_text("secret")
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "slack.yaml").write_text(text)
    with pytest.raises(SettingsInvalid, match=re.escape(says)):
        slack_settings(tmp_path / "slack.yaml")


class Socket:
    """Slack's side of Socket Mode: hands out an address, sends envelopes, keeps what comes back."""

    def __init__(self) -> None:
        self.acks: list[dict[str, Any]] = []
        self.connections: list[web.WebSocketResponse] = []
        self.port = 0

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/api/apps.connections.open", self._open)
        app.router.add_get("/link", self._link)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        return runner

    async def send(self, envelope_id: str, payload: dict[str, Any]) -> None:
        envelope = {
            "envelope_id": envelope_id,
            "type": "interactive",
            "payload": payload,
            "accepts_response_payload": True,
        }
        await self.connections[-1].send_str(json.dumps(envelope))

    async def _open(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer xapp-test"
        return web.json_response({"ok": True, "url": f"ws://127.0.0.1:{self.port}/link"})

    async def _link(self, request: web.Request) -> web.WebSocketResponse:
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        self.connections.append(connection)
        await connection.send_str(json.dumps({"type": "hello"}))
        async for message in connection:
            if message.type is WSMsgType.TEXT:
                self.acks.append(json.loads(message.data))
        return connection


async def test_a_socket_carries_the_same_clicks_and_an_envelope_sent_again_counts_once(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    socket = Socket()
    runner = await socket.start()
    token = bench.settings.bot_token_file.with_name("app-token")
    token.write_text("xapp-test")
    settings = bench.settings.model_copy(update={"app_token_file": token, "signing_secret_files": ()})
    inbound = SlackInbound(bench.world.deps, settings)
    inbound.bolt.client.base_url = f"http://127.0.0.1:{socket.port}/api/"
    maria = bench.human("maria")
    try:
        async with inbound.running():
            await until(lambda: _true(socket.connections), "the socket is open", within=10)
            await socket.send("e1", maria.click(bench.card(), "approve"))
            view = await maria.dialog()
            submission = maria.submission(view, "Confirmed in three transcripts.")
            for _ in range(3):
                await socket.send("e2", submission)
            assert "1 of 2" in await maria.result(view)
            await until(lambda: _true(len(socket.acks) == 4), "every envelope is acknowledged", within=20)
            assert {ack["envelope_id"] for ack in socket.acks} == {"e1", "e2"}
            assert len(await bench.bodies(Kind.decision)) == 1
    finally:
        await asyncio.wait_for(runner.cleanup(), 10)


async def _true(value: object) -> bool:
    return bool(value)

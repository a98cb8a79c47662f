"""A person with Slack open: presses the buttons that are really there, with requests as Slack would sign them."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
from slack_sdk.signature import SignatureVerifier

from tests.slack.workspace import BOT_TOKEN, TEAM
from tests.waiting import until

if TYPE_CHECKING:
    from tests.slack.conftest import Bench

Json = dict[str, Any]
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
_COUNT = itertools.count(1)


@dataclass
class Human:
    """`home_team` differs from `team` for somebody of another organisation in a shared channel."""

    bench: Bench
    name: str
    user: str
    team: str = TEAM
    home_team: str = TEAM
    secret: str = SECRET
    seen: int = 0
    _triggers: set[str] = field(default_factory=set)

    async def press(self, message: Json, action_id: str, **changes: Any) -> httpx.Response:
        """Press a button of a message; fails when the message has no such button."""
        return await self.send(self.click(message, action_id, **changes))

    def click(self, message: Json, action_id: str, **changes: Any) -> Json:
        """The payload of one press, with a trigger that works."""
        element, block_id = button_of(message, action_id)
        action = {
            "type": element["type"],
            "action_id": action_id,
            "block_id": block_id,
            "action_ts": f"{1795000000 + next(_COUNT)}.000001",
        }
        action |= {name: element[name] for name in ("text", "value") if name in element}
        if element["type"] == "overflow":
            action["selected_option"] = element["options"][0]
        return {
            "type": "block_actions",
            "team": {"id": self.team, "domain": "emulate"},
            "user": {"id": self.user, "username": self.name, "name": self.name, "team_id": self.home_team},
            "api_app_id": "A1",
            "token": "unused",
            "container": {"type": "message", "message_ts": message.get("ts"), "channel_id": message.get("channel")},
            "channel": {"id": message["channel"], "name": "releases"},
            "message": {"ts": message.get("ts"), "blocks": message["blocks"]},
            "trigger_id": self.trigger(),
            "response_url": "http://127.0.0.1/unused",
            "actions": [action],
            **changes,
        }

    async def submit(self, view: Json, reason: str, **changes: Any) -> httpx.Response:
        """Press the submit button of an open dialog with this reason."""
        return await self.send(self.submission(view, reason, **changes))

    def submission(self, view: Json, reason: str, **changes: Any) -> Json:
        typed = {"reason": {"reason": {"type": "plain_text_input", "value": reason}}}
        return {
            "type": "view_submission",
            "team": {"id": self.team, "domain": "emulate"},
            "user": {"id": self.user, "username": self.name, "name": self.name, "team_id": self.home_team},
            "api_app_id": "A1",
            "trigger_id": self.trigger(),
            "view": {**view, "state": {"values": typed}},
            "response_urls": [],
            **changes,
        }

    async def type(self, text: str) -> Json:
        """`/countermand TEXT`; returns what only this person sees."""
        command = {
            "command": "/countermand",
            "text": text,
            "team_id": self.team,
            "user_id": self.user,
            "user_name": self.name,
            "channel_id": self.bench.channel,
            "trigger_id": self.trigger(),
            "api_app_id": "A1",
        }
        answer = await self.deliver(urlencode(command))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def send(self, payload: Json) -> httpx.Response:
        return await self.deliver(urlencode({"payload": json.dumps(payload)}))

    async def deliver(
        self, body: str, *, age: int = 0, content_type: str = "application/x-www-form-urlencoded", **headers: str
    ) -> httpx.Response:
        """Sign and post, as old as `age` seconds."""
        timestamp = str(int(self.bench.world.deps.clock().timestamp()) - age)
        signature = SignatureVerifier(self.secret).generate_signature(timestamp=timestamp, body=body)
        signed = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": signature or "",
            **headers,
        }
        return await self.bench.http.post(f"{self.bench.url}/slack/events", content=body, headers=signed)

    def trigger(self) -> str:
        made = self.bench.workspace.call("views.generateTriggerId", BOT_TOKEN, user_id=self.user)
        self._triggers.add(made["trigger_id"])
        return str(made["trigger_id"])

    async def dialog(self) -> Json:
        """The dialog that was opened for this person next."""

        async def opened() -> Json | None:
            calls = [call for call in self.bench.proxy.of("views.open") if (call.answer or {}).get("ok")]
            mine = [call.answer["view"] for call in calls if call.arguments["trigger_id"] in self._triggers]  # type: ignore[index]
            return mine[self.seen] if len(mine) > self.seen else None

        view = await until(opened, f"a dialog for {self.name}", within=20)
        self.seen += 1
        return view

    async def result(self, view: Json) -> str:
        """What the dialog says after it was submitted."""

        async def updated() -> str | None:
            calls = [call for call in self.bench.proxy.of("views.update") if call.arguments["view_id"] == view["id"]]
            return words(calls[-1].arguments["view"]["blocks"]) if calls else None

        return await until(updated, f"a result for {self.name}", within=20)

    async def hears(self, part: str) -> str:
        """What only this person was told, once it holds `part`."""

        async def told() -> str | None:
            calls = self.bench.proxy.of("chat.postEphemeral")
            mine = [words(call.arguments["blocks"]) for call in calls if call.arguments["user"] == self.user]
            return next((text for text in mine if part in text), None)

        return await until(told, f"{self.name} hears {part!r}", within=20)

    async def decides(self, message: Json, action_id: str, reason: str) -> str:
        """Press, read, give a reason, submit; returns what the dialog says then."""
        await self.press(message, action_id)
        view = await self.dialog()
        answer = await self.submit(view, reason)
        assert answer.json()["response_action"] == "update", answer.text
        return await self.result(view)


def button_of(message: Json, action_id: str) -> tuple[Json, str]:
    for block in message["blocks"]:
        for element in block.get("elements", ()) if block["type"] == "actions" else ():
            if element["action_id"] == action_id:
                return element, block["block_id"]
    raise AssertionError(f"there is no button {action_id!r} on this message")


def buttons(message: Json) -> list[str]:
    """Action ids of every button of a message."""
    blocks = [block for block in message["blocks"] if block["type"] == "actions"]
    return [element["action_id"] for block in blocks for element in block["elements"]]


def words(blocks: list[Json]) -> str:
    """Every text of the blocks, in order."""
    found: list[str] = []

    def collect(value: Any) -> None:
        match value:
            case {"type": "mrkdwn" | "plain_text" | "text", "text": str(text)}:
                found.append(text)
            case dict():
                for part in value.values():
                    collect(part)
            case list():
                for part in value:
                    collect(part)

    collect(blocks)
    return "\n".join(found)

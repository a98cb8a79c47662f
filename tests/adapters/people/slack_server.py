"""A server that speaks the two methods of Slack that user groups need; tests say who is in them."""

from __future__ import annotations

from typing import Any

from aiohttp import web

TEAM = "T1"


class SlackServer:
    """`groups` and `users` are what Slack knows; `down` makes it answer 503, `calls` counts questions."""

    def __init__(self) -> None:
        self.groups: dict[str, list[str]] = {}
        self.users: dict[str, dict[str, Any]] = {}
        self.down = False
        self.calls: list[str] = []
        self.url = ""
        app = web.Application()
        app.router.add_route("*", "/api/usergroups.users.list", self._members)
        app.router.add_route("*", "/api/users.info", self._user)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/api/"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def join(self, user: str, *groups: str, **flags: Any) -> None:
        """A user of the workspace, in these groups."""
        self.users[user] = {"id": user, "team_id": TEAM, **flags}
        for group in groups:
            self.groups.setdefault(group, []).append(user)

    async def _members(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        self.calls.append("usergroups.users.list")
        if self.down:
            return web.Response(status=503)
        if asked["usergroup"] not in self.groups:
            return web.json_response({"ok": False, "error": "no_such_subteam"})
        assert asked["include_disabled"] in ("0", "false")
        return web.json_response({"ok": True, "users": self.groups[asked["usergroup"]]})

    async def _user(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        self.calls.append("users.info")
        if self.down:
            return web.Response(status=503)
        return web.json_response({"ok": True, "user": self.users[asked["user"]]})

    async def _asked(self, request: web.Request) -> dict[str, str]:
        assert request.headers["Authorization"] == "Bearer xoxb-test"
        return {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}

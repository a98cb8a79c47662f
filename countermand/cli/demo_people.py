"""The people of a demo: they use the console's public API as any other client would, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from countermand.cli.client import answer
from countermand.cli.environment import Place
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import JsonObject
from countermand.ledger.private import opened
from countermand.ledger.record import Record, parse_line

if TYPE_CHECKING:
    import httpx

#: Whoever registers a release cannot approve its rollback.
REGISTRAR, OWNER = "local|lena", "local|jonas"
#: Who asks for the playbook to be adopted, and who signs that.
ASKS = "local|maria"
ADOPTERS = {
    "local|lena": "I maintain this playbook and read every line of it.",
    "local|jonas": "These are the limits that our product needs.",
}
_ADOPTED_WITHIN = 30.0  # seconds
APPROVERS = {
    "local|maria": "The evidence is clear and the plan is small; I read both.",
    "local|jonas": "Our users get wrong answers; the old version is healthy.",
}
_PAGE = 500


class People:
    """Everybody who has an account in one local environment. `client` is open while the demo runs."""

    def __init__(self, place: Place, client: httpx.AsyncClient) -> None:
        self.place = place
        self.passwords: dict[str, str] = {}
        self._client = client
        self._tokens: dict[str, str] = {}

    async def call(self, method: str, path: str, who: str = REGISTRAR, **request: Any) -> JsonObject:
        """One call of the console's public API as this person. Raises Failure with the console's own words."""
        if who not in self._tokens:
            self._tokens[who] = await self._sign_in(who)
        headers = request.pop("headers", {}) | {"Authorization": f"Bearer {self._tokens[who]}"}
        url = f"{self.place.console_url}{path}"
        return answer(await self._client.request(method, url, headers=headers, **request))

    async def _sign_in(self, who: str) -> str:
        body = {"subject": who, "password": self.passwords[who]}
        response = await self._client.post(f"{self.place.console_url}/api/v1/login", json=body)
        return str(answer(response)["token"])

    async def register_release(self, release: JsonObject, playbook: bytes) -> None:
        """Take in the playbook and register the release with it; the watch begins. Raises Failure."""
        kind = {"Content-Type": "application/yaml"}
        sent = await self.call("POST", "/api/v1/playbooks", content=playbook, headers=kind)
        await self._adopt(str(sent["digest"]), str(sent["name"]))
        await self.call("POST", "/api/v1/releases", json=release | {"playbook_digest": sent["digest"], "owner": OWNER})

    async def _adopt(self, digest: str, name: str) -> None:
        """One person asks, the playbook's maintainer and the product owner sign. Raises Failure."""
        reason = {"reason": "The demo needs a playbook to go back by."}
        asked = await self.call("POST", f"/api/v1/playbooks/{digest}/adoption", ASKS, json=reason)
        path = f"/api/v1/consents/{asked['consent_id']}"
        async with asyncio.timeout(_ADOPTED_WITHIN):
            while not await self._is_opened(path):  # noqa: ASYNC110, another process has no event to wait for
                await asyncio.sleep(0.1)
            for who, why in ADOPTERS.items():
                shown = await self.call("GET", path, who)
                signature = {
                    "kind": "approve",
                    "approval_digest": shown["card"]["approval_digest"],
                    "view_sha256": shown["view_sha256"],
                    "reason": why,
                }
                await self.call("POST", path, who, json=signature)
            history = f"/api/v1/playbooks/{name}/adoptions"
            while not (await self.call("GET", history))["items"]:  # noqa: ASYNC110, as above
                await asyncio.sleep(0.1)

    async def _is_opened(self, path: str) -> bool:
        """Whether the request is on record yet."""
        try:
            await self.call("GET", path, ASKS)
        except Failure as failure:
            if failure.code is not Exit.usage:
                raise
            return False
        return True

    async def records_after(self, known: Sequence[Record]) -> list[Record]:
        """Records that were added to the ledger after the known ones; as far as it got with a console that is away."""
        import httpx

        found: list[Record] = []
        last = known[-1].seq if known else -1
        while True:
            try:
                page = await self.call("GET", f"/api/v1/ledger/records?after={last}&limit={_PAGE}")
            except httpx.TransportError:  # it is being started again
                return found
            # What people typed is not in the lines; the demo tells its story without it.
            found += [opened(parse_line(item["line"]), {}) for item in page["items"]]
            if len(page["items"]) < _PAGE:
                return found
            last = found[-1].seq

    async def approve_all(self, ask_id: str) -> str | None:
        """Both approvers approve what they are shown; returns why one was refused, None when both counted.

        Raises Failure for anything else than a refusal.
        """
        for who, reason in APPROVERS.items():
            try:
                await self._approve(ask_id, who, reason)
            except Failure as failure:
                if failure.code is not Exit.refused:
                    raise
                return failure.wrong  # newer evidence made it stale: the next request shows it
        return None

    async def _approve(self, ask_id: str, who: str, reason: str) -> None:
        shown = await self.call("GET", f"/api/v1/asks/{ask_id}", who)
        decision = {
            "kind": "approve",
            "approval_digest": shown["card"]["approval_digest"],
            "view_sha256": shown["view_sha256"],
            "reason": reason,
        }
        key = {"Idempotency-Key": str(uuid4())}
        await self.call("POST", f"/api/v1/asks/{ask_id}/decisions", who, json=decision, headers=key)

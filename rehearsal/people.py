"""People of a rehearsal, played by a script: they go through the console's own door and through nothing else.

A script can only do what a person could: every act is judged, signed, refused and recorded as in production. The one
thing that is played is the touch of a security key.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import httpx

from adapters.step_ups import SqlStepUps
from console import views
from console.decide import VOTES, Act, Person
from countermand.canonical import canonical
from countermand.governance.decision import DecisionKind
from countermand.rehearsal.scenario import ScriptedAct
from rehearsal.sandbox import Sandbox

_KEY = "rehearsal-key"


class Refusal(Exception):
    """The console did not take it. `code` and `detail` are what the person would have read."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Played:
    """Everybody of one rehearsal. `names`: printed name by subject."""

    def __init__(self, sandbox: Sandbox, names: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self._deps = sandbox.console
        self._names = names
        self._tokens: dict[str, str] = {}
        transport = httpx.ASGITransport(app=sandbox.app)
        self._client = httpx.AsyncClient(transport=transport, base_url=sandbox.settings.console_url)

    async def close(self) -> None:
        await self._client.aclose()

    async def call(self, who: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        """One call of the console's public API as this person. Raises Refusal with the console's own words."""
        if who not in self._tokens:
            await self._deps.accounts.know(who, self._names[who])
            self._tokens[who] = (await self._deps.accounts.issue_person_token(who)).token
        return await self._sent(self._tokens[who], method, path, **request)

    async def push(self, source: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One batch of a signal source. Raises Refusal."""
        key = f"source {source}"
        if key not in self._tokens:
            self._tokens[key] = (await self._deps.accounts.issue_source_token(source)).token
        return await self._sent(self._tokens[key], "POST", "/api/v1/signals", json=body)

    async def download(self, who: str, path: str) -> bytes:
        """The bytes that a POST gives this person. Raises Refusal."""
        await self.call(who, "GET", "/api/v1/whoami")
        response = await self._client.post(path, headers={"Authorization": f"Bearer {self._tokens[who]}"})
        if response.is_error:
            raise Refusal(str(response.status_code), response.text[:200])
        return response.content

    async def with_source_token(self, method: str, path: str, act: ScriptedAct) -> str:
        """What a machine with a signal source's token gets when it tries to decide. Raises Refusal."""
        token = (await self._deps.accounts.issue_source_token("pipeline")).token
        body = {"kind": act.act.value, "reason": act.reason}
        return str((await self._sent(token, method, path, json=body)).get("sentence", ""))

    async def _sent(self, token: str, method: str, path: str, **request: Any) -> dict[str, Any]:
        headers = request.pop("headers", {}) | {"Authorization": f"Bearer {token}"}
        response = await self._client.request(method, path, headers=headers, **request)
        body: dict[str, Any] = response.json() if response.content else {}
        if response.is_error:
            raise Refusal(str(body.get("code", response.status_code)), str(body.get("detail", "")))
        return body

    async def vote(self, who: str, ask_id: str, kind: str, reason: str) -> str:
        """Open the request, read it whole, touch the key, decide. Returns the answer's sentence. Raises Refused."""
        found = await views.one_ask(self._deps, ask_id)
        if found is None:
            raise Refusal("unknown_ask", f"no request {ask_id!r}")
        view, _, card = found
        raw = canonical(card.model_dump(mode="json"))
        digest = card.approval_digest
        shown = await self._deps.shown.issue(who, ask_id, digest, raw, "application/json")
        act = Act(
            kind=DecisionKind(kind),
            incident_id=view.incident_id,
            ask_id=ask_id,
            approval_digest=digest,
            view_sha256=shown,
            reason=reason,
            step_up=await self._touch(who, digest) if DecisionKind(kind) in VOTES else None,
        )
        return await self._decide(act, who)

    async def command(self, who: str, incident_id: str, kind: str, reason: str) -> str:
        """Hold, resume, abort and the like. Returns the answer's sentence. Raises Refused."""
        return await self._decide(Act(kind=DecisionKind(kind), incident_id=incident_id, reason=reason), who)

    async def step_up(self, who: str, digest: str) -> str:
        """A confirmation of this digest with the played security key."""
        return await self._touch(who, digest)

    async def _decide(self, act: Act, who: str) -> str:
        person = Person(subject=who, name=self._names[who])
        act = act.model_copy(update={"decision_id": str(uuid.uuid4())})
        return (await self._deps.gate.decide(act, person, "web")).sentence

    async def _touch(self, who: str, digest: str) -> str:
        step_ups = SqlStepUps(self._sandbox.stores.database)
        question = await step_ups.ask(who, digest)
        await step_ups.answered(question.step_up_id, _KEY)
        return question.step_up_id

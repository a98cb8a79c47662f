"""People in Slack, for `bench.decision`: votes from the card to the record, and many clicks at once."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import httpx

from adapters.database import utc_now
from adapters.slack_posting import EVENT
from bench.requests import Installation, Press, Request, accepted_after
from countermand.messages.slack_card import APPROVE
from tests.slack.human import Human
from tests.slack.proxy import Proxy
from tests.slack.workspace import TEAM, Workspace
from tests.waiting import until

REASON = "Read the plan and the evidence, agreed."
#: Clicks at the same time, and how often.
CLICKS, BURSTS = 50, 4
#: Slack is shown progress at most this often; the first vote comes later than that.
_QUIET = 5.5


@dataclass(frozen=True)
class Slack:
    """People in the channel, as `Human` wants to be told about them."""

    product: Installation
    workspace: Workspace
    proxy: Proxy
    channel: str
    http: httpx.AsyncClient

    @property
    def world(self) -> SimpleNamespace:
        return SimpleNamespace(deps=SimpleNamespace(clock=utc_now))

    @property
    def url(self) -> str:
        return self.product.place.console_url

    async def posted(self, count: int) -> None:
        """Wait until every request has its card in the channel, and the newest may be edited again."""

        async def there() -> bool:
            return len(self._cards()) >= count

        await until(there, f"{count} cards in the channel", within=60)
        await asyncio.sleep(_QUIET)

    def _cards(self) -> dict[str, dict[str, Any]]:
        """Message of each request's card, by the id of the card."""
        history = self.workspace.call("conversations.history", channel=self.channel, limit=200)["messages"]
        cards = [one for one in history if (one.get("metadata") or {}).get("event_type") == EVENT]
        return {one["metadata"]["event_payload"]["card_id"]: {**one, "channel": self.channel} for one in cards}

    async def decide(self, requests: Sequence[Request]) -> tuple[list[float], list[float]]:
        """Seconds from the submit button to the accepted Update, and to the edited card, two votes each."""
        presses, edited = [], []
        people = [Human(self, name, self.workspace.users[name]) for name in ("maria", "jonas")]  # type: ignore[arg-type]  # a person needs only this much of a test
        for request in requests:
            for human in people:
                card = self._cards()[f"{request.ask_id}/channel"]
                await human.press(card, APPROVE)
                view = await human.dialog()
                press = Press(request, f"slack.{TEAM}.{view['id']}", time.time())
                (await human.submit(view, REASON)).raise_for_status()
                edited.append(await self._edited(card["ts"], press.at) - press.at)
                presses.append(press)
        return await accepted_after(presses), edited

    async def _edited(self, ts: str, since: float) -> float:
        """When Slack was told to edit this card."""

        async def told() -> float | None:
            calls = [one for one in self.proxy.of("chat.update") if one.arguments["ts"] == ts and one.at > since]
            return calls[0].at if calls else None

        return await until(told, "the card is edited", within=15)

    async def bursts(self, request: Request) -> tuple[list[float], list[float]]:
        """Seconds until each of many clicks of one instant is answered, and until as many bare requests are."""
        people = [Human(self, name, self.workspace.users[name]) for name in ("maria", "jonas")]  # type: ignore[arg-type]  # a person needs only this much of a test
        card = self._cards()[f"{request.ask_id}/channel"]
        answered: list[float] = []
        bare: list[float] = []
        for _ in range(BURSTS):
            bodies = [
                (human, urlencode({"payload": json.dumps(human.click(card, APPROVE))}))
                for human in itertools.islice(itertools.cycle(people), CLICKS)
            ]
            answered += await asyncio.gather(*(_timed(human.deliver(body)) for human, body in bodies))
            await asyncio.sleep(1)  # the dialogs of this burst open
            bare += await asyncio.gather(*(_timed(self.http.get(f"{self.url}/healthz")) for _ in range(CLICKS)))
        return answered, bare


async def _timed(call: Awaitable[httpx.Response]) -> float:
    began = time.perf_counter()
    (await call).raise_for_status()
    return time.perf_counter() - began

"""Labelled outputs on their way to the console: in batches, sent again until they are answered."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import httpx

from examples.demo.judge import Label

_BATCH_SECONDS = 0.5
_BATCH_ITEMS = 2_000
_RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
# About half an hour of the default traffic; beyond it the oldest are given up and counted.
_WAITING_ITEMS = 300_000


class Outbox:
    """Sends items in order. A batch keeps its id and its content over all attempts; every fate is counted."""

    def __init__(self, client: httpx.AsyncClient, url: str, token: str, run_id: str) -> None:
        self._client, self._url, self._run_id = client, url, run_id
        self._headers = {"Authorization": f"Bearer {token}"}
        self._waiting: list[dict[str, Any]] = []
        self._batch: dict[str, Any] | None = None
        self._batches = 0
        self.counts: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        """Items that the console has not answered for yet."""
        return len(self._waiting) + (len(self._batch["items"]) if self._batch else 0)

    def add(self, observation: str, *, release: str, arm: str, event_time: str, labels: dict[str, Label]) -> None:
        """One output: an item per signal."""
        for signal, label in labels.items():
            self._waiting.append(
                {
                    "observation_id": f"{observation}-{signal}",
                    "release_id": release,
                    "arm": arm,
                    "signal": signal,
                    "event_time": event_time,
                    "outcome": label,
                }
            )
        excess = max(0, len(self._waiting) - _WAITING_ITEMS)
        del self._waiting[:excess]
        self.counts["given_up"] += excess

    async def run(self) -> None:
        """Send about every half second until cancelled."""
        while True:
            await asyncio.sleep(_BATCH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Send all that waits. A batch that was interrupted goes first, with the id it had."""
        while self._batch or self._waiting:
            if self._batch is None:
                self._batches += 1
                self._batch = {
                    "schema": "countermand.signals/v1",
                    "batch_id": f"{self._run_id}-{self._batches}",
                    "items": self._waiting[:_BATCH_ITEMS],
                }
                del self._waiting[:_BATCH_ITEMS]
            attempt = 0
            while not await self._answered(self._batch):
                self.counts["retries"] += 1
                await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
                attempt += 1
            self._batch = None

    async def _answered(self, batch: dict[str, Any]) -> bool:
        """False when the same batch is to be sent again."""
        try:
            response = await self._client.post(self._url, json=batch, headers=self._headers)
        except httpx.TransportError:
            return False
        if response.status_code == 429 or response.status_code >= 500:
            return False
        if response.is_success:
            answer = response.json()
            self.counts.update({fate: answer[fate] for fate in ("accepted", "duplicates", "late")})
            self.counts["rejected"] += len(answer["rejected"])
        else:
            self.counts[f"refused ({response.status_code})"] += len(batch["items"])
        return True

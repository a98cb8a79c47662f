"""What serving processes say they serve: probes, which are no traffic of users and are called probes (TGT-11)."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import httpx

from adapters.target_settings import Serving

#: Probes per call: a stage calls every 0.7 s, so the 342 that a residual share of 2 % needs take a few seconds.
PROBES = 100
_AT_ONCE = 8
_SECONDS = 5.0


@dataclass
class Probed:
    """Answers so far: per digest, without the header, and failed."""

    revision: str
    digests: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    errors: int = 0

    @property
    def requests(self) -> int:
        return self.digests.total() + self.silent + self.errors


class Probes:
    """Counts per member, from the first look at a revision; a new process begins anew."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(timeout=_SECONDS, trust_env=False)
        self._seen: dict[str, Probed] = {}

    async def close(self) -> None:
        await self._client.aclose()

    def forget(self, name: str) -> None:
        """Begin anew with the next look."""
        self._seen.pop(name, None)

    async def more(self, name: str, revision: str, serving: Serving) -> Probed:
        """Ask 100 times more; returns everything counted for this revision. Raises nothing: failures are counted."""
        seen = self._seen.get(name)
        if seen is None or seen.revision != revision:
            seen = self._seen[name] = Probed(revision)
        turns = asyncio.Semaphore(_AT_ONCE)

        async def probe() -> None:
            try:
                async with turns:
                    answer = await self._client.get(serving.url)
            except httpx.HTTPError:
                seen.errors += 1
                return
            digest = answer.headers.get(serving.header)
            if not answer.is_success:
                seen.errors += 1
            elif digest is None:
                seen.silent += 1
            else:
                seen.digests[digest] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(PROBES):
                group.create_task(probe())
        return seen

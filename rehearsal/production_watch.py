"""A look at production while people rehearse: a real incident there comes before any rehearsal (LRN-21, T28).

It only reads, and production never waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx

from activities.fence import FenceBroken

_EVERY = 2.0  # seconds
#: After so many looks in a row that found nothing out, nobody knows how production is.
_BLIND = 3
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def refuse_in_the_clear(url: str) -> bool:
    """Whether this shell's proxy may be used for the address: never for this machine.

    Raises FenceBroken for one that would send a token in the clear.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise FenceBroken(f"{url!r} is not accepted; write https://…, or http:// for a console on this machine")
    return parts.hostname not in _LOOPBACK


class ProductionWatch:
    """`alarm` is called with a sentence for every incident that opens, and when production cannot be seen.

    Raises FenceBroken for an address that would send the token in the clear.
    """

    def __init__(self, url: str, token: str, alarm: Callable[[str], None], *, every: float = _EVERY) -> None:
        self._trusted = refuse_in_the_clear(url)
        self._url = url.rstrip("/")
        self._token = token
        self._alarm = alarm
        self._every = every

    async def run(self) -> None:
        """Look until cancelled."""
        known: set[str] = set()
        missed = 0
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(headers=headers, timeout=5, trust_env=self._trusted) as client:
            while True:
                found = await self._open(client)
                if found is None:
                    missed += 1
                    if missed == _BLIND:
                        self._alarm("Production cannot be seen from here: nobody knows whether something is real.")
                else:
                    missed = 0
                    for incident in sorted(found.keys() - known):
                        self._alarm(f"REAL INCIDENT in production: {incident}, {found[incident]}. Go to {self._url}.")
                    known |= found.keys()
                await asyncio.sleep(self._every)

    async def _open(self, client: httpx.AsyncClient) -> dict[str, str] | None:
        """What is going on there, in words by incident; None when that is not known."""
        try:
            response = await client.get(f"{self._url}/api/v1/incidents")
            if not response.is_success:
                return None
            listed = response.json()["items"]
            return {str(one["incident_id"]): str(one["service"]) for one in listed if one["closed_at"] is None}
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return None

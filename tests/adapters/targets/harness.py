"""What a Target has to offer to be put through the conformance suite (targets.md §7)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import httpx

from activities.ports import Target
from adapters.target_http import Keep
from countermand.plan.target import Member

#: What some tests ask of a harness (`@pytest.mark.needs`), and not every target can express.
NEEDS = {
    "halt": "a system that can be stopped and started",
    "lost response": "a write whose answer is lost after it took effect",
    "no answer": "a write that is neither answered nor done",
    "status codes": "answers with HTTP status codes",
    "twice": "a write that takes effect twice",
    "stale reads": "reads that lag behind writes",
    "unreadable": "reads that fail after a write",
    "killed before": "a worker that is killed with its write under way and not done",
    "killed after": "a worker that is killed with its write done and not read back",
    "transcript": "a view of the adapter's reads and writes in order",
    "one effect": "a write that is compared where it is applied, so that only the first of many happens",
    "native compare": "a compare-and-swap of the target's own",
    "fence": "a place for key and fence",
    "reader": "a credential that may only read",
    "credentials": "secrets that must not leak",
    "missing arm": "an arm that can be taken away",
    "digest": "knowledge of the digest that an arm serves",
    "wrong digest": "an arm that can serve another digest than the one asked for",
    "restricted": "a write credential for one object only; the member `second` is another one, above 0 %",
    "counters": "counters of who is served",
    "users": "counters of users and not of requests",
    "fixed routing": "a choice of arms without chance, so that shares can be judged without false alarms",
    "stuck router": "a router that can be kept from following",
}


def asked_for(name: str) -> bool:
    """Whether a target that is only run on demand is named in COUNTERMAND_TEST_TARGETS."""
    return name in os.environ.get("COUNTERMAND_TEST_TARGETS", "").split(",")


class Shares(NamedTuple):
    """Shares of the candidate that the suite uses, in basis points: an alias knows only 0 and 10,000.

    start: where tests begin. down, further: two sets one after the other. edited: by another hand, neither `start` nor
    `further`. journey: all sets of a way down and back up, ending at `start`.
    """

    start: int = 5_000
    down: int = 2_500
    further: int = 0
    edited: int = 7_000
    journey: tuple[int, ...] = (2_500, 1_000, 0, 1_000, 5_000)


class Wire(httpx.AsyncBaseTransport):
    """Passes calls on and remembers their methods in order; answers for paths in `replaced` itself."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._inner = httpx.AsyncHTTPTransport(verify=tls or True)
        self.methods: list[str] = []
        self.statuses: list[int] = []
        self.replaced: dict[str, httpx.Response] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.methods.append(request.method)
        response = self.replaced.get(request.url.path)
        if response is None:
            response = await self._inner.handle_async_request(request)
        self.statuses.append(response.status_code)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class Harness(Protocol):
    """One real release-control system, running beside the tests."""

    name: str
    lacks: Mapping[str, str]
    """Needs that it cannot meet, and why."""
    shares: Shares
    patience: float
    """Seconds after which an impatient test gives up on a call of this system, which answers well before."""
    member: Member
    stranger: Literal["external", "unknown"]
    """Who is named for a change by another hand, as far as this target lets that be known."""
    unknown_member: str
    """What is said of a member that the target does not have."""
    denied: str
    """What is said to a credential that may only read."""
    failing: str
    """The state of an arm that takes requests and answers them with errors."""
    wire: Wire  # of the adapter made last, with need "status codes"
    counters_path: str  # likewise

    @classmethod
    def missing(cls) -> str | None:
        """Which program is not here, and how it is had; None when everything is."""
        ...

    @classmethod
    def version(cls) -> str:
        """What runs, in a few words; empty when it is part of this repository."""
        ...

    async def start(self, folder: Path) -> None: ...

    async def stop(self) -> None: ...

    async def halt(self) -> None:
        """End the system and keep what it stores."""
        ...

    async def restart(self) -> None:
        """End it if it runs, and start it again with what it stored."""
        ...

    async def seed(self, candidate_bp: int) -> None:
        """Bring the split here by another hand, with no fault left over."""
        ...

    def target(self, *, keep: Keep | None = None) -> Target:
        """A new adapter, as a new worker would make it; `stop` closes them all."""
        ...

    def reader(self) -> Target:
        """A new adapter whose write credential may only read."""
        ...

    def strangers(self) -> tuple[Target, tuple[str, ...]]:
        """A new adapter with credentials that the target does not know, and the secrets that must never be shown."""
        ...

    def transcript(self) -> list[str]:
        """`read` and `write`, as the adapter made last did them."""
        ...

    async def external_edit(self, candidate_bp: int) -> None: ...

    async def fault(self, **script: object) -> None:
        """What goes wrong with the next writes. Raises KeyError for what this harness cannot do."""
        ...

    async def traffic(self, users: int) -> dict[str, int]:
        """One request of each of so many users; returns how many each arm says it served."""
        ...

    async def effects(self, key: str) -> int:
        """How often a write under this key took effect, by the target's own record.

        Where keys cannot be stored: how often any write of an adapter did, since the last seed.
        """
        ...

    def shows(self, candidate_bp: int) -> bytes:
        """What stands in a raw answer of the target at this split."""
        ...

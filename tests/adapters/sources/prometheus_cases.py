"""Requests, signals and settings for tests of the Prometheus source."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from activities.signal_ports import CountedBlock, PullRequest
from adapters.prometheus_source import PrometheusSource
from adapters.source_settings import PrometheusSettings
from countermand.detection.blocks import Arm
from countermand.playbook.signals import SignalSpec
from tests import cases
from tests.adapters.sources.prometheus_world import BLOCK, EDGES

START = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
ARMS = {"candidate": {"track": "canary"}, "baseline": {"track": "stable"}}
COUNTERS = {"bad": "answers_bad_total", "total": "answers_total"}


def signal(query: dict[str, str] | None, **changes: Any) -> SignalSpec:
    """A signal from the source `prometheus`; a rate unless something else is said."""
    common = {"family": "model_quality", "meaning": "wrong answers", "source": "prometheus"}
    kind = {"kind": "rate", "bad": "higher", "expect": 0.05} if "kind" not in changes else {}
    asked = {} if query is None else {"query": query}
    return SignalSpec.model_validate(common | kind | asked | changes)


def utility(query: dict[str, str], **changes: Any) -> SignalSpec:
    return signal(query, **({"kind": "score", "bad": "lower", "range": [0, 1]} | changes))


def latency(query: dict[str, str], edges: tuple[float, ...] = EDGES) -> SignalSpec:
    return signal(query, kind="latency", edges=edges, measured_in="s")


def source(url: str, *, clock: Any = None, **changes: Any) -> PrometheusSource:
    entry = {"kind": "prometheus", "url": url, "scrape": "1s", "arms": ARMS}
    settings = PrometheusSettings.model_validate(entry | changes)
    return PrometheusSource(settings, clock or (lambda: datetime.now(UTC)))


def request(spec: SignalSpec, start: datetime = START) -> PullRequest:
    return PullRequest(release=cases.release(), signals={"failures": spec}, start=start, end=start + BLOCK)


async def pulled(url: str, spec: SignalSpec, start: datetime = START, **settings: Any) -> dict[Arm, CountedBlock]:
    """One block of both arms, from a client of its own."""
    client = source(url, **settings)
    try:
        answer = await client.pull(request(spec, start))
    finally:
        await client.close()
    assert answer.items == ()
    return {block.arm: block for block in answer.counts}

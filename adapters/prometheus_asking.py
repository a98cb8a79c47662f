"""One arm of one signal: which questions Prometheus is asked about a block, and what came back (SRC-13)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite

from activities.signal_ports import PullRequest
from adapters.prometheus_counts import Labels, Series
from adapters.prometheus_http import PrometheusHttp, Unknown
from adapters.prometheus_queries import counter_queries, expression
from countermand.canonical import digest, instant
from countermand.playbook.queries import SignalQuery

#: So many scrapes before a block are read too, to find the sample it counts from.
_SCRAPES_BEFORE = 3


@dataclass
class Asked:
    """What came back until there was a `reason` to stop.

    parts: series by key of the query. share: what its expression gave. answers: their digests.
    """

    parts: dict[str, list[Series]] = field(default_factory=dict)
    share: float | None = None
    queries: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    reason: str | None = None

    @property
    def labels(self) -> set[Labels]:
        """Each series once."""
        return {series.labels for found in self.parts.values() for series in found}

    def evidence(self, query: SignalQuery, at: datetime, skew: float) -> str:
        """Digest of what was asked and answered; `skew` of the clocks in seconds."""
        return digest(
            {
                "mode": "counters" if query.value is None else "approximate",
                "time": instant(at),
                "queries": self.queries,
                "answers": self.answers,
                "series": len(self.labels),
                "skew_ms": round(skew * 1000),
            }
        )


async def ask(
    http: PrometheusHttp, query: SignalQuery, arm: str, request: PullRequest, scrape: timedelta, deadline: float
) -> Asked:
    """Ask for one arm, chosen by the label matchers `arm`; `deadline` in seconds of the loop's clock. Never raises."""
    asked = Asked()
    window = request.end - request.start + _SCRAPES_BEFORE * scrape

    async def one(text: str) -> tuple[Series, ...]:
        asked.queries.append(text)
        answer = await http.ask(text, request.end, deadline)
        asked.answers.append(answer.sha256)
        return answer.series

    try:
        for text, names in counter_queries(query.selectors, arm, window).items():
            found = await one(text)
            for key, name in names.items():
                asked.parts[key] = [series for series in found if series.label("__name__") == name]
        if query.value is not None:
            asked.share = only_value(await one(expression(query.value, arm)))
    except Unknown as unknown:
        asked.reason = unknown.reason
    return asked


def only_value(series: tuple[Series, ...]) -> float:
    """The one value of an instant answer. Raises Unknown: empty, ambiguous or not_finite."""
    values = [value for one in series for _, value in one.samples]
    if len(values) != 1:
        raise Unknown("ambiguous" if values else "empty")
    if not isfinite(values[0]):
        raise Unknown("not_finite")
    return values[0]

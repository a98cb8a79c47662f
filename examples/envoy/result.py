"""What came of it, from outside: users' requests, what Envoy said was in force, and the ledger beside them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import quantiles

from countermand.cli.demo_proof import Proof
from countermand.detection.models import Arm
from countermand.detection.positive import share_interval
from countermand.messages.incident import IncidentView
from countermand.plan.evidence import users_needed
from countermand.plan.target import WHOLE, Split
from countermand.playbook.units import format_percent

from examples.envoy.load import Request
from examples.envoy.router import InForce


@dataclass(frozen=True)
class Measured:
    """Everything that was seen. `view`: the incident as the ledger tells it.

    requests: all, in the order in which they were due. weights: what Envoy said was in force, one entry per change.
    loads: how often Envoy took over its file. crashes: processes that had to be started again.
    ledger_holds: the console's verdict about its own ledger.
    """

    requests: Sequence[Request]
    weights: Sequence[InForce]
    loads: int
    crashes: Sequence[str]
    ledger_holds: bool
    view: IncidentView
    rate: float
    settle_seconds: float
    residual_bp: int


@dataclass(frozen=True)
class Share:
    """How many of some requests the candidate answered, and the exact 99.9 % interval of its share."""

    requests: int
    candidate: int

    @classmethod
    def of(cls, requests: Sequence[Request]) -> Share:
        whole = [request for request in requests if not request.failed]
        return cls(len(whole), sum(request.arm == Arm.candidate for request in whole))

    @property
    def interval(self) -> tuple[float, float]:
        return share_interval(self.candidate, self.requests)


@dataclass(frozen=True)
class Stage:
    """One stage as users saw it: `seen` after it had settled, `moving` from the last moment before until then."""

    wanted_bp: int
    before_bp: int
    seen: Share
    moving: Share
    needed: int

    @property
    def inside(self) -> bool:
        """Enough was seen and it fits what was wanted; 0 % is none at all (TGT-11)."""
        low, high = self.seen.interval
        fits = self.seen.candidate == 0 if self.wanted_bp == 0 else low <= self.wanted_bp / WHOLE <= high
        return fits and self.seen.requests >= self.needed

    @property
    def not_above(self) -> bool:
        """While it moved, no more than before went to the candidate, as far as chance lets one say."""
        return self.moving.interval[0] <= self.before_bp / WHOLE


@dataclass(frozen=True)
class Period:
    """Requests before, during or after the way back. Latencies in milliseconds, from when each was due."""

    name: str
    requests: int
    failed: int
    p50: float
    p99: float


def stages(m: Measured) -> list[Stage]:
    """One per change of what was in force."""
    found = []
    for before, now in pairwise(m.weights):
        settled = now.since + m.settle_seconds
        wanted_bp = now.candidate
        found.append(
            Stage(
                wanted_bp=wanted_bp,
                before_bp=before.candidate,
                seen=Share.of([one for one in m.requests if settled <= one.sent <= now.until]),
                moving=Share.of([one for one in m.requests if before.until < one.sent < settled]),
                needed=users_needed(Split.candidate(wanted_bp), m.residual_bp),
            )
        )
    return found


def periods(m: Measured) -> list[Period]:
    """Before the first change, from the first to the end of the last stage, and after it."""
    first, last = way_back(m)
    return [
        _period("before", [one for one in m.requests if one.due < first]),
        _period("during the way back", [one for one in m.requests if first <= one.due <= last]),
        _period("after", [one for one in m.requests if one.due > last]),
    ]


def way_back(m: Measured) -> tuple[float, float]:
    """When the first stage began and the last one ended, in seconds since 1970. Raises ValueError without either."""
    started = m.view.stages[0].started_at if m.view.stages else None
    ended = m.view.stages[-1].ended_at if m.view.stages else None
    if started is None or ended is None:
        raise ValueError(f"incident {m.view.incident_id!r} has no finished way back")
    return started.timestamp(), ended.timestamp()


def _period(name: str, requests: Sequence[Request]) -> Period:
    waits = [1_000 * request.latency for request in requests]
    cuts = quantiles(waits, n=100) if len(waits) > 1 else [float("nan")] * 99
    return Period(name, len(requests), sum(request.failed for request in requests), cuts[49], cuts[98])


def proofs(m: Measured) -> Iterator[Proof]:
    """Every claim of the example, checked."""
    yield _failed(m)
    yield _on_time(m)
    yield _inside(m)
    yield _never_above(m)
    yield _whole_changes(m)
    yield _crashes(m)
    outcome = m.view.closed.outcome if m.view.closed else "still open"
    verified = " ".join(check.sentence for check in m.view.verification)
    yield Proof("shown to be healthy by labelled answers", outcome == "reverted", verified or outcome)
    yield Proof("the ledger is unbroken", m.ledger_holds, f"incident {m.view.incident_id}: {outcome}")


def _failed(m: Measured) -> Proof:
    failed = sum(request.failed for request in m.requests)
    numbers = [request.number for request in m.requests]
    holds = failed == 0 and bool(numbers) and numbers == list(range(len(numbers)))
    return Proof("no request failed and none is missing", holds, f"{failed} of {len(numbers)} failed")


def _on_time(m: Measured) -> Proof:
    """The load really was what it says: else zero failures would say little."""
    first, last = way_back(m)
    during = [request for request in m.requests if first <= request.sent <= last]
    rate = len(during) / (last - first)
    late = max((request.sent - request.due for request in during), default=0.0)
    sentence = f"{rate:.0f} requests per second during the way back; the latest was sent {1_000 * late:.0f} ms late"
    return Proof("the load was kept up during the way back", rate >= 0.98 * m.rate, sentence)


def _inside(m: Measured) -> Proof:
    planned = [stage.desired.candidate_bp for stage in m.view.plan.stages] if m.view.plan else []
    found = stages(m)
    holds = bool(planned) and [stage.wanted_bp for stage in found] == planned and all(one.inside for one in found)
    sentence = f"{sum(stage.inside for stage in found)} of {len(planned)} stages"
    return Proof("each stage is seen in the answers of users", holds, sentence)


def _never_above(m: Measured) -> Proof:
    found = stages(m)
    most = max((now.candidate - before.candidate for before, now in pairwise(m.weights)), default=0)
    holds = bool(found) and most < 0 and all(stage.not_above for stage in found)
    moving = ", ".join(f"{one.moving.candidate} of {one.moving.requests}" for one in found)
    return Proof(
        "the candidate's share never rose on the way", holds, f"while it moved the candidate answered {moving}"
    )


def _whole_changes(m: Measured) -> Proof:
    """Two weights written one after the other would be more loads, and pairs that do not add up."""
    whole = all(one.candidate + one.baseline == WHOLE for one in m.weights)
    changes = len(m.weights) - 1
    shares = " → ".join(format_percent(one.candidate) for one in m.weights)
    sentence = f"{changes} changes ({shares}), file taken over {m.loads - 1} times after the start"
    return Proof("both weights changed in one step, once per stage", whole and m.loads - 1 == changes > 0, sentence)


def _crashes(m: Measured) -> Proof:
    return Proof("no process had to be started again", not m.crashes, "; ".join(m.crashes) or "none")


def table(m: Measured) -> list[str]:
    """Stages, periods and times, for people."""
    rows = [f"{'stage':<7}{'wanted':>8}{'requests':>10}{'candidate':>11}   {'exact 99.9 % interval':<24}inside"]
    for number, stage in enumerate(stages(m), start=1):
        low, high = stage.seen.interval
        interval = f"{100 * low:6.2f} % … {100 * high:6.2f} %"
        rows.append(
            f"{number:<7}{format_percent(stage.wanted_bp):>8}{stage.seen.requests:>10}{stage.seen.candidate:>11}"
            f"   {interval:<24}{'yes' if stage.inside else 'NO'}"
        )
    rows += ["", f"{'':<22}{'requests':>10}{'failed':>9}{'p50':>11}{'p99':>11}"]
    for period in periods(m):
        rows.append(
            f"{period.name:<22}{period.requests:>10}{period.failed:>9}{period.p50:>8.1f} ms{period.p99:>8.1f} ms"
        )
    first, last = way_back(m)
    opened = m.view.opened_at.timestamp()
    gone = m.weights[-1].since
    rows += [
        "",
        f"from the trigger to the end of the last stage {last - opened:.1f} s: "
        f"{first - opened:.1f} s until two people had agreed and it began, "
        f"{gone - first:.1f} s until nobody got the candidate, {last - gone:.1f} s to make sure of it",
    ]
    return rows

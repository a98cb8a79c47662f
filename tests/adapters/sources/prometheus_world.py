"""Fifteen seconds in the life of a few processes, scraped every second by a real Prometheus, with a log of what
really happened.

Blocks are 5 s long. Outputs come early in a block and are followed by silence, so that each of them is scraped
before its block ends: what Prometheus knows of a block must equal the log exactly.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from tests.adapters.sources.servers import Exporter, Prometheus

BLOCK = timedelta(seconds=5)
SCRAPE = timedelta(seconds=1)
EDGES = (0.1, 0.5, 1.0)
TRACKS = ("canary", "stable")
SCORES = (0.25, 0.5, 1.0)
LATENCIES = (0.05, 0.1, 0.3, 2.0)

#: Jobs by name, and how many processes each has.
JOBS = {"steady": 1, "restart": 1, "growing": 2, "shrinking": 2, "stopping": 1, "paused": 1, "falling": 1, "codes": 1}


class Process:
    """An exporter whose counters begin at 0 whenever it starts anew."""

    def __init__(self) -> None:
        self.exporter = Exporter()
        self.begin()

    def begin(self) -> None:
        """A new life."""
        registry = self.exporter.registry = CollectorRegistry()
        labels = {"labelnames": ["track"], "registry": registry}
        self.total = Counter("answers", "all answers", **labels)
        self.bad = Counter("answers_bad", "bad answers", **labels)
        self.due = Counter("answers_due", "answers that were due", **labels)
        self.score = Counter("utility_sum", "scores", **labels)
        self.squares = Counter("utility_sumsq", "squares of scores", **labels)
        self.seconds = Histogram("latency_seconds", "latencies", buckets=EDGES, **labels)
        self.share = Gauge("judge_bad_share", "share of bad answers by judge", ["track", "judge"], registry=registry)
        self.shrinks = Gauge("shrinking", "a gauge that somebody takes for a counter", **labels)
        self.codes = Counter("requests", "requests", ["track", "code"], registry=registry)
        for track in TRACKS:
            for metric in (self.total, self.bad, self.due, self.score, self.squares, self.seconds):
                metric.labels(track)
            for code in ("200", "500"):
                self.codes.labels(track, code)

    def answer(self, n: int, bad: int) -> None:
        """Each arm answers; the candidate `bad` of `n` times wrongly, the baseline never. One in ten is not judged."""
        for track in TRACKS:
            self.total.labels(track).inc(n)
            self.due.labels(track).inc(n + n // 10)
            if track == "canary":
                self.bad.labels(track).inc(bad)


@dataclass
class World:
    """`log` holds, by job and number of the block, what happened: total and bad of the candidate."""

    prometheus: Prometheus
    processes: dict[str, list[Process]]
    began: datetime = field(init=False)
    log: dict[tuple[str, int], Tally[str]] = field(default_factory=dict)

    def happens(self, job: str, n: int, bad: int, *, process: int = 0) -> None:
        block = int((datetime.now(UTC) - self.began) / BLOCK)
        self.processes[job][process].answer(n, bad)
        self.log.setdefault((job, block), Tally()).update(total=n, bad=bad)

    async def until(self, block: int, seconds: float) -> None:
        """Sleep until so many seconds of a block are over."""
        await asyncio.sleep((self.began + block * BLOCK).timestamp() + seconds - time())

    async def lives(self) -> None:
        """The fifteen seconds."""
        self.began = datetime.fromtimestamp(int(time()) + 1, UTC)
        await asyncio.gather(
            self._steady(), self._restart(), self._growing(), self._shrinking(), self._stopping(), self._paused(),
            self._falling(), self._codes(),
        )  # fmt: skip
        await self.until(3, 0.3)

    async def _steady(self) -> None:
        (process,) = self.processes["steady"]
        for block in range(3):
            await self.until(block, 0.05)
            for track in TRACKS:
                process.share.labels(track, "strict").set("nan" if block == 1 else 0.125)
                process.share.labels(track, "kind").set(0.0)
            for tick in range(60):
                await self.until(block, 0.1 + tick / 20)
                self.happens("steady", 7, tick % 2)
                for track in TRACKS:
                    score, latency = SCORES[tick % 3], LATENCIES[tick % 4]
                    process.score.labels(track).inc(7 * score)
                    process.squares.labels(track).inc(7 * score**2)
                    process.seconds.labels(track).observe(latency)

    async def _restart(self) -> None:
        (process,) = self.processes["restart"]
        for block, (n, bad) in enumerate([(1000, 40), (300, 20), (50, 1)]):
            await self.until(block, 0.1)
            self.happens("restart", n, bad)
            if block == 1:
                await self.until(block, 1.9)
                await asyncio.to_thread(process.exporter.stop)
                process.begin()
                self.happens("restart", 200, 70)  # the bad ones pass what they were before
                process.exporter.start()

    async def _growing(self) -> None:
        _, second = self.processes["growing"]
        for block in range(3):
            await self.until(block, 0.1)
            self.happens("growing", 100, 5)
            if block == 1:
                second.exporter.start()
                await self.until(block, 1.9)
                self.happens("growing", 30, 2, process=1)

    async def _shrinking(self) -> None:
        for block in range(3):
            await self.until(block, 0.1)
            self.happens("shrinking", 100, 5)
            if block == 1:
                await self._stop("shrinking", 1)

    async def _stopping(self) -> None:
        for block in range(2):
            await self.until(block, 0.1)
            self.happens("stopping", 100, 5)
        await self._stop("stopping", 1)

    async def _paused(self) -> None:
        (process,) = self.processes["paused"]
        for block in range(2):
            await self.until(block, 0.1)
            self.happens("paused", 100, 5)
        await self._stop("paused", 1)
        process.exporter.start()
        await self.until(2, 1.9)
        self.happens("paused", 60, 6)

    async def _stop(self, job: str, block: int) -> None:
        """Nothing is scraped for the rest of the block."""
        await self.until(block, 1.4)
        await asyncio.to_thread(self.processes[job][-1].exporter.stop)
        await self.until(block + 1, 0.1)

    async def _falling(self) -> None:
        (process,) = self.processes["falling"]
        for block in range(3):
            await self.until(block, 0.1)
            for track in TRACKS:
                process.shrinks.labels(track).set(100 - block)
            if block == 0:
                self.happens("falling", 100, 5)

    async def _codes(self) -> None:
        (process,) = self.processes["codes"]
        for block in range(3):
            await self.until(block, 0.1)
            for track in TRACKS:
                process.codes.labels(track, "200").inc(100)
                if block == 1:
                    process.codes.labels(track, "503").inc(4)


async def started(folder: Path) -> World:
    """Everything up, and scraped often enough that the first block has a sample to count from."""
    processes = {job: [Process() for _ in range(n)] for job, n in JOBS.items()}
    jobs = {job: [process.exporter.target for process in own] for job, own in processes.items()}
    world = World(Prometheus(folder, jobs), processes)
    running = [process for own in processes.values() for process in own]
    running.remove(processes["growing"][1])
    for process in running:
        process.exporter.start()
    await world.prometheus.start()
    await world.prometheus.until_found("answers_total", len(TRACKS) * len(running))
    return world


async def ended(world: World) -> None:
    await world.prometheus.stop()
    for own in world.processes.values():
        for process in own:
            await asyncio.to_thread(process.exporter.stop)

"""Backtest a proposal on the labelled past: the report as a blob, the facts that guardrails need (LRN-9, LRN-14)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.heartbeat import heartbeating
from activities.ports import Catalogue, Ledger
from countermand.canonical import canonical
from countermand.learning.episode import Episode
from countermand.learning.processes import BacktestStopped, Progress
from countermand.learning.report import BacktestReport, Rate
from countermand.plan.target import Value

#: A report is kept under this media type.
MEDIA_TYPE = "application/vnd.countermand.backtest+json"


class BacktestRequest(Value):
    """What is compared on what. current, proposed: texts of the playbooks; their digests are those of these bytes.

    folder: where the episodes lie as files `<episode_id>.episode.jsonl`. trusted: they were written from sealed rows
    just now and are not checked line by line again.
    """

    current: str
    proposed: str
    episodes: tuple[Episode, ...]
    folder: str
    seed: int = 1
    trusted: bool = False


class Backtests(Protocol):
    """Runs a backtest beside everything else."""

    async def __call__(self, request: BacktestRequest, progress: Callable[[Progress], None]) -> BacktestReport:
        """The report; the same request gives the same bytes. Raises BacktestStopped beyond a limit, ValueError for
        what cannot be compared."""
        ...


class EpisodeStore(Protocol):
    """The past as episodes, under the newest labels."""

    async def known(self, service: str | None = None) -> tuple[Episode, ...]:
        """All episodes of a service, or of all, by the start of their watch."""
        ...

    async def write(self, episodes: Sequence[Episode], folder: Path) -> None:
        """One file `<episode_id>.episode.jsonl` each, from sealed rows whose digests were checked."""
        ...


class BacktestOrder(Value):
    """Two stored playbooks by digest, on all episodes of the proposed one's service."""

    current_digest: str
    proposed_digest: str
    seed: int = 1


class Backtested(Value):
    """`digest` is the backtest digest, and the blob under which the report is kept.

    missed: incidents that the current version catches and the proposed one does not, which need a signed waiver each.
    fitted: incidents that the value misses when it is derived without them. unlabelled: episodes that do not count.
    """

    digest: str
    incidents: int
    quiet_stretches: int
    unlabelled: int
    missed: tuple[str, ...]
    gained: tuple[str, ...]
    fitted: tuple[str, ...]
    not_recorded: tuple[str, ...]
    current: Rate
    proposed: Rate
    sentences: tuple[str, ...]


class BacktestingActivities:
    """Ports: Ledger, Catalogue, EpisodeStore, Backtests."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue, episodes: EpisodeStore, backtests: Backtests) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._episodes = episodes
        self._backtests = backtests

    @activity.defn(name="backtest")
    async def backtest(self, order: BacktestOrder) -> Backtested:
        """Read-only until the report is stored; it pages, asks and changes nothing."""
        try:
            current, proposed = [
                await self._catalogue.playbook_bytes(digest) for digest in (order.current_digest, order.proposed_digest)
            ]
            service = (await self._catalogue.playbook(order.proposed_digest)).service
        except KeyError as error:
            raise ApplicationError(f"unknown playbook {error}", non_retryable=True) from error
        episodes = await self._episodes.known(service)
        async with heartbeating():
            report = await self._run(order, current, proposed, episodes)
        digest = await self._ledger.put_blob(canonical(report.model_dump(mode="json")), MEDIA_TYPE)
        return facts(report, digest)

    async def _run(
        self, order: BacktestOrder, current: bytes, proposed: bytes, episodes: tuple[Episode, ...]
    ) -> BacktestReport:
        with tempfile.TemporaryDirectory(prefix="backtest-") as folder:
            try:
                await self._episodes.write(episodes, Path(folder))
                request = BacktestRequest(
                    current=current.decode(),
                    proposed=proposed.decode(),
                    episodes=episodes,
                    folder=folder,
                    seed=order.seed,
                    trusted=True,
                )
                return await self._backtests(request, lambda now: activity.heartbeat(now.done, now.total))
            except (ValueError, BacktestStopped) as error:
                raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from error


def facts(report: BacktestReport, digest: str) -> Backtested:
    """What guardrails and pages need of a report that is stored under `digest`."""
    return Backtested(
        digest=digest,
        incidents=report.honesty.incidents,
        quiet_stretches=report.honesty.quiet_stretches,
        unlabelled=report.honesty.left_out,
        missed=report.missed,
        gained=report.gained,
        fitted=report.fitted,
        not_recorded=report.honesty.not_recorded,
        current=report.honesty.current,
        proposed=report.honesty.proposed,
        sentences=report.sentences,
    )

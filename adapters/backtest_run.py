"""One backtest beside everything else: in processes of its own, cancellable, within limits (LRN-14)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from threading import Event

from activities.backtesting import BacktestRequest
from countermand.canonical import digest_bytes
from countermand.learning.backtest import Found, report
from countermand.learning.episode_file import SUFFIX
from countermand.learning.processes import BacktestStopped, Limits, Progress, judge
from countermand.learning.report import BacktestReport
from countermand.learning.versions import Versions
from countermand.playbook.load import parse

__all__ = ["BacktestRequest", "BacktestStopped", "Limits", "Progress", "run_backtest", "search"]


async def run_backtest(
    request: BacktestRequest, progress: Callable[[Progress], None], limits: Limits | None = None
) -> BacktestReport:
    """The report; the same request gives the same bytes. `progress` is called in this event loop.

    Cancelling it ends its processes. Raises BacktestStopped beyond a limit, EpisodeFault for a file that is no
    episode, PlaybookErrors for a text that is no playbook, and ValueError for versions or rows that do not fit.
    """
    return (await search(request, progress, limits)).report


async def search(request: BacktestRequest, progress: Callable[[Progress], None], limits: Limits | None = None) -> Found:
    """As `run_backtest`, with the values that the same past would prefer: suggestions that decide nothing."""
    loop, cancelled = asyncio.get_running_loop(), Event()

    def told(now: Progress) -> None:
        loop.call_soon_threadsafe(progress, now)

    work = asyncio.create_task(
        asyncio.to_thread(found, request, told, limits or Limits(), cancelled.is_set), name="backtest"
    )
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        # The processes look several times a second; nothing is left running behind the caller's back.
        cancelled.set()
        await asyncio.wait([work])
        work.exception()
        raise


def found(
    request: BacktestRequest, progress: Callable[[Progress], None], limits: Limits, stopped: Callable[[], bool]
) -> Found:
    """The same without an event loop."""
    current, proposed = request.current.encode(), request.proposed.encode()
    versions = Versions(parse(current, "current"), parse(proposed, "proposed"))
    files = [(one, Path(request.folder) / f"{one.episode_id}{SUFFIX}") for one in request.episodes]
    tried = judge(versions, files, limits, progress, stopped, trusted=request.trusted)

    def draws(name: str) -> Iterator[float]:
        return iter(Random(f"{request.seed}/{name}").random, None)  # noqa: S311  # a bootstrap, not a secret

    return report(versions, (digest_bytes(current), digest_bytes(proposed)), tried, request.seed, draws)

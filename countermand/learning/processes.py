"""Episodes judged in processes of their own: bounded memory and time, nothing to write to, nobody to call (LRN-14)."""

from __future__ import annotations

import gc
import multiprocessing
import os
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from countermand.detection.rule import Rule
from countermand.learning.episode import Episode
from countermand.learning.episode_file import EpisodeFault, any_late, check, header, rows_of
from countermand.learning.feeding import Heard, hear
from countermand.learning.outcome import Tried
from countermand.learning.versions import Versions
from countermand.playbook.criteria import Detection

#: Rows between two looks at whether to stop, and between two reports of progress.
_TICK = 64
#: Seconds between two looks at the progress.
_POLL = 0.2


class Limits(NamedTuple):
    """What one process may use, and how many there are. Seconds are of processor time."""

    processes: int = 2
    memory_bytes: int = 2_000_000_000
    seconds: int = 1_800


class Progress(NamedTuple):
    """Rows that were judged, of how many; an episode that is judged in two parts counts twice."""

    phase: str
    done: int
    total: int


class BacktestStopped(Exception):
    """A backtest went beyond a limit, or was cancelled; the message says which."""


class _Part(NamedTuple):
    """An episode's file and the rules that are judged on it together."""

    episode: Episode
    path: Path
    rules: Mapping[str, Rule]
    check: bool


def judge(
    versions: Versions,
    episodes: Sequence[tuple[Episode, Path]],
    limits: Limits,
    progress: Callable[[Progress], None],
    stopped: Callable[[], bool] = lambda: False,
    *,
    trusted: bool = False,
) -> list[Tried]:
    """What every rule did in every episode, in the order of the episodes.

    trusted: the files were written from sealed rows just now; else every count in them is checked first.
    stopped: asked several times a second. Raises BacktestStopped, EpisodeFault for a file that is none, and ValueError
    for rows that no watch of these versions could have had.
    """
    context = multiprocessing.get_context("spawn")
    # Few long episodes: both processes share each of them, rule by rule.
    shares = 1 if len(episodes) >= 2 * limits.processes else limits.processes
    parts = [
        _Part(episode, path, dict(own), not trusted)
        for episode, path in episodes
        for own in (list(versions.rules.items())[place::shares] for place in range(shares))
        if own
    ]
    rows = {path: header(path).rows for _, path in episodes}
    total = sum(rows[part.path] for part in parts)
    done, halt = context.Value("q", 0), context.Value("b", 0)
    pool = ProcessPoolExecutor(limits.processes, context, _begin, (limits, versions.detection, done, halt))
    try:
        # The longest first, so that no process is left alone with it at the end.
        order = sorted(parts, key=lambda part: -rows[part.path])
        futures = {pool.submit(_hear, part): part for part in order}
        for _ in _finished(futures):
            if stopped():
                raise BacktestStopped("it was cancelled")
            progress(Progress("judging", min(done.value, total), total))
        return _joined([episode for episode, _ in episodes], [future.result() for future in futures])
    except BrokenProcessPool:
        raise BacktestStopped(
            f"a process ended: it needed more than {limits.seconds:,} s of processor time or "
            f"{limits.memory_bytes:,} bytes; judge fewer episodes at once"
        ) from None
    except MemoryError:
        raise BacktestStopped(
            f"a process needed more than {limits.memory_bytes:,} bytes; judge fewer episodes at once"
        ) from None
    finally:
        halt.value = 1
        pool.shutdown(wait=True, cancel_futures=True)


def _finished(futures: Mapping[Future[Heard], _Part]) -> Iterator[None]:
    """Yields several times a second until all are done; raises what one of them raised."""
    left = set(futures)
    while left:
        ended, left = wait(left, timeout=_POLL, return_when=FIRST_COMPLETED)
        for one in ended:
            one.result()
        yield


def _joined(episodes: Sequence[Episode], heard: Sequence[Heard]) -> list[Tried]:
    """The parts of each episode as one."""
    found: dict[str, Heard] = {}
    for one in heard:
        other = found.get(one.episode_id)
        if other is not None:
            bad: dict[Any, dict[str, int]] = {}
            for at, counts in (*other.bad, *one.bad):
                bad[at] = bad.get(at, {}) | counts
            one = other.model_copy(
                update={
                    "traces": other.traces | one.traces,
                    "scored": other.scored | one.scored,
                    "bad": tuple(sorted(bad.items(), key=lambda pair: pair[0])),
                }
            )
        found[one.episode_id] = one
    return [Tried(episode, found[episode.episode_id]) for episode in episodes]


# --- inside a process -----------------------------------------------------------------------------------------------

_state: dict[str, Any] = {}


def _begin(limits: Limits, detection: Detection, done: Any, halt: Any) -> None:
    os.environ.clear()  # noqa: TID251  # never read: no credentials and no addresses are left
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_CPU, limits.seconds)
    _limit(resource.RLIMIT_FSIZE, 0)  # no file can be written
    # States of a watch hold no cycles: looking for some takes a fifth of the time.
    gc.disable()
    _state.update(detection=detection, done=done, halt=halt)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with suppress(ValueError):
        resource.setrlimit(what, (most, hard))


def _hear(part: _Part) -> Heard:
    done, halt, count = _state["done"], _state["halt"], 0
    if part.check and check(part.path) != part.episode:
        raise EpisodeFault(f"{str(part.path)!r} changed while it was read")

    def tick() -> None:
        nonlocal count
        count += 1
        if count % _TICK == 0:
            if halt.value:
                raise BacktestStopped("it was cancelled")
            with done.get_lock():
                done.value += _TICK

    signals = {own.reads for rule in part.rules.values() for own in rule.criteria}
    rows, late = rows_of(part.path, signals), any_late(part.path)
    return hear(part.episode, _state["detection"], part.rules, rows, tick, late=late)

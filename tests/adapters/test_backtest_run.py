"""A backtest runs in processes of its own: they can be stopped, are limited, and neither write nor call (LRN-14)."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from adapters.backtest_run import BacktestRequest, BacktestStopped, Limits, found, run_backtest
from adapters.backtest_view import html
from countermand.learning.episode_file import SUFFIX, EpisodeFault, written
from countermand.learning.processes import _begin
from countermand.learning.report_view import facts
from tests.rules.learning import pasts


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    directory = tmp_path_factory.mktemp("episodes")
    for episode, rows in PAST:
        (directory / f"{episode.episode_id}{SUFFIX}").write_bytes(written(episode, rows))
    return directory


PAST = [pasts.incident("clear", part=0.06), pasts.quiet("calm")]


def text(ratio: str) -> str:
    """A playbook of these tests as text: JSON is YAML."""
    return pasts.playbook(ratio).model_dump_json(by_alias=True, exclude_none=True)


def request(folder, **changes) -> BacktestRequest:
    given = {"current": text("1.5"), "proposed": text("1.2"), "folder": str(folder), "seed": 7}
    return BacktestRequest.model_validate({**given, "episodes": [episode for episode, _ in PAST], **changes})


@pytest.fixture(scope="module")
async def report(folder):
    told = []
    made = await run_backtest(request(folder), told.append)
    assert told
    assert told[-1].total == 720  # two processes share each episode, and each reads all of its rows
    assert [one.done for one in told] == sorted(one.done for one in told)
    return made


async def test_processes_find_what_one_process_finds(report):
    alone = pasts.backtest(pasts.playbook("1.5"), pasts.playbook("1.2"), PAST)
    assert report.model_copy(update={"current_digest": "", "proposed_digest": ""}) == alone.model_copy(
        update={"current_digest": "", "proposed_digest": ""}
    )
    assert report.current_digest != report.proposed_digest


async def test_the_page_shows_every_incident_with_its_signs_and_escapes_names(report):
    page = html(report)
    for line in facts(report).incidents:
        assert f'id="episode-{line.name}"' in page
    assert page.count("<svg") == 3
    assert "<script>" not in html(report.model_copy(update={"change": ("<script>",)}))


async def test_a_cancelled_backtest_leaves_no_process(folder):
    before = {child.pid for child in multiprocessing.active_children()}
    task = asyncio.create_task(run_backtest(request(folder), lambda _: None))
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 60)
    assert {child.pid for child in multiprocessing.active_children()} <= before


async def test_a_backtest_beyond_its_time_is_stopped_and_says_so(folder):
    with pytest.raises(BacktestStopped, match="judge fewer episodes at once"):
        await run_backtest(request(folder), lambda _: None, Limits(1, seconds=0))


async def test_a_line_that_needs_more_memory_than_allowed_stops_it(folder, tmp_path):
    episode, rows = PAST[0]
    (tmp_path / f"{episode.episode_id}{SUFFIX}").write_bytes(written(episode, rows) + b"x" * 3_900_000)
    with pytest.raises(BacktestStopped, match="50,000,000 bytes; judge fewer episodes at once"):
        await run_backtest(request(tmp_path, episodes=[episode]), lambda _: None, Limits(1, memory_bytes=50_000_000))


async def test_a_changed_file_is_refused_unless_it_was_just_written_by_us(folder, tmp_path):
    episode, rows = PAST[0]
    raw = written(episode, rows).replace(b'"scored":500', b'"scored":501', 1)
    (tmp_path / f"{episode.episode_id}{SUFFIX}").write_bytes(raw)
    with pytest.raises(EpisodeFault, match="line 2: blocks/0"):
        await run_backtest(request(tmp_path, episodes=[episode]), lambda _: None, Limits(1))


def try_to_write(path: str) -> tuple[bool, int]:
    try:
        with open(path, "wb") as file:
            file.write(b"x")
    except OSError:
        return False, len(os.environ)
    return True, len(os.environ)


def test_inside_a_process_no_file_can_be_written_and_no_credential_is_left(tmp_path):
    context = multiprocessing.get_context("spawn")
    given = (Limits(), pasts.playbook().detection, context.Value("q", 0), context.Value("b", 0))
    with ProcessPoolExecutor(1, context, _begin, given) as pool:
        assert pool.submit(try_to_write, str(tmp_path / "x")).result(timeout=120) == (False, 0)


def test_a_text_that_is_no_playbook_is_refused_before_any_process_starts(folder):
    with pytest.raises(ValueError, match="proposed"):
        found(request(folder, proposed="schema: x"), lambda _: None, Limits(), lambda: False)

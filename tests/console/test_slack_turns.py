"""Answers to Slack come before the work behind them, and that work never waits long (SLK-12)."""

from __future__ import annotations

import asyncio

import pytest

from console import slack_turns
from console.slack_turns import Turns


async def test_work_waits_until_the_last_request_has_its_answer() -> None:
    turns, done = Turns(), []

    async def work() -> None:
        await turns.work()
        done.append("work")

    with turns.answering():
        with turns.answering():
            task = asyncio.create_task(work())
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)
        assert done == [], "one request still waits"
    await asyncio.wait_for(task, 0.5)
    assert done == ["work"]


async def test_without_a_waiting_request_work_begins_at_once() -> None:
    await asyncio.wait_for(Turns().work(), 0.1)


async def test_a_request_that_gets_no_answer_holds_work_up_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slack_turns, "PATIENCE", 0.05)
    turns = Turns()
    with turns.answering():
        await asyncio.wait_for(turns.work(), 1)


async def test_an_answer_that_fails_lets_the_others_go_on() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"), turns.answering():
        raise ValueError("broken")
    await asyncio.wait_for(turns.work(), 0.1)

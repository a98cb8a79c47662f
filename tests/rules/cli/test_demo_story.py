"""The demo's list of steps: what has begun, what has ended, how long it took; from the ledger alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.cli.demo_display import Display
from countermand.cli.demo_story import Event, Story, tell
from countermand.ledger.bodies import CommsFailed
from countermand.playbook.model import Step
from tests import cases
from tests.rules.cli.told import ASK, BEGIN, PLAYBOOK, Told

WENT_BAD = BEGIN - timedelta(seconds=20)


def story(told: Told) -> Story:
    return tell(told.records, PLAYBOOK, WENT_BAD)


def ended(events: tuple[Event, ...]) -> int:
    """How many steps from the first on have ended."""
    return next((n for n, event in enumerate(events) if event.ended is None), len(events))


def test_before_anything_happens_every_step_is_listed_and_none_has_ended() -> None:
    before = tell([], PLAYBOOK, None)
    assert len(before.events) == 10
    assert all(event.began is None and event.ended is None for event in before.events)
    assert (before.pending_ask, before.over) == (None, False)


def test_steps_end_one_after_another_in_the_order_of_the_list() -> None:
    told = Told()
    counts = [ended(story(told).events)]
    for tell_on in (
        told.opened,
        told.asked,
        lambda: told.voted(cases.MARIA),
        lambda: told.voted(cases.JONAS),
        told.decided,
        *(lambda number=number: told.stage(number) for number in (1, 2, 3)),
        told.ended,
    ):
        tell_on()
        counts.append(ended(story(told).events))
    assert counts == [0, 1, 2, 3, 4, 4, 5, 6, 7, 10]
    assert story(told).over


def test_a_message_that_could_not_be_sent_ends_its_step_badly() -> None:
    told = Told()
    told.opened()
    *others, last = PLAYBOOK.audiences(Step.all_clear)
    told.add(CommsFailed(step="all_clear", audiences=tuple(others), why="the outbox is full"))
    assert story(told).events[-2].ended is None, "one audience has heard nothing yet"
    told.add(CommsFailed(step="all_clear", audiences=(last,), why="the outbox is full"))
    all_clear = story(told).events[-2]
    assert all_clear.ended is not None
    assert (all_clear.failed, all_clear.sentence) == (True, "the outbox is full")


def test_a_request_is_pending_until_it_is_decided() -> None:
    told = Told()
    told.opened()
    told.asked()
    assert story(told).pending_ask == ASK
    told.decided()
    assert story(told).pending_ask is None


def test_detection_is_timed_from_the_moment_it_went_bad() -> None:
    told = Told()
    told.opened()
    detected = story(told).events[0]
    assert (detected.began, detected.ended) == (WENT_BAD, BEGIN)


def test_on_a_pipe_each_step_is_one_line_when_it_begins_and_one_when_it_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display()
    told = Told()
    display.update(*story(told).events)
    told.opened()
    for _ in range(3):
        display.update(*story(told).events)
    display.footer("two people have to approve")
    display.footer("two people have to approve")
    display.close()
    lines = [line.partition("s] ")[2] or line for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "… detected: an incident is opened"
    assert lines[1].startswith("✓ detected: an incident is opened (20.0 s): hallucinations")
    assert lines[2:] == ["… evidence frozen, plan made, approval asked", "two people have to approve"]

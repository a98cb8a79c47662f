"""What the last look at the way back says now, with its age (TGT-18)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.ledger.bodies import DestinationChecked
from countermand.plan.readiness import EVERY, Readiness, readiness
from tests import fakes


async def said(*looks: bool | None, age: timedelta = timedelta()) -> Readiness:
    ledger = fakes.FakeLedger()
    for number, ready in enumerate(looks):
        body = DestinationChecked(target="fake", member="test-bot", ready=ready, sentence=f"look {number}.")
        await ledger.append(body.entry(f"look/{number}", "worker", release_id="r"))
    return readiness(await ledger.records(), fakes.now() + age)


async def test_a_way_back_that_nobody_looked_at_is_not_known_and_warned_of() -> None:
    found = await said()
    assert (found.word, found.at, found.warning) == ("unknown", None, "The way back was not looked at yet.")


@pytest.mark.parametrize(("ready", "word"), [(True, "ready"), (False, "not_ready"), (None, "unknown")])
async def test_the_newest_look_counts_and_only_an_open_way_back_warns_of_nothing(ready: bool | None, word: str) -> None:
    found = await said(not ready, ready, age=timedelta(minutes=12))
    assert (found.word, "look 1." in found.sentence, "12 minutes ago" in found.sentence) == (word, True, True)
    assert (found.warning == "") is (word == "ready")


async def test_a_look_that_is_too_old_says_nothing_any_more() -> None:
    found = await said(True, age=2 * EVERY + timedelta(minutes=1))
    assert found.word == "unknown"
    assert "says nothing any more" in found.warning

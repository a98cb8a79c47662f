"""How often a sandbox may start by itself, and what of it is in force."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from countermand.ledger.bodies import RolloutScheduled, RolloutSkipped
from countermand.ledger.record import parse_line
from countermand.rollout.schedule import Every, ScheduleView, schedule
from tests import fakes

EVERY = TypeAdapter[timedelta](Every)


@pytest.mark.parametrize("said", ["1h", "90m", "24h", "30d", "720h"])
def test_an_hour_to_thirty_days_is_accepted(said: str) -> None:
    assert timedelta(hours=1) <= EVERY.validate_python(said) <= timedelta(days=30)


@pytest.mark.parametrize("said", ["0s", "1ms", "3599s", "3600001ms", "721h", "31d", "400d"])
def test_less_more_or_finer_is_refused_with_what_is_accepted(said: str) -> None:
    with pytest.raises(ValidationError, match="write 1h to 30d, in whole seconds"):
        EVERY.validate_python(said)


async def told(*bodies: RolloutScheduled | RolloutSkipped) -> ScheduleView | None:
    ledger = fakes.FakeLedger()
    for number, body in enumerate(bodies):
        await ledger.append(body.entry(f"r/{number}", "worker", release_id="r"))
    return schedule([parse_line(line) for line in ledger.lines])


def every(hours: int | None) -> RolloutScheduled:
    span = timedelta(hours=hours) if hours else None
    return RolloutScheduled(environment="test", every=span, name="Lena Ortiz", sentence="So it is.")


SKIPPED = RolloutSkipped(rollout_id="rollout-1", sentence="Not started.")


async def test_the_newest_schedule_is_in_force_until_it_is_removed() -> None:
    assert await told() is None
    changed = await told(every(24), every(1))
    assert changed is not None
    assert changed.every == timedelta(hours=1)
    assert await told(every(24), every(None)) is None


async def test_what_was_left_out_is_said_as_long_as_the_schedule_is_the_same() -> None:
    left_out = await told(every(24), SKIPPED)
    assert left_out is not None
    assert left_out.skipped is not None
    assert left_out.skipped[1] == "Not started."
    changed = await told(every(24), SKIPPED, every(1))
    assert changed is not None
    assert changed.skipped is None
    assert await told(SKIPPED) is None

"""How a release goes forward: a small sandbox that ends by itself, and a ramp in steps (learning.md §6)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator

from countermand.playbook.health import Health
from countermand.playbook.terms import Fault, Faults, Strict
from countermand.playbook.units import BasisPoints, Duration, Positive, format_duration, format_percent, within

#: A lease that lasts longer leaves users with a candidate that nobody watches.
_LONGEST_LEASE = timedelta(minutes=10)


class Sandbox(Strict):
    """A small cohort for a short time; it always ends with the state from before."""

    share: Annotated[BasisPoints, within(1, 1_000)] = Field(
        description="Share of users that get the candidate, 10% or less: 1%."
    )
    time_limit: Positive = Field(description="After this time it goes back, whatever was seen: 30m.")
    lease: Positive = Field(
        description="The target itself goes back when the watcher is not heard of for so long, 10m or less: 30s."
    )
    without_asking: bool = Field(description="Whether it may start without a person, where the target caps it itself.")

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        faults = Faults()
        if self.lease > _LONGEST_LEASE:
            faults.add(f"{format_duration(self.lease)} is too long; write 10m or less", "lease")
        if self.lease >= self.time_limit:
            limit = format_duration(self.time_limit)
            faults.add(f"{format_duration(self.lease)} must be shorter than time_limit {limit}", "lease")
        faults.refuse()
        return self


class RampStep(Strict):
    """One larger share, and how it is left: upwards on positive evidence only."""

    share: Annotated[BasisPoints, within(1, 10_000)] = Field(description="Share of users that get the candidate: 5%.")
    at_least: Duration = Field(description="The next step never begins before this time, for example 10m.")
    time_limit: Positive = Field(
        description="Not shown to be healthy by then, it is held; after as long again without a decision it goes back."
    )

    @model_validator(mode="after")
    def _in_time(self) -> Self:
        if self.at_least >= self.time_limit:
            faults = Faults()
            least = format_duration(self.at_least)
            faults.add(f"{format_duration(self.time_limit)} must be longer than at_least {least}", "time_limit")
            faults.refuse()
        return self


class Rollout(Strict):
    """How releases of this service go forward."""

    sandbox: Sandbox | None = Field(None, description="A small cohort for a short time; it always goes back.")
    ramp: tuple[RampStep, ...] = Field((), description="Steps in rising order; each needs positive evidence.")

    @model_validator(mode="after")
    def _upwards(self) -> Self:
        faults = Faults()
        if self.sandbox is None and not self.ramp:
            faults.add("write `sandbox`, `ramp` or both")
        shares = [step.share for step in self.ramp]
        for i, (earlier, later) in enumerate(pairwise(shares), start=1):
            if later <= earlier:
                faults.add(
                    f"{format_percent(later)} after {format_percent(earlier)}: each step must be larger",
                    *("ramp", i, "share"),
                )
        faults.refuse()
        return self


def faults_of(rollout: Rollout, health: Health | None) -> Iterator[Fault]:
    """What no evidence can ever promote, with paths below `rollout`."""
    if health is None:
        yield (), "nothing goes forward without positive evidence; write `detection.health` as well"
        return
    limits: list[tuple[tuple[str | int, ...], timedelta]] = [
        (("ramp", i, "time_limit"), step.time_limit) for i, step in enumerate(rollout.ramp)
    ]
    if rollout.sandbox is not None:
        limits.append((("sandbox", "time_limit"), rollout.sandbox.time_limit))
    for place, limit in limits:
        if limit <= health.min_time:
            least = format_duration(health.min_time)
            yield place, f"{format_duration(limit)} must be longer than min_time {least} of `detection.health`"

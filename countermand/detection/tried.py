"""What a trial of criteria plants, and what it found."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from countermand.plan.target import Value


class Setting(Value):
    """What is planted. times, points: how much harm, None for what suits each criterion. `at`: when it begins.

    spike: length of the burst that must not fire, in which everything is `spike_times` as bad as usual.
    """

    times: float | None = None
    points: float | None = None
    at: timedelta = timedelta(0)
    spike_times: float = 10
    spike: timedelta


class CriterionTrial(Value):
    """One criterion of a trigger, harmed alone. Lengths are in blocks since the harm began.

    limit: what it accepts, as written. state: `found` in time, `late`, `silent`, `tolerated` (what was planted is no
    harm to it) or `untried`.
    alone: did its trigger fire by it alone. median, p95: the forecast; within: the most that keeps the promise.
    """

    signal: str
    limit: str
    state: Literal["found", "late", "silent", "tolerated", "untried"]
    planted: str | None = None
    after: int | None = None
    alone: bool = False
    median: int | None = None
    p95: int | None = None
    within: int | None = None
    why: str | None = None


class TriggerTrial(Value):
    """One trigger. together: blocks until it fires with all its signals harmed; None if it does not.

    clean, spike: blocks from the first row until it fired without harm, or because of the burst; None as promised.
    """

    trigger: str
    criteria: tuple[CriterionTrial, ...]
    together: int | None
    clean: int | None
    spike: int | None
    as_promised: bool
    sentence: str

"""What a block costs: the product, its vectorised twin, and peers in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from river.drift import ADWIN, PageHinkley
from scipy.stats import mannwhitneyu

from bench.detection.agreement import row
from bench.detection.rules.core import Twin
from bench.detection.scenarios import SCENARIOS, USUAL
from bench.detection.settings import recommended
from bench.detection.traffic import Traffic
from countermand.detection.watch import advance, start, step


@dataclass(frozen=True)
class Speed:
    """step, advance: µs per rate criterion and block. many, few: million signal-blocks a second of the twin at 10,000
    and at 100 signals. Windows a second of scipy's test; numbers a second of river's detectors."""

    step: float
    advance: float
    many: float
    few: float
    mann_whitney: float
    adwin: float
    page_hinkley: float


def measure_speed() -> Speed:
    """Best of three of each, one thread."""
    rule = recommended(USUAL)
    traffic = SCENARIOS["diurnal"].draw(0, 1)
    rows = [row(rule, traffic, minute, 0) for minute in range(480)]

    def steps() -> None:
        state = start(rule)
        for one in rows:
            state, _ = step(rule, state, one)

    def advances() -> None:
        state = start(rule)
        for one in rows:
            state = advance(rule, state, one)

    rng = np.random.default_rng(1)
    windows = rng.binomial(1_000, USUAL, (200, 2, 60)).astype(float)
    numbers = [float(number) for number in rng.standard_normal(20_000)]

    def tests() -> None:
        for candidate, baseline in windows:
            mannwhitneyu(candidate, baseline)

    def stream(detector: ADWIN | PageHinkley) -> None:
        for number in numbers:
            detector.update(number)

    return Speed(
        step=_best(steps) / len(rows) * 1e6,
        advance=_best(advances) / len(rows) * 1e6,
        many=_twin(10_000, minutes=40),
        few=_twin(100, minutes=1_000),
        mann_whitney=len(windows) / _best(tests),
        adwin=len(numbers) / _best(lambda: stream(ADWIN())),
        page_hinkley=len(numbers) / _best(lambda: stream(PageHinkley())),
    )


def _twin(signals: int, minutes: int) -> float:
    rng, rule = np.random.default_rng(2), recommended(USUAL)
    traffic = Traffic(
        candidate_bad=rng.binomial(1_000, USUAL, (minutes, signals)).astype(float),
        baseline_bad=rng.binomial(1_000, USUAL, (minutes, signals)).astype(float),
        candidate=1_000,
        baseline=1_000,
        known=np.ones((minutes, 1), bool),
        usual=USUAL,
        excess=np.zeros((minutes, signals)),
    )

    def run() -> None:
        twin = Twin(rule, signals)
        for _ in range(minutes):
            twin.advance(traffic)

    return signals * minutes / _best(run) / 1e6


def _best(run: Callable[[], None]) -> float:
    elapsed = []
    for _ in range(3):
        began = time.perf_counter()
        run()
        elapsed.append(time.perf_counter() - began)
    return min(elapsed)

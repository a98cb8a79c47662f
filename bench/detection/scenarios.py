"""Harmless days that tempt a rule to fire, and harm that it should find (detection.md §13, §16)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.detection.traffic import DAY, Bools, Floats, Traffic

SEED = 20_260_301
USUAL = 0.005
LATE = 300


@dataclass(frozen=True)
class Spikes:
    """Bursts at random minutes: `times` the usual rate for 1 to `longest` minutes."""

    times: float
    longest: int
    per_day: int
    shared: bool = False


@dataclass(frozen=True)
class Scenario:
    """One kind of day.

    factor: bad rate of the candidate over the baseline's. begin: minute at which it starts. rise: minutes over which it
    is reached. harm: should a rule fire? tolerated: is the candidate worse, though within our tolerance of 1.2 times?
    noise: coefficient of variation of the rate, per arm and minute. unknown: share of minutes without data.
    """

    name: str
    meaning: str
    factor: float = 1.0
    begin: int = 0
    rise: int = 0
    diurnal: bool = True
    spikes: Spikes | None = None
    noise: float = 0.0
    unknown: float = 0.0
    candidate: int = 1_000
    baseline: int = 1_000
    usual: float = USUAL
    harm: bool = False

    @property
    def tolerated(self) -> bool:
        return not self.harm and self.factor > 1

    def draw(self, chunk: int, watches: int) -> Traffic:
        """The same traffic for the same chunk number, whoever asks."""
        rng = np.random.default_rng([SEED, *self.name.encode(), chunk])
        minute = np.arange(DAY)[:, None]
        # Each release begins at its own time of day.
        hour = 2 * np.pi * (minute / DAY + rng.random(watches))
        baseline = self.usual * (1 + 0.5 * np.sin(hour)) if self.diurnal else np.full((DAY, watches), self.usual)
        factor = 1 + (self.factor - 1) * np.clip((minute - self.begin + 1) / max(self.rise, 1), 0, 1)
        candidate = baseline * factor
        excess = self.candidate * (candidate - baseline)
        if self.spikes:
            burst = _bursts(rng, self.spikes, watches)
            candidate = candidate * burst
            baseline = baseline * burst if self.spikes.shared else baseline
        if self.noise:
            shape = 1 / self.noise**2
            candidate = candidate * rng.gamma(shape, 1 / shape, (DAY, watches))
            baseline = baseline * rng.gamma(shape, 1 / shape, (DAY, watches))
        known: Bools = rng.random((DAY, watches)) >= self.unknown if self.unknown else np.ones((DAY, 1), bool)
        return Traffic(
            candidate_bad=rng.binomial(self.candidate, np.minimum(candidate, 0.95)) * known.astype(float),
            baseline_bad=rng.binomial(self.baseline, np.minimum(baseline, 0.95)) * known.astype(float),
            candidate=self.candidate,
            baseline=self.baseline,
            known=known,
            usual=self.usual,
            excess=excess,
        )


def _bursts(rng: np.random.Generator, spikes: Spikes, watches: int) -> Floats:
    factors = np.ones((DAY, watches))
    column = np.arange(watches)
    for _ in range(spikes.per_day):
        begin, lasts = rng.integers(0, DAY, watches), rng.integers(1, spikes.longest + 1, watches)
        for offset in range(spikes.longest):
            hit = (offset < lasts) & (begin + offset < DAY)
            factors[(begin + offset)[hit], column[hit]] = spikes.times
    return factors


STRESS = (
    Scenario("flat", "no daily pattern", diurnal=False),
    Scenario(
        "diurnal",
        "± 50 % over the day on both arms, from a random time of day on; so in all that follow",
    ),
    Scenario("shared spikes", "×10 for 1–2 minutes, 4 a day, on both arms", spikes=Spikes(10, 2, 4, shared=True)),
    Scenario("canary spikes ×10", "×10 for 1–2 minutes, 4 a day, on the candidate alone", spikes=Spikes(10, 2, 4)),
    Scenario("canary spikes ×20", "×20 for 1–3 minutes, 3 a day, on the candidate alone", spikes=Spikes(20, 3, 3)),
    Scenario("harmless 1.1x", "the candidate is 1.1 times as bad: within a tolerance of 1.2", factor=1.1),
    Scenario("noise .3", "each arm's rate varies by 30 % from minute to minute, on its own", noise=0.3),
    Scenario("noise .6", "the same by 60 %", noise=0.6),
    Scenario("boundary 1.2x", "the candidate is exactly as bad as a tolerance of 1.2 allows", factor=1.2),
    Scenario("20 % unknown", "one minute in five has no data", unknown=0.2),
    Scenario("5:95 traffic", "the candidate gets 100 of 2,000 outputs a minute", candidate=100, baseline=1_900),
    Scenario("base 30 %", "a usual bad rate of 30 %", usual=0.3),
)

HARM = (
    *(
        Scenario(
            f"{factor:g}x" if begin == 0 else f"{factor:g}x late",
            f"{factor:g} times as bad " + ("from the first minute" if begin == 0 else f"from minute {begin} on"),
            factor=factor,
            begin=begin,
            harm=True,
        )
        for begin in (0, LATE)
        for factor in (1.5, 2, 3, 5)
    ),
    Scenario("ramp to 3x", "rises to 3 times as bad within two hours", factor=3, rise=120, harm=True),
)

SCENARIOS = {scenario.name: scenario for scenario in STRESS + HARM}

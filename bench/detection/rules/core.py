"""The rate criterion of `countermand.detection` for many watches at once, in numpy.

It follows `watch.advance` step by step, with the same rounding to micronats, so that the evidence of a whole day agrees
to 1e-4 nats; `bench.detection.agreement` checks that in every run. Evidence beyond 600 nats is not counted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.detection.settings import as_shipped, recommended
from bench.detection.traffic import Bools, Floats, Traffic
from countermand.detection.criterion_rules import ToleranceRule
from countermand.detection.evalue import MICRO, ODDS
from countermand.detection.guesses import CLUSTERED, MIN_DIFFERENCES, seed_guess
from countermand.detection.rule import Rule

_ODDS = np.array(ODDS)[:, None]
_TOP = 600.0 * MICRO


class Twin:
    """The state of many watches of one Rule whose criteria are rates of one signal."""

    def __init__(self, rule: Rule, watches: int) -> None:
        self.t = 0
        self.fired: Bools = np.zeros(watches, bool)
        self._rule = rule
        rates = [criterion for criterion in rule.criteria if isinstance(criterion, ToleranceRule)]
        self._memory = _Memory(rates[0], watches)
        self._lanes = [_Evidence(rule, place, criterion, watches) for place, criterion in enumerate(rates)]

    def advance(self, traffic: Traffic) -> Bools:
        """Judges the next minute of `traffic`; which watches have fired so far."""
        known = traffic.known[self.t]
        candidate_bad, baseline_bad = traffic.candidate_bad[self.t], traffic.baseline_bad[self.t]
        guess = self._memory.guess()
        measured = self._memory.measured(self._rule.assumed_dispersion)
        for lane in self._lanes:
            lane.stake(self.t)
            lane.add(candidate_bad, baseline_bad, traffic.candidate, traffic.baseline, guess, measured, known)
            self.fired |= lane.fires()
        self._memory.learn(baseline_bad, traffic.baseline, known)
        self.t += 1
        return self.fired

    def micronats(self) -> Floats:
        """Evidence of the main lane per watch."""
        return self._lanes[0].micronats()


class _Memory:
    """Guess of the baseline's rate and its dispersion, in the integers of `countermand.detection.guesses`."""

    def __init__(self, criterion: ToleranceRule, watches: int) -> None:
        if criterion.expect is None:
            raise ValueError(f"{criterion.signal!r} has no `expect`; a rule that states the usual rate is accepted")
        numerator, denominator = seed_guess(criterion.expect)
        self._bad = np.full(watches, float(numerator))
        self._scored = np.full(watches, float(denominator))
        self._squares, self._variances = np.zeros(watches), np.zeros(watches)
        self._differences: NDArray[np.int64] = np.zeros(watches, np.int64)
        self._before = np.zeros(watches)
        self._has_before: Bools = np.zeros(watches, bool)

    def guess(self) -> Floats:
        found: Floats = self._bad / self._scored
        return found

    def measured(self, assumed: float) -> Floats:
        enough = (self._differences >= MIN_DIFFERENCES) & (self._variances > 0)
        return np.divide(self._squares, self._variances, out=np.full_like(self._bad, assumed), where=enough)

    def learn(self, bad: Floats, scored: int, known: Bools) -> None:
        rate = bad / scored
        pair = known & self._has_before
        square = np.rint((rate - self._before) ** 2 * 1e12)
        variance = np.rint(((self._before * (1 - self._before)) / scored + rate * (1 - rate) / scored) * 1e12)
        self._squares = np.where(pair, np.floor(self._squares * 119 / 120) + square, self._squares)
        self._variances = np.where(pair, np.floor(self._variances * 119 / 120) + variance, self._variances)
        self._differences += pair
        self._bad = np.where(known, np.floor(self._bad * 29 / 30) + bad * MICRO, self._bad)
        self._scored = np.where(known, np.floor(self._scored * 29 / 30) + scored * MICRO, self._scored)
        self._before = rate
        self._has_before = np.broadcast_to(known, rate.shape)


class _Evidence:
    """S of the seven bets of one criterion, one column per watch."""

    def __init__(self, rule: Rule, place: int, criterion: ToleranceRule, watches: int) -> None:
        lane = rule.lane_of(place, 0)
        self._rule, self._cap, self._limit, self._zero = rule, lane.cap, lane.limit, criterion.zero
        self._ratio, self._absolute = criterion.line
        self._s = np.zeros((len(ODDS), watches))
        self._work = [np.empty_like(self._s) for _ in range(4)]
        self._spare = np.empty_like(self._s)

    def stake(self, t: int) -> None:
        """Log-adds the mass of row t."""
        s, weight = self._s, float(self._rule.later_weight)
        if t == 0:
            s.fill(self._rule.first_weight)
            return
        s -= weight
        s /= MICRO
        np.exp(s, out=s)
        np.log1p(s, out=s)
        s *= MICRO
        np.floor(s, out=s)
        s += weight

    def add(self, x_c: Floats, x_t: Floats, n_c: int, n_t: int, guess: Floats, measured: Floats, known: Bools) -> None:
        """Adds the tempered, capped gain of one block; in place, because moving memory is most of the cost.

        In the words of `countermand.detection.evalue`: loss_t = λt(1 − m), loss_c = λc·a, stake = λt.
        """
        ratio, absolute = self._ratio, self._absolute
        m, loss_t, loss_c, stake = self._work
        b = np.clip(guess, 1e-6, 1 - 1e-6)
        usual = np.clip(ratio * b + absolute, 1e-6, 1 - 1e-6)
        np.multiply(_ODDS, usual / (1 - usual), out=m)
        np.add(m, 1, out=stake)
        m /= stake
        m *= n_c
        m += n_t * b - n_c * absolute
        m /= ratio * n_c + n_t
        low, high = max(1e-9, (1e-9 - absolute) / ratio), min(1 - 1e-9, (1 - 1e-9 - absolute) / ratio)
        np.clip(m, low, high, out=m)
        np.subtract(m, b, out=loss_t)
        np.maximum(loss_t, 0, out=loss_t)
        loss_t /= m
        np.subtract(1, m, out=stake)
        np.divide(loss_t, stake, out=stake)
        per_candidate = n_t / (ratio * n_c)
        np.multiply(m, per_candidate * ratio, out=loss_c)
        if absolute:
            loss_c += per_candidate * absolute
        loss_c *= stake
        np.maximum(loss_t, loss_c, out=m)
        np.maximum(m, 0.95, out=m)
        np.divide(0.95, m, out=m)
        loss_t *= m
        loss_c *= m
        stake *= m
        # From here on: logarithms of what one bad or one good output of each arm multiplies the stake with.
        good_c, bad_t = np.subtract(1, loss_c, out=m), np.subtract(1, loss_t, out=self._spare)
        np.subtract(stake, loss_t, out=loss_t)
        good_t = np.add(loss_t, 1, out=loss_t)
        stake *= per_candidate
        np.subtract(stake, loss_c, out=loss_c)
        bad_c = np.add(loss_c, 1, out=loss_c)
        for factor in (good_c, bad_c, good_t, bad_t):
            np.log(factor, out=factor)
        bad_c *= x_c
        good_c *= n_c - x_c
        bad_t *= x_t
        good_t *= n_t - x_t
        bad_c += good_c
        bad_t += good_t
        gain = np.add(bad_c, bad_t, out=bad_c)
        gain *= MICRO / self._phi(measured)
        np.floor(gain, out=gain)
        np.minimum(gain, self._cap, out=gain)
        if not known.all():
            gain *= known
        self._s += gain
        np.minimum(self._s, _TOP, out=self._s)

    def fires(self) -> Bools:
        """Which watches hold enough evidence now. The mean of the bets is at most the largest."""
        near: Bools = np.any(self._s >= self._limit, axis=0)
        if near.any():
            near[near] = _log_mean(self._s[:, near]) >= self._limit
        return near

    def micronats(self) -> Floats:
        return _log_mean(self._s)

    def _phi(self, measured: Floats) -> Floats:
        if self._zero:
            return np.minimum(CLUSTERED * np.maximum(1.0, measured), 20.0)
        return np.where(measured > CLUSTERED, np.minimum(measured, 20.0), 1.0)


def _log_mean(s: Floats) -> Floats:
    top = s.max(axis=0)
    found: Floats = top + np.floor(np.log(np.exp((s - top) / MICRO).sum(axis=0) / len(s)) * MICRO)
    return found


def countermand(traffic: Traffic) -> Floats:
    """The core with the recommended settings (detection.md §9)."""
    return _fires(recommended(traffic.usual), traffic)


def countermand_as_shipped(traffic: Traffic) -> Floats:
    """The core with the settings of a playbook that states its tolerance alone."""
    return _fires(as_shipped(traffic.usual), traffic)


def _fires(rule: Rule, traffic: Traffic) -> Floats:
    twin, found = Twin(rule, traffic.watches), np.full(traffic.watches, np.inf)
    for minute in range(len(traffic.candidate_bad)):
        fired = twin.advance(traffic)
        found[fired & np.isinf(found)] = minute + 1
    return found

"""A stranger with the rows and the design sheet, and without our evaluator, finds the same instants (LRN-7, LRN-9)."""

from __future__ import annotations

import math

import pytest

from countermand.learning.feeding import fed
from tests.rules.learning import pasts

ODDS = (1.06, 1.15, 1.3, 1.6, 2.2, 3.5, 7.0)
U = 10**6


def bets(xc, nc, xt, nt, guess, ratio):
    """ln E of §4.2, ε = 0."""
    found, o = [], ratio * guess / (1 - ratio * guess)
    for odds in ODDS:
        theta = odds * o / (1 + odds * o)
        m = (nc * theta + nt * guess) / (ratio * nc + nt)
        m = max(1e-9 / ratio, min(m, (1 - 1e-9) / ratio, 1 - 1e-9))
        a = ratio * m
        lt = max(m - guess, 0) / (m * (1 - m))
        lc = nt * lt / (ratio * nc)
        shrink = min(1, 0.95 / max(lt * (1 - m), lc * a, 1e-300))
        lt, lc = lt * shrink, lc * shrink
        found.append(
            xc * math.log1p(lc * (1 - a))
            + (nc - xc) * math.log1p(-lc * a)
            + xt * math.log1p(-lt * (1 - m))
            + (nt - xt) * math.log1p(lt * m)
        )
    return found


def fires(rows, expect, ratio, alpha, sustain, watch):
    """§5.1 for one lane, with the guesses and the dispersion of §4.7: the end of the block that fires, or None."""
    cap = math.floor(math.log(1 / (0.5 * alpha)) / sustain * U)
    num, den = 10 * U, round(10 * U / expect)
    squares, variances, count, before = 0, 0, 0, None
    evidence = None
    for t, row in enumerate(rows):
        arms = {block.arm.value: block for block in row.blocks}
        xc, nc, xt, nt = (n for arm in ("candidate", "baseline") for n in (arms[arm].bad, arms[arm].scored))
        w = math.floor(math.log(0.5 + 0.5 / watch if t == 0 else 0.5 / watch) * U)
        known = nc and nt and arms["candidate"].state == arms["baseline"].state == "ok"
        base = (
            [w] * 7
            if evidence is None
            else [math.floor(math.log(math.exp(s / U) + math.exp(w / U)) * U) for s in evidence]
        )
        if known:
            phi = squares / variances if count >= 30 else 1.0
            phi = min(phi if phi > 1.25 else 1.0, 20)
            gains = [min(math.floor(g / phi * U), cap) for g in bets(xc, nc, xt, nt, num / den, ratio)]
            base = [s + g for s, g in zip(base, gains, strict=True)]
        evidence = base
        if nt:
            now = (xt / nt, xt / nt * (1 - xt / nt) / nt)
            if before:
                squares = squares * 119 / 120 + (now[0] - before[0]) ** 2
                variances = variances * 119 / 120 + now[1] + before[1]
                count += 1
            num, den, before = num * 29 // 30 + xt * U, den * 29 // 30 + nt * U, now
        if math.log(sum(math.exp(s / U) for s in evidence) / 7) >= math.log(1 / alpha):
            return row.start + row.block
    return None


PAST = [
    pasts.incident("clear", part=0.06),
    pasts.incident("doubled", part=0.02),
    pasts.incident("faint", part=0.011, count=500, effect_at=480),
    pasts.incident("from-the-start", part=0.03, harm_at=1),
    pasts.incident("nothing-to-see", part=0.0),
]


@pytest.mark.parametrize("ratio", ["1.2", "1.5", "2"])
def test_an_independent_recount_fires_at_the_same_instants(ratio):
    report = pasts.backtest(pasts.playbook("1.5"), pasts.playbook(ratio, 2), PAST)
    found = {row.episode_id: row.proposed.at for row in report.incidents}
    for episode, rows in PAST:
        seen = list(fed(episode, rows))
        main = fires(seen, 0.02, float(ratio), 0.008, 5, 600)
        severe = fires(seen, 0.02, 3.0, 0.002, 3, 600)
        assert found[episode.episode_id] == min((at for at in (main, severe) if at), default=None)
    assert found["clear"] is not None
    assert found["nothing-to-see"] is None

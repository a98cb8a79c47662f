"""From an incident to an adopted threshold and the watch that uses it, with a stranger's recount of its backtest."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from countermand.cli.demo_display import Display
from countermand.learning.episode_file import read
from countermand.learning.feeding import fed
from examples.learning.command import Example
from examples.learning.proof import proofs
from examples.learning.story import LOOSER

pytestmark = pytest.mark.xdist_group("learning")

ODDS = (1.06, 1.15, 1.3, 1.6, 2.2, 3.5, 7.0)
U = 10**6


def bets(xc: int, nc: int, xt: int, nt: int, guess: float, ratio: float) -> list[float]:
    """ln E of detection.md §4.2 for rates, one per alternative."""
    usual = ratio * guess / (1 - ratio * guess)
    found = []
    for odds in ODDS:
        theta = odds * usual / (1 + odds * usual)
        m = (nc * theta + nt * guess) / (ratio * nc + nt)
        m = max(1e-9 / ratio, min(m, (1 - 1e-9) / ratio, 1 - 1e-9))
        lt = max(m - guess, 0) / (m * (1 - m))
        lc = nt * lt / (ratio * nc)
        shrink = min(1, 0.95 / max(lt * (1 - m), lc * ratio * m, 1e-300))
        up, down = lc * shrink, lt * shrink
        found.append(
            xc * math.log1p(up * (1 - ratio * m))
            + (nc - xc) * math.log1p(-up * ratio * m)
            + xt * math.log1p(-down * (1 - m))
            + (nt - xt) * math.log1p(down * m)
        )
    return found


def fires(rows, signal: str, expect: float, ratio: float, watch: int) -> object:  # type: ignore[no-untyped-def]
    """The end of the block in which the trigger of this signal fires by §4.2, §4.7 and §5.1, or None.

    α is half of 0.01, and harm has to last three blocks.
    """
    alpha, sustain = 0.005, 3
    cap = math.floor(math.log(1 / (0.5 * alpha)) / sustain * U)
    num, den = 10 * U, round(10 * U / expect)
    squares, variances, count, before = 0.0, 0.0, 0, None
    evidence: list[int] = []
    for t, row in enumerate(rows):
        arms = {block.arm.value: block for block in row.blocks if block.signal == signal}
        xc, nc, xt, nt = (n for arm in ("candidate", "baseline") for n in (arms[arm].bad, arms[arm].scored))
        weight = math.floor(math.log(0.5 * (t == 0) + 0.5 / watch) * U)
        evidence = (
            [math.floor(math.log(math.exp(s / U) + math.exp(weight / U)) * U) for s in evidence]
            if evidence
            else [weight] * len(ODDS)
        )
        if nc and nt:
            phi = squares / variances if count >= 30 else 1.0
            phi = min(phi if phi > 1.25 else 1.0, 20)
            gains = bets(xc, nc, xt, nt, num / den, ratio)
            evidence = [s + min(math.floor(g / phi * U), cap) for s, g in zip(evidence, gains, strict=True)]
        if nt:
            now = (xt / nt, xt / nt * (1 - xt / nt) / nt)
            if before:
                squares = squares * 119 / 120 + (now[0] - before[0]) ** 2
                variances = variances * 119 / 120 + now[1] + before[1]
                count += 1
            num, den, before = num * 29 // 30 + xt * U, den * 29 // 30 + nt * U, now
        if math.log(sum(math.exp(s / U) for s in evidence) / len(ODDS)) >= math.log(1 / alpha):
            return row.start + row.block
    return None


@pytest.mark.timeout(300)
async def test_lrn_9_from_the_incident_to_the_watch_that_uses_the_new_threshold(tmp_path: Path) -> None:
    display = Display()
    evidence = await Example(tmp_path / "data", display, LOOSER).run()
    assert [proof.claim for proof in proofs(evidence) if not proof.holds] == []
    (changed,) = evidence.changed
    report, detection = changed.report, evidence.playbook.detection
    past = {one.stem.removesuffix(".episode"): read(one) for one in (tmp_path / "data" / "episodes").iterdir()}
    compared = 0
    for found in report.incidents:
        if found.episode_id not in past:
            continue
        rows = list(fed(*past[found.episode_id]))
        truth = fires(rows, "hallucinations", 0.02, 1.5, detection.watch_blocks)
        for side, ratio in ((found.current, 1.2), (found.proposed, float(LOOSER.value))):
            refused = fires(rows, "refusals", 0.03, ratio, detection.watch_blocks)
            expected = min((at for at in (truth, refused) if at is not None), default=None)  # type: ignore[type-var]
            assert side.at == expected, found.episode_id
            compared += 1
    assert compared == 2 * 7
    assert len(report.quiet) == 14

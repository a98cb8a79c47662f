"""How often it is wrong and how fast it is right: simulated traffic, fixed seeds (DET §15, rows 3, 4, 8, 11).

200 watches per cell; the numbers hold for a watch whose dispersion is known to be 1.
"""

from __future__ import annotations

from statistics import median

import pytest

from countermand.detection.watch import advance, start

WATCHES = 200
N, USUAL = 1000, 0.005


def blocks_to_fire(bench, rule, rows):
    """Rows until the trigger fires, or None."""
    state = start(rule)
    for row in rows:
        state = advance(rule, state, row)
        if state.latched_at is not None:
            return state.rows
    return None


def flat(bench, traffic, factor, length, dark=0.0):
    for seq in range(length):
        if traffic.draw.random() < dark:
            yield bench.dark(seq)
        else:
            yield bench.counted(seq, (traffic.bad(N, factor * USUAL), N), (traffic.bad(N, USUAL), N))


def delays(bench, rule, factor, length=300, dark=0.0, watches=WATCHES):
    traffic = bench.traffic(2026)
    found = [blocks_to_fire(bench, rule, flat(bench, traffic, factor, length, dark)) for _ in range(watches)]
    return [length + 1 if blocks is None else blocks for blocks in found]


@pytest.mark.parametrize("alpha", ["0.008", "0.01"])
@pytest.mark.parametrize(("factor", "at_most"), [(2, 21), (3, 9), (5, 7)])
def test_real_harm_is_found_within_the_promised_blocks(bench, alpha, factor, at_most):
    rule = bench.rule(false_alarms={"per_release": alpha, "reserve": "0"})
    assert median(delays(bench, rule, factor)) <= at_most


def test_one_unknown_row_in_five_delays_but_does_not_blind(bench):
    assert median(delays(bench, bench.rule(), 2, dark=0.2)) <= 27


def test_five_points_more_are_found_at_a_base_rate_of_thirty_percent(bench):
    rule = bench.rule(
        [{"id": "accuracy", "any": [{"signal": "accuracy", "tolerate": {"absolute": "0.02"}}]}],
        signals={"accuracy": {"bad": "lower", "expect": "0.7"}},
    )
    traffic = bench.traffic(7)
    found = [
        blocks_to_fire(
            bench,
            rule,
            (
                bench.counted(seq, (traffic.bad(200, 0.35), 200), (traffic.bad(200, 0.3), 200), "accuracy")
                for seq in range(200)
            ),
        )
        for _ in range(60)
    ]
    assert median(blocks or 201 for blocks in found) <= 43


def test_false_alarms_stay_within_alpha_at_the_very_edge_of_the_tolerance(bench):
    rule = bench.rule(watch="5h", false_alarms={"per_release": "0.05", "reserve": "0"})
    fired = sum(blocks <= 300 for blocks in delays(bench, rule, factor=1.2))
    assert fired <= 0.05 * WATCHES


def test_bursts_shorter_than_the_sustain_time_do_not_fire(bench):
    rule, traffic, fired = bench.rule(), bench.traffic(11), 0
    for _ in range(100):
        burst = traffic.draw.randrange(0, 200)
        rows = []
        for seq in range(210):
            rate = USUAL * (20 if burst <= seq < burst + 2 else 1)
            rows.append(bench.counted(seq, (traffic.bad(N, rate), N), (traffic.bad(N, USUAL), N)))
        fired += blocks_to_fire(bench, rule, rows) is not None
    assert fired <= 1

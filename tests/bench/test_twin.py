"""The vectorised twin judges as the product does: the same evidence after every row, the same row that fires."""

from __future__ import annotations

import numpy as np
import pytest

from bench.detection import agreement
from bench.detection.rules.core import Twin, countermand
from bench.detection.scenarios import SCENARIOS
from bench.detection.settings import as_shipped, recommended
from countermand.detection.watch import start, step

NATS = 1e-4


@pytest.mark.parametrize("build", [recommended, as_shipped])
@pytest.mark.parametrize(
    "name", ["diurnal", "noise .6", "20 % unknown", "5:95 traffic", "base 30 %", "canary spikes ×20", "1.5x"]
)
def test_the_twin_holds_the_evidence_of_the_product(build, name):
    scenario = SCENARIOS[name]
    assert agreement.furthest(build(scenario.usual), scenario, watches=2, minutes=200) <= NATS


def test_the_twin_fires_in_the_row_in_which_step_says_trigger():
    scenario, watches = SCENARIOS["3x"], 5
    traffic, rule = scenario.draw(3, watches), recommended(scenario.usual)
    fired = countermand(traffic)
    for watch in range(watches):
        state, verdict, minute = start(rule), None, 0
        while verdict is None or verdict.word != "trigger":
            state, verdict = step(rule, state, agreement.row(rule, traffic, minute, watch))
            minute += 1
        assert fired[watch] == minute


def test_a_twin_of_another_rule_is_found_out(monkeypatch):
    monkeypatch.setattr(agreement, "Twin", lambda _, watches: Twin(as_shipped(0.005), watches))
    scenario = SCENARIOS["diurnal"]
    assert agreement.furthest(recommended(0.005), scenario, watches=1, minutes=60) > NATS


def test_evidence_far_beyond_firing_stays_finite():
    traffic = SCENARIOS["5x"].draw(0, 2)
    twin = Twin(recommended(0.005), 2)
    for _ in range(1_000):
        twin.advance(traffic)
    assert np.isfinite(twin.micronats()).all()

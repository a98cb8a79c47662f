"""The simulated days are what the page says they are."""

from __future__ import annotations

import pytest

from bench.detection.scenarios import HARM, LATE, SCENARIOS, STRESS
from bench.detection.traffic import DAY


@pytest.mark.parametrize("name", ["canary spikes ×10", "noise .3", "20 % unknown"])
def test_a_chunk_is_the_same_traffic_whoever_draws_it(name):
    one, same, other = (SCENARIOS[name].draw(chunk, 4) for chunk in (1, 1, 2))
    assert (one.candidate_bad == same.candidate_bad).all()
    assert (one.candidate_bad != other.candidate_bad).any()


@pytest.mark.parametrize("scenario", STRESS, ids=lambda scenario: scenario.name)
def test_harmless_days_have_the_stated_rates(scenario):
    traffic = scenario.draw(0, 40)
    share = traffic.baseline_bad.sum() / (traffic.baseline * traffic.known.mean() * DAY * 40)
    spikes = 1 + (4 * 1.5 * 9 / DAY if scenario.name == "shared spikes" else 0)
    assert share == pytest.approx(scenario.usual * spikes, rel=0.04)
    if scenario.spikes is None:
        ratio = traffic.candidate_bad.sum() / traffic.candidate / (traffic.baseline_bad.sum() / traffic.baseline)
        assert ratio == pytest.approx(scenario.factor, rel=0.05)


def test_spikes_hit_the_stated_minutes_of_the_stated_arms():
    traffic = SCENARIOS["canary spikes ×20"].draw(0, 50)
    high = traffic.candidate_bad > 50
    assert 3 * 0.8 <= high.sum(axis=0).mean() <= 3 * 3
    assert (traffic.baseline_bad < 50).all()
    shared = SCENARIOS["shared spikes"].draw(0, 50)
    both = (shared.candidate_bad > 25) & (shared.baseline_bad > 25)
    assert both.sum() > 100


def test_a_day_begins_at_any_hour():
    first = SCENARIOS["diurnal"].draw(0, 500).baseline_bad[:60].mean(axis=0)
    assert first.min() < 3
    assert first.max() > 7


def test_harm_begins_when_it_should_and_what_it_adds_is_counted():
    traffic = SCENARIOS["3x late"].draw(0, 60)
    before, after = traffic.candidate_bad[:LATE], traffic.candidate_bad[LATE:]
    assert before.mean() == pytest.approx(traffic.baseline_bad[:LATE].mean(), rel=0.05)
    assert after.mean() == pytest.approx(3 * traffic.baseline_bad[LATE:].mean(), rel=0.05)
    assert (traffic.excess[:LATE] == 0).all()
    seen = (traffic.candidate_bad - traffic.baseline_bad).sum()
    assert traffic.excess.sum() == pytest.approx(seen, rel=0.03)


def test_a_ramp_reaches_its_top_after_two_hours():
    excess = SCENARIOS["ramp to 3x"].draw(0, 200).excess.mean(axis=1)
    assert excess[59] == pytest.approx(1.0 * 5, rel=0.15)
    assert excess[119] == pytest.approx(2.0 * 5, rel=0.15)


def test_every_scenario_has_a_name_of_its_own():
    assert len(SCENARIOS) == len(STRESS) + len(HARM) == 21

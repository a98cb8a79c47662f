"""A stranger who has the rows comes to the same answers (DET-36, DET-37, §15 row 7)."""

from __future__ import annotations

import math

import pytest

from countermand.detection import evalue, forecast, moments
from countermand.detection.kinds import categories
from countermand.detection.models import Verdict
from countermand.detection.state import State
from countermand.detection.watch import start, step


def day(bench, seed, rows):
    """Harmless, then worse, with gaps."""
    traffic = bench.traffic(seed)
    worse = traffic.draw.choice((1, 1.2, 1.5, 2, 3))
    for seq in range(rows):
        rate = 0.005 if seq < rows // 3 else 0.005 * worse
        row = bench.counted(seq, (traffic.bad(1000, rate), 1000), (traffic.bad(900, 0.005), 900))
        yield bench.dark(seq) if traffic.draw.random() < 0.05 else row


@pytest.fixture(scope="module")
def watches(bench, full):
    count, rows = (200, 1440) if full else (25, 240)
    return [list(day(bench, seed, rows)) for seed in range(count)]


def judged(rule, rows):
    """States and words after every row; the records are a function of these."""
    state = start(rule)
    for row in rows:
        state, verdict = step(rule, state, row)
        yield state, verdict.word


def test_the_same_rows_give_the_same_bytes_even_if_every_state_was_stored_and_read(bench, watches):
    rule = bench.rule()
    for rows in watches:
        state, stored = start(rule), start(rule)
        for row in rows:
            state, verdict = step(rule, state, row)
            stored, again = step(rule, State.model_validate_json(stored.model_dump_json()), row)
            assert stored.model_dump_json() == state.model_dump_json()
        # The record is a function of rule, state and row, which were equal: the last of each watch is enough.
        assert again.model_dump_json() == verdict.model_dump_json()
        assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


def test_a_platform_whose_logarithms_differ_in_the_last_bit_keeps_states_and_verdicts(bench, watches, monkeypatch):
    """Every libm result is moved by one unit in the last place, at random: at most one state may differ, no verdict."""
    rule = bench.rule(dispersion="1.5")
    exact = [list(judged(rule, rows)) for rows in watches]
    draw = bench.traffic(88).draw

    def shaken(true):
        # Results that are whole numbers are exact everywhere: e⁰ and ln 1.
        return lambda x: y if (y := true(x)) in (0, 1) else math.nextafter(y, draw.choice((-math.inf, math.inf)))

    for module in (evalue, moments, categories, forecast):
        for name in ("log", "log1p", "exp"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, shaken(getattr(math, name)))
    shaky = [list(judged(rule, rows)) for rows in watches]
    assert [[word for _, word in one] for one in shaky] == [[word for _, word in one] for one in exact]
    differ = [
        [(ours, theirs) for (ours, _), (theirs, _) in zip(mine, others, strict=True) if ours != theirs]
        for mine, others in zip(exact, shaky, strict=True)
    ]
    # A difference stays in all later states of its watch.
    assert sum(bool(one) for one in differ) <= 1
    assert all(abs(ours.micronats - theirs.micronats) <= 2 * ours.rows for one in differ for ours, theirs in one)

"""The sentences, read aloud (DET-32, DET-35)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.detection.figures import count, odds, per_10000, rate, span, spoken_odds
from countermand.detection.models import Arm

HARM = ((41, 812), (12, 804))


def test_a_trigger_says_what_was_counted_and_how_sure_it_is(bench):
    rule = bench.rule(
        [{"id": "truth", "any": [{"signal": "hallucinations", "tolerate": {"ratio": "1.5"}}]}],
        sustain="3m",
        dispersion="1.5",
        signals={"hallucinations": {"expect": "0.015"}},
    )
    state, verdict = bench.last(rule, [bench.counted(i, *HARM) for i in range(5)])
    assert state.latched_at == 4
    assert verdict.sentence == (
        "hallucinations: 205 of 4,060 answers on the candidate (505 per 10,000) against 60 of 4,020 on the baseline "
        "(149 per 10,000) over the last 5 minutes; up to 1.5 times is tolerated. Evidence 131 to 1, limit 111 to 1: "
        "a harmless release gets here in at most 0.9 % of watches, if blocks vary at most 1.5 times as much as "
        "independent outputs."
    )

"""What past blocks say about a playbook, and what wide buckets and fixed limits cost."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from countermand.detection.models import Arm, Block, BlockState, Row
from countermand.playbook.check import check
from countermand.playbook.load import parse, problems

DEMO = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")
ALONE = DEMO.replace("expect: 0.03", "expect: 0.03\n      baseline: none", 1)
HOUR = timedelta(hours=1)


def past(rate_of, hours=21 * 24, n=1000):
    """One baseline block per hour; `rate_of(hour)` is its share of bad outputs."""
    start = datetime(2026, 2, 1, tzinfo=UTC)
    for hour in range(hours):
        block = Block(
            signal="hallucinations",
            arm=Arm.baseline,
            state=BlockState.ok,
            served=n,
            scored=n,
            bad=round(n * rate_of(hour)),
        )
        yield Row(seq=hour, start=start + hour * HOUR, block=timedelta(seconds=2), blocks=(block,))


def found(text, rows):
    return check(parse(text.encode()), list(rows))


def test_days_that_differ_more_than_the_tolerance_are_an_error_with_the_value_that_would_do():
    rows = list(past(lambda hour: 0.02 if hour // 24 % 2 else 0.04))
    errors = [one for one in found(ALONE, rows) if one.level == "error"]
    assert [one.path for one in errors] == [("detection", "triggers", 0, "any", 0, "tolerate")]
    assert "would fire without harm; write 1.99 or more" in errors[0].message
    calm = list(past(lambda hour: 0.029 if hour // 24 % 2 else 0.031))
    assert [one for one in found(ALONE, calm) if one.level == "error"] == []
    assert [one for one in found(DEMO, rows) if "would fire without harm" in one.message] == []


@pytest.mark.parametrize(
    ("spread", "dispersion", "level"),
    [(0.0, "1.5", None), (0.0075, "1.5", "warning"), (0.015, "1.5", "error"), (0.015, "20", "warning")],
)
def test_clustered_outputs_are_said_and_very_clustered_ones_must_be_accepted(spread, dispersion, level):
    draw = random.Random(5)  # noqa: S311

    def rate(hour):
        sd = (0.03 * 0.97 / 1000 + spread**2) ** 0.5
        return min(max(draw.gauss(0.03, sd), 0), 1)

    text = DEMO.replace("  lateness:", f"  dispersion: {dispersion}\n  lateness:", 1)
    assert text != DEMO
    rows = list(past(rate))
    said = [one for one in found(text, rows) if "were independent" in one.message]
    assert [one.level for one in said] == ([level] if level else [])
    if level:
        assert "consider one value per session or user (unit: session)" in said[0].message
        assert said[0].path == ("detection", "signals", "hallucinations")
        assert ("to accept it write dispersion:" in said[0].message) == (level == "error")


LATENCY = """    response_time:
      kind: latency
      family: user_experience
      meaning: How long an answer takes
      source: gateway
      edges: {edges}
"""


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ("[100, 125, 156, 195, 244]", "above 195 ms up to 25 % slower is tolerated"),
        ("[100, 104, 109, 114, 119]", "a quantile above 109 ms is not compared with anything"),
    ],
)
def test_buckets_too_wide_for_their_tolerance_are_warned_of(edges, said):
    text = DEMO.replace("  signals:\n", f"  signals:\n{LATENCY.format(edges=edges)}", 1).replace(
        "{signal: hallucinations, tolerate: {ratio: 1.5}}", "{signal: response_time, tolerate: {slower_by: 10%}}", 1
    )
    warned = [p for p in problems(text.encode()) if p.where == "detection.triggers[0].any[0].tolerate"]
    assert [p.level for p in warned] == ["warning"]
    assert said in warned[0].message


def test_a_fixed_limit_that_fires_without_harm_is_warned_of_where_traffic_is_stated():
    rule = "rule: {failure_limit: {above: 0.06, interval: 10s, limit: 3}}"
    text = DEMO.replace("tolerate: {ratio: 1.5}", rule, 1)
    stated = text.replace("expect: 0.03", "expect: 0.03\n      per_minute: 3000", 1)
    assert [p.where for p in problems(text.encode())] == ["detection.triggers[0]"]
    warned = [p for p in problems(stated.encode()) if p.where == "detection.triggers[0].any[0]"]
    assert "a fixed limit: on about 44 of 1,000 days without any harm it fires all the same (computed)" in (
        warned[0].message
    )
    calm = stated.replace("above: 0.06", "above: 0.12")
    assert [p.where for p in problems(calm.encode())] == ["detection.triggers[0]"]

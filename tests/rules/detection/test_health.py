"""The certificate of health (DET-27, DET-28, §15 row 12)."""

from __future__ import annotations

from statistics import median

import pytest

from countermand.detection import health
from countermand.detection.models import Arm, VerdictWord

USUAL = 0.005


def asked(bench, signals=None, **changes):
    fields = {"not_worse_than": 2, "confidence": "0.95", "required": ["hallucinations"], "min_time": "0s"}
    detection = bench.detection(health={**fields, **changes}, signals=signals or {"hallucinations": {}})
    return health.compile_health(detection)


def certified_after(rule, rows, word=VerdictWord.ok):
    """Rows until certified, or None."""
    state = health.start(rule)
    for count, row in enumerate(rows, start=1):
        state, certificate = health.step(rule, state, row, word)
        if certificate.word == "certified":
            return count
    return None


def traffic_rows(bench, traffic, factor, rows, n=1000, base=1000):
    for seq in range(rows):
        candidate = traffic.bad(n, factor * USUAL), n
        yield bench.counted(seq, candidate, (traffic.bad(base, USUAL), base))


@pytest.mark.parametrize(("ratio", "at_most"), [("2", 11), ("3", 6)])
def test_a_healthy_candidate_is_certified_within_the_promised_blocks(bench, ratio, at_most, full):
    traffic, rule = bench.traffic(41), asked(bench, not_worse_than=ratio)
    watches = 4000 if full else 200
    found = [certified_after(rule, traffic_rows(bench, traffic, 1, 60)) or 61 for _ in range(watches)]
    assert median(found) <= at_most


@pytest.mark.parametrize("ratio", ["1.5", "2", "3"])
def test_a_candidate_exactly_that_bad_is_seldom_certified(bench, ratio, full):
    rule = asked(bench, not_worse_than=ratio)
    traffic, watches = bench.traffic(42), 4000 if full else 200
    found = [certified_after(rule, traffic_rows(bench, traffic, float(ratio), 100)) for _ in range(watches)]
    assert sum(one is not None for one in found) <= 0.05 * watches


def test_ten_outputs_never_certify(bench):
    assert certified_after(asked(bench), [bench.counted(0, (0, 10), (0, 10))]) is None


def test_no_data_certifies_nothing(bench):
    assert certified_after(asked(bench), [bench.dark(i) for i in range(300)]) is None


def test_no_certificate_before_the_least_time_with_harm_in_sight_or_in_the_dark(bench):
    rows = list(traffic_rows(bench, bench.traffic(43), 1, 60))
    rule = asked(bench)
    first = certified_after(rule, rows)
    assert first < 20
    assert certified_after(asked(bench, min_time="30m"), rows) == 30
    assert certified_after(rule, rows, word=VerdictWord.watch) is None
    state = health.start(rule)
    for row in rows[: first + 1]:
        state, certificate = health.step(rule, state, row, VerdictWord.ok)
    assert certificate.word == "certified"
    _, dark = health.step(rule, state, bench.dark(first + 1), VerdictWord.ok)
    assert (dark.word, dark.missing) == ("not_yet", ("hallucinations",))


def test_the_certificate_says_what_it_claims_and_what_is_missing(bench):
    rule = asked(bench, min_time="30m")
    _, waiting = health.step(rule, health.start(rule), bench.dark(0), VerdictWord.unknown)
    assert waiting.sentence == (
        "Not certified yet: hallucinations is not shown to be healthy; it has not been watched for 30 minutes; "
        "the watch does not say ok."
    )
    rule = asked(bench)
    state = health.start(rule)
    for row in traffic_rows(bench, bench.traffic(44), 1, 60):
        state, certificate = health.step(rule, state, row, VerdictWord.ok)
    assert certificate.sentence == (
        "Healthy: a candidate at least twice as bad as the baseline would get this certificate in at most 5 % of cases."
    )


def test_what_is_ruled_out_must_be_worse_than_what_is_tolerated(bench):
    with pytest.raises(ValueError, match=r"'1.2' must exceed the ratio 1.2 that trigger 'truth' tolerates"):
        asked(bench, not_worse_than="1.2")


def test_scores_are_certified_too(bench):
    traffic = bench.traffic(45)
    spec = {"kind": "score", "bad": "lower", "range": ["0", "1"], "expect": None, "show": None}
    rule = asked(bench, required=["s"], signals={"hallucinations": {}, "s": spec})

    def rows(mean):
        for seq in range(20):
            arms = (Arm.candidate, mean), (Arm.baseline, 0.8)
            blocks = [bench.filled(arm, **bench.moments(traffic.scores(300, m, 0.15))) for arm, m in arms]
            yield bench.row(seq, *blocks)

    assert certified_after(rule, rows(0.8)) <= 10
    assert certified_after(rule, rows(0.6)) is None

"""The certificate of health (DET-27, DET-28, §15 row 12)."""

from __future__ import annotations

from datetime import timedelta
from statistics import median

import pytest

from countermand.detection import health
from countermand.detection.models import Arm, Row, VerdictWord

USUAL = 0.005


def asked(bench, signals=None, history=(), **changes):
    fields = {"not_worse_than": 2, "confidence": "0.95", "required": ["hallucinations"], "min_time": "0s"}
    detection = bench.detection(health={**fields, **changes}, signals=signals or {"hallucinations": {}})
    return health.compile_health(detection, history)


def history(bench, rates=(0.0045, 0.005, 0.0055)):
    """One baseline row per hour, with another rate in every week before Sunday, 1 March 2026."""
    start = bench.row(0).start - timedelta(weeks=len(rates))
    for hour in range(len(rates) * 168):
        block = bench.block(Arm.baseline, round(10_000 * rates[hour // 168]), 10_000)
        yield Row(seq=hour, start=start + timedelta(hours=hour), block=timedelta(minutes=1), blocks=(block,))


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


ACCURACY = {"hallucinations": {"bad": "lower", "expect": "0.7", "show": None}}
SCORE = {"kind": "score", "bad": "lower", "range": ["0", "5"], "expect": None, "show": None}


def last(rule, rows, word=VerdictWord.ok):
    state = health.start(rule)
    for row in rows:
        state, certificate = health.step(rule, state, row, word)
    return certificate


def accuracy_rows(bench, traffic, worse, rows):
    for seq in range(rows):
        yield bench.counted(seq, (traffic.bad(400, 0.3 + worse), 400), (traffic.bad(400, 0.3), 400))


def test_a_difference_is_ruled_out_where_a_multiple_says_little(bench, full):
    rule = asked(bench, signals=ACCURACY, not_worse_by={"hallucinations": "0.1"})
    traffic, watches = bench.traffic(46), 4000 if full else 200
    found = [certified_after(rule, accuracy_rows(bench, traffic, 0, 60)) or 61 for _ in range(watches // 4)]
    assert median(found) <= 10
    wrong = [certified_after(rule, accuracy_rows(bench, traffic, 0.1, 60)) for _ in range(watches)]
    assert sum(one is not None for one in wrong) <= 0.05 * watches
    assert (
        "a candidate at least 10 percentage points worse in hallucinations would get"
        in last(rule, accuracy_rows(bench, traffic, 0, 60)).sentence
    )


def test_a_score_may_be_certified_by_a_difference_in_its_own_units(bench):
    rule, traffic = (
        asked(bench, required=["s"], signals={"s": SCORE, "hallucinations": {}}, not_worse_by={"s": "0.5"}),
        (bench.traffic(47)),
    )

    def rows(mean):
        for seq in range(30):
            arms = (Arm.candidate, mean), (Arm.baseline, 0.8)
            blocks = [bench.filled(arm, **bench.moments(traffic.scores(300, m, 0.15))) for arm, m in arms]
            yield bench.row(seq, *blocks)

    assert certified_after(rule, rows(0.8)) <= 10
    assert certified_after(rule, rows(0.7)) is None
    assert "at least 0.5 worse in s would get" in last(rule, rows(0.8)).sentence


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"not_worse_by": {"other": "0.1"}}, "'other' is not among the required signals"),
        ({"not_worse_by": {"hallucinations": "1"}}, "is the whole range of 'hallucinations' or more"),
        ({"min_time": "2h", "time_limit": "1h"}, "'1h' must be longer than min_time 2h"),
    ],
)
def test_a_certificate_that_cannot_be_meant_is_refused(bench, changes, said):
    with pytest.raises(ValueError, match=said):
        asked(bench, **changes)


def lone(bench, seq, traffic, rate):
    return bench.row(seq, bench.block(Arm.candidate, traffic.bad(1000, rate), 1000))


def test_without_a_baseline_past_weeks_serve_and_the_certificate_says_so(bench, full):
    rule = asked(bench, signals={"hallucinations": {"baseline": "none"}}, history=list(history(bench)))
    traffic, watches = bench.traffic(48), 4000 if full else 200
    healthy = [lone(bench, seq, traffic, USUAL) for seq in range(60)]
    assert certified_after(rule, healthy) <= 30
    certificate = last(rule, healthy)
    assert (certificate.guarantee.word, certificate.guarantee.reasons[0]) == ("conditional", "no_control")
    assert certificate.sentence.endswith("in at most 5 % of cases, if past weeks are a fair comparison.")
    # Exactly twice what past weeks allow to call usual: mean − 2 standard errors.
    boundary = 2 * (USUAL - 2 * 0.0005 / 3**0.5)
    wrong = [certified_after(rule, (lone(bench, i, traffic, boundary) for i in range(100))) for _ in range(watches)]
    assert sum(one is not None for one in wrong) <= 0.05 * watches


def test_without_a_baseline_and_without_past_weeks_nothing_is_certified(bench):
    rule = asked(bench, signals={"hallucinations": {"baseline": "none"}})
    certificate = last(rule, [lone(bench, seq, bench.traffic(49), USUAL) for seq in range(60)])
    assert (certificate.word, certificate.missing) == ("not_yet", ("hallucinations",))


def test_after_its_time_limit_it_is_not_certified_and_a_person_decides(bench):
    rule = asked(bench, time_limit="20m", min_time="1m")
    harmed = [bench.counted(seq, (10, 1000), (5, 1000)) for seq in range(40)]
    assert last(rule, harmed[:19]).word == "not_yet"
    certificate = last(rule, harmed[:20])
    assert certificate.word == "not_certified"
    assert certificate.sentence == (
        "Not certified within 20 minutes: hallucinations is not shown to be healthy. Neither healthy nor harmed; a "
        "person decides."
    )
    well = list(traffic_rows(bench, bench.traffic(43), 1, 60))
    assert last(rule, [*harmed[:20], *(row.model_copy(update={"seq": row.seq + 20}) for row in well)]).word == (
        "not_certified"
    )
    assert last(rule, well).word == "certified"

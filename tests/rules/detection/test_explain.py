"""The sentences as a person reads them (DET-32, DET-35)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from countermand.detection.figures import odds, per_10000, plural, rate, span, spoken_odds
from countermand.detection.models import Arm

HARM = ((41, 812), (12, 804))
TOLERANT = {"signal": "hallucinations", "tolerate": {"ratio": "1.5"}}
SIZES = (
    "hallucinations: 164 of 3,248 answers on the candidate (505 per 10,000) against 48 of 3,216 on the "
    "baseline (149 per 10,000) over the last 4 minutes; up to 1.5 times is tolerated."
)


def sustained(bench, **changes):
    return bench.rule(
        [{"id": "truth", "any": [TOLERANT]}],
        sustain="3m",
        signals={"hallucinations": {"expect": "0.015"}},
        **{"dispersion": "1.5", **changes},
    )


def harmed(bench, rows, first=0):
    return [bench.counted(seq, *HARM) for seq in range(first, first + rows)]


def test_a_trigger_says_what_was_counted_and_how_sure_it_is(bench):
    _, verdict = bench.last(sustained(bench), harmed(bench, 4))
    assert verdict.sentence == (
        f"{SIZES} Evidence 303 to 1, limit 111 to 1: a harmless release gets here in at most 0.9 % of "
        "watches, if blocks vary at most 1.5 times as much as independent outputs."
    )
    assert verdict.criteria[0].sentence == SIZES


def test_a_latched_trigger_says_since_when(bench):
    _, verdict = bench.last(sustained(bench), harmed(bench, 6))
    assert verdict.sentence.startswith("Fired 2 minutes ago. hallucinations: 246 of 4,872 answers")


def test_measured_clustering_is_named_with_what_to_do_about_it(bench):
    noisy = [bench.counted(seq, (15, 1000), (5 + 20 * (seq % 2), 1000)) for seq in range(40)]
    hopeless = [bench.counted(seq, (900, 1000), (15, 1000)) for seq in range(40, 50)]
    _, verdict = bench.last(sustained(bench), noisy + hopeless)
    assert verdict.sentence.endswith("Outputs are clustered; consider counting per session or user.")


def test_a_measured_watch_states_its_bound_without_conditions(bench):
    rows = [bench.counted(seq, (15, 1000), (15 + seq % 2, 1000)) for seq in range(40)]
    _, verdict = bench.last(sustained(bench), rows + harmed(bench, 8, first=40))
    assert verdict.sentence.endswith("a harmless release gets here in at most 0.9 % of watches.")


def test_watch_and_ok_say_how_far_it_is(bench):
    sentences = [v.sentence for _, v in bench.watch(sustained(bench, dispersion="1"), harmed(bench, 3))]
    assert sentences[0].startswith("No evidence of harm; 2.0 to 1 of the 111 to 1 needed. hallucinations: 41 of 812")
    assert "over the last minute;" in sentences[0]
    assert sentences[1].startswith(
        "Possible harm, not yet enough to act on: 11 to 1 of the 111 to 1 needed; at the present rate about "
    )


def test_evidence_below_one_is_no_number(bench):
    _, verdict = bench.last(bench.rule(), [bench.counted(seq, (4, 1000), (5, 1000)) for seq in range(5)])
    assert verdict.sentence.startswith("No evidence of harm; less than 1 to 1 of the 111 to 1 needed.")


@pytest.mark.parametrize(
    ("blocks", "why"),
    [
        (lambda b: [b.unknown(Arm.candidate)], "the candidate served no answers"),
        (lambda b: [b.block(Arm.candidate, 1, 10)], "no block of the baseline arrived"),
        (
            lambda b: [b.block(Arm.candidate, 1, 10), b.unknown(Arm.baseline, "query_error")],
            "the block of the baseline is unknown (query error)",
        ),
        (
            lambda b: [b.block(Arm.candidate, 1, 10), b.unknown(Arm.baseline, "coverage")],
            "the block of the baseline is unknown (coverage)",
        ),
        (
            lambda b: [b.block(Arm.candidate, 1, 600, served=1000), b.block(Arm.baseline, 1, 10)],
            "only 600 of the 1,000 answers served by the candidate were scored",
        ),
    ],
)
def test_unknown_says_why_and_what_would_end_it(bench, blocks, why):
    _, verdict = bench.last(bench.rule(), [bench.row(0, *blocks(bench))])
    assert verdict.sentence == (
        f"hallucinations: not known in this block, because {why}. This ends with the first block in which at "
        "least 80 % of the answers served by the candidate and by the baseline are scored. "
        "Evidence so far: less than 1 to 1 of the 111 to 1 needed."
    )


def test_unknown_says_for_how_long(bench):
    _, verdict = bench.last(bench.rule(), [bench.dark(seq) for seq in range(7)])
    assert "Unknown for 7 minutes. Evidence so far:" in verdict.sentence


@pytest.mark.parametrize(
    ("tolerate", "show", "said"),
    [
        ({"ratio": "1.2"}, "percent", "up to 1.2 times is tolerated"),
        ({"absolute": "0.02"}, "percent", "up to 2 percentage points more is tolerated"),
        ({"absolute": "0.01"}, "percent", "up to 1 percentage point more is tolerated"),
        ({"absolute": "0.0005"}, "per_10000", "up to 5 per 10,000 more is tolerated"),
        (
            {"ratio": "1.1", "absolute": "0.005"},
            "percent",
            "up to 1.1 times plus 0.5 percentage points is tolerated",
        ),
        ({"ratio": "1"}, "percent", "nothing worse is tolerated"),
    ],
)
def test_the_tolerance_is_said_in_the_units_people_chose(bench, tolerate, show, said):
    rule = bench.rule(
        [{"id": "truth", "any": [{"signal": "hallucinations", "tolerate": tolerate}]}],
        signals={"hallucinations": {"show": show}},
    )
    _, verdict = bench.last(rule, [bench.counted(0, *HARM)])
    assert verdict.sentence.endswith(f"; {said}.")


def test_a_signal_of_good_answers_says_which_ones_were_counted(bench):
    signals = {"accuracy": {"bad": "lower", "expect": "0.7", "unit": "task", "show": "percent"}}
    tolerant = [{"id": "t", "any": [{"signal": "accuracy", "tolerate": {"absolute": "0.02"}}]}]
    limit = {"bound": {"below": "0.65", "window": "5m", "for": "2m"}}
    fixed = [{"id": "t", "any": [{"signal": "accuracy", "rule": limit}]}]
    row = bench.counted(0, (360, 1000), (300, 1000), "accuracy")
    said = [bench.last(bench.rule(t, signals=signals), [row])[1].criteria[0].sentence for t in (tolerant, fixed)]
    assert said == [
        "accuracy: 360 of 1,000 tasks were bad on the candidate (36.0 %) against 300 of 1,000 on the "
        "baseline (30.0 %) over the last minute; up to 2 percentage points more is tolerated.",
        "accuracy: 640 of 1,000 tasks were good on the candidate (64.0 %) over the last minute; "
        "below 65 % for 2 blocks is a breach: 1 in a row so far.",
    ]


def test_a_fixed_limit_says_that_nothing_bounds_it(bench):
    rule = bench.rule(
        [
            {
                "id": "legacy",
                "any": [
                    {
                        "signal": "hallucinations",
                        "rule": {"failure_limit": {"above": "0.01", "interval": "2m", "limit": 1}},
                    }
                ],
            }
        ]
    )
    sentences = [v.sentence for _, v in bench.watch(rule, [bench.counted(i, (20, 1000), (5, 1000)) for i in range(4)])]
    assert sentences[0] == (
        "No limit is breached. hallucinations: 20 of 1,000 answers on the candidate (200 per 10,000) over "
        "the last minute; above 100 per 10,000 is a failure, more than 1 are a breach: 0 so far."
    )
    assert sentences[-1] == (
        "hallucinations: 40 of 2,000 answers on the candidate (200 per 10,000) over the last 2 minutes; "
        "above 100 per 10,000 is a failure, more than 1 are a breach: 2 so far. "
        "A fixed limit fired; it has no bound on false alarms."
    )


def test_the_strongest_criteria_are_named_as_many_as_must_be_harmed(bench):
    criteria = [{"signal": name, "tolerate": {"ratio": "1.2"}} for name in ("calm", "bad", "worse")]
    rule = bench.rule(
        [{"id": "truth", "at_least": {"k": 2, "of": criteria}}],
        signals={"calm": {}, "bad": {}, "worse": {}},
    )
    rows = [
        bench.row(
            seq,
            *[
                bench.block(arm, bad if arm is Arm.candidate else 5, 1000, signal=signal)
                for signal, bad in (("calm", 5), ("bad", 10), ("worse", 25))
                for arm in Arm
            ],
        )
        for seq in range(4)
    ]
    sentence = bench.last(rule, rows)[1].sentence
    assert 0 < sentence.index("worse: ") < sentence.index("bad: ")
    assert "calm" not in sentence


@pytest.mark.parametrize(
    ("micronats", "exact", "spoken"),
    [
        (0, "1.0", "1.0 to 1"),
        (956_000, "2.6", "2.6 to 1"),
        (4_874_211, "130", "130 to 1"),
        (7_200_000, "1339", "1,339 to 1"),
        (-3_000_000, "0.04", "less than 1 to 1"),
        (-1_400_000_000, "0.00", "less than 1 to 1"),
        (1_400_000_000, "1000000000", "more than 1,000,000,000 to 1"),
    ],
)
def test_odds_are_rounded_down_and_never_overflow(micronats, exact, spoken):
    assert (odds(micronats), spoken_odds(micronats)) == (exact, spoken)


@pytest.mark.parametrize(
    ("bad", "scored", "percent", "ten_thousandth"),
    [
        (41, 812, "5.05 %", "505 per 10,000"),
        (12, 804, "1.49 %", "149 per 10,000"),
        (1, 2000, "0.05 %", "5.0 per 10,000"),
        (1, 3, "33.3 %", "3333 per 10,000"),
        (0, 7, "0.00 %", "0.0 per 10,000"),
    ],
)
def test_rates_are_shown_with_the_figures_that_matter(bad, scored, percent, ten_thousandth):
    assert rate(bad, scored, "percent") == percent
    assert rate(bad, scored, "per_10000") == ten_thousandth


def test_a_rate_of_nothing_is_no_number():
    assert per_10000(0, 0) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (60, "1 minute"),
        (180, "3 minutes"),
        (90, "90 seconds"),
        (7200, "2 hours"),
        (86_400, "1 day"),
        (0.5, "0.5 seconds"),
    ],
)
def test_spans_are_said_in_the_largest_unit_that_fits(seconds, said):
    assert span(timedelta(seconds=seconds)) == said


def test_units_have_a_plural():
    assert (plural("output"), plural("query")) == ("outputs", "queries")

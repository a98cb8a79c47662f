"""Several criteria in one trigger, several triggers in one watch (DET §5.4, DET-23, DET-24)."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.detection.composition import at_least
from countermand.detection.models import Arm, VerdictWord
from countermand.detection.rules import compile_rules
from countermand.detection.watch import advance, combine, start, step

SIGNALS = ("s1", "s2", "s3", "s4", "s5")
LIMIT = {"bound": {"above": "0.05", "window": "1m", "for": "1m"}}


def tolerant(signal):
    return {"signal": signal, "tolerate": {"ratio": "1.2"}}


def fixed(signal):
    return {"signal": signal, "rule": LIMIT}


def composite(bench, k, *criteria):
    return bench.rule(
        [{"id": "composite", "at_least": {"k": k, "of": list(criteria)}}],
        signals={signal: {} for signal in SIGNALS},
    )


@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=1, max_size=6), st.data())
def test_the_evidence_for_k_of_n_is_the_mean_of_the_smallest(values, data):
    k = data.draw(st.integers(1, len(values)))
    smallest = sorted(values)[: len(values) - k + 1]
    exact = math.log(sum(math.exp(value / 1e6) for value in smallest) / len(smallest)) * 1e6
    assert exact - 2 < at_least(k, values) <= exact + 1e-3


@given(st.lists(st.integers(-5_000_000, 5_000_000), min_size=1, max_size=6))
def test_all_is_the_minimum(values):
    assert at_least(len(values), values) == min(values)


@pytest.mark.parametrize(
    ("k", "values", "found"),
    [
        (1, [math.inf, 0], math.inf),
        (2, [math.inf, 4_000_000], 4_000_000),
        (2, [-math.inf, 4_000_000], -math.inf),
        (2, [math.inf, math.inf, -math.inf], math.inf),
        (1, [-math.inf, -math.inf], -math.inf),
        (1, [-math.inf, 4_000_000], 4_000_000 - 693_148),
    ],
)
def test_a_fixed_limit_counts_as_all_or_nothing(k, values, found):
    assert at_least(k, values) == found


def correlated(bench, traffic, harmed, rows):
    """Five signals drawn from the same outputs, as strongly correlated as can be; those in `harmed` are doubly bad."""
    for seq in range(rows):
        u, v = traffic.draw.random(), traffic.draw.random()
        usual = traffic.quantile(1000, 0.005, v)
        blocks = []
        for signal in SIGNALS:
            bad = traffic.quantile(1000, 0.012 if signal in harmed else 0.005, u)
            blocks += [bench.block(Arm.candidate, bad, 1000, signal=signal)]
            blocks += [bench.block(Arm.baseline, usual, 1000, signal=signal)]
        yield bench.row(seq, *blocks)


def fired(rules, rows):
    states = [start(rule) for rule in rules]
    for row in rows:
        states = [advance(rule, state, row) for rule, state in zip(rules, states, strict=True)]
    return [state.latched_at is not None for state in states]


@pytest.mark.parametrize("harmed", range(6))
def test_k_of_n_fires_when_k_are_harmed_and_never_when_fewer_are(bench, full, harmed):
    """Every k of 1 to 5, over 1,000 harmless and 100 harmful watches each in the full run."""
    rules = [composite(bench, k, *map(tolerant, SIGNALS)) for k in range(1, 6)]
    watches = (100 if harmed else 1000) if full else (2 if harmed else 6)
    for seed in range(watches):
        rows = correlated(bench, bench.traffic(seed), SIGNALS[:harmed], 90)
        assert fired(rules, rows) == [k <= harmed for k in range(1, 6)]


PAIR = {"all": [tolerant("s1"), tolerant("s2")]}
NESTED = {
    "a pair or two of three": (
        {"any": [PAIR, {"at_least": {"k": 2, "of": [tolerant(signal) for signal in ("s3", "s4", "s5")]}}]},
        lambda s1, s2, s3, s4, s5: (s1 and s2) or s3 + s4 + s5 >= 2,
    ),
    "a pair and one of three": (
        {"all": [PAIR, {"any": [tolerant("s3"), tolerant("s4"), PAIR | {"all": [tolerant("s5"), tolerant("s1")]}]}]},
        lambda s1, s2, s3, s4, s5: s1 and s2 and (s3 or s4 or (s5 and s1)),
    ),
}


@pytest.mark.parametrize("form", NESTED)
def test_groups_inside_groups_fire_exactly_when_their_logic_says(bench, full, form):
    node, logic = NESTED[form]
    rule = bench.rule([{"id": "nested", **node}], signals={signal: {} for signal in SIGNALS})
    for seed, harmed in enumerate(product((False, True), repeat=5)):
        if not full and seed % 3:
            continue
        names = [signal for signal, bad in zip(SIGNALS, harmed, strict=True) if bad]
        rows = correlated(bench, bench.traffic(seed), names, 90)
        assert fired([rule], rows) == [bool(logic(*harmed))], names


@pytest.mark.parametrize(
    ("k", "criteria", "word"),
    [
        (1, [tolerant("s1"), tolerant("s2")], "conditional"),
        (1, [tolerant("s1"), fixed("s2")], "none"),
        (2, [tolerant("s1"), fixed("s2")], "conditional"),
        (2, [tolerant("s1"), fixed("s2"), fixed("s3")], "none"),
        (3, [tolerant("s1"), fixed("s2"), fixed("s3")], "conditional"),
        (1, [fixed("s1")], "none"),
    ],
)
def test_a_trigger_is_bounded_only_if_fixed_limits_alone_cannot_fire_it(bench, k, criteria, word):
    rule = composite(bench, k, *criteria)
    blocks = [bench.block(arm, 5, 1000, signal=signal) for signal in SIGNALS for arm in Arm]
    _, verdict = bench.last(rule, [bench.row(0, *blocks)])
    assert verdict.guarantee.word == word
    assert ("threshold_rule" in verdict.guarantee.reasons) == (word == "none")


def test_a_breached_limit_fires_any_but_not_all(bench):
    blocks = [
        bench.block(Arm.candidate, 90, 1000, signal="s1"),
        bench.block(Arm.baseline, 90, 1000, signal="s1"),
    ]
    row = bench.row(0, *blocks)
    words = [bench.last(composite(bench, k, tolerant("s1"), fixed("s1")), [row])[1].word for k in (1, 2)]
    assert words == [VerdictWord.trigger, VerdictWord.ok]


def test_a_limit_that_is_not_breached_counts_as_no_evidence_at_all(bench):
    row = bench.row(0, *[bench.block(arm, 5, 1000, signal="s1") for arm in Arm])
    alone, either, both = (
        bench.last(composite(bench, k, *criteria), [row])[1].micronats
        for k, *criteria in (
            (1, tolerant("s1")),
            (1, tolerant("s1"), fixed("s1")),
            (2, tolerant("s1"), fixed("s1")),
        )
    )
    assert either == alone - 693_148
    assert both is None


def test_a_trigger_is_unknown_while_any_of_its_criteria_is(bench):
    blocks = [bench.block(arm, 5, 1000, signal="s1") for arm in Arm]
    _, verdict = bench.last(composite(bench, 1, tolerant("s1"), tolerant("s2")), [bench.row(0, *blocks)])
    assert verdict.word is VerdictWord.unknown
    assert [criterion.unknown is None for criterion in verdict.criteria] == [True, False]


def judged(bench, row, *triggers):
    detection = bench.detection(list(triggers), signals={signal: {} for signal in SIGNALS})
    return [step(rule, start(rule), row)[1] for rule in compile_rules(detection)]


def test_the_watch_says_the_first_of_trigger_unknown_watch_ok(bench):
    row = bench.row(
        0,
        *[bench.block(arm, 5, 1000, signal="s1") for arm in Arm],
        bench.block(Arm.candidate, 90, 1000, signal="s2"),
    )
    fine = {"id": "fine", "any": [tolerant("s1")], "share": "0.5"}
    dark = {"id": "dark", "any": [tolerant("s3")], "share": "0.5"}
    breached = {"id": "breached", "any": [fixed("s2")]}
    for triggers, leading in (([fine], "fine"), ([fine, dark], "dark"), ([fine, dark, breached], "breached")):
        verdict = combine(judged(bench, row, *triggers))
        assert verdict.leading.trigger == leading
        assert verdict.sentence == verdict.leading.sentence
        assert verdict.word is verdict.leading.word
        assert len(verdict.verdicts) == len(triggers)


def test_of_two_fired_triggers_the_more_severe_leads(bench):
    row = bench.row(0, bench.block(Arm.candidate, 90, 1000, signal="s1"))
    mild = {"id": "mild", "any": [fixed("s1")], "severity": "sev3"}
    grave = {"id": "grave", "any": [fixed("s1")], "severity": "sev1"}
    assert combine(judged(bench, row, mild, grave)).leading.trigger == "grave"


def test_only_verdicts_of_one_row_are_combined(bench):
    rule = bench.rule()
    verdicts = [step(rule, start(rule), bench.counted(seq, (5, 1000), (5, 1000)))[1] for seq in (0, 1)]
    for wrong in (verdicts, []):
        with pytest.raises(ValueError, match="one and the same row"):
            combine(wrong)


def member(signal, **fields):
    return {**tolerant(signal), **fields}


def nested(bench, **form):
    return bench.rule([{"id": "composite", **form}], signals={signal: {} for signal in SIGNALS})


def harmed_rows(bench, harmed, rows=40, seed=5):
    traffic = bench.traffic(seed)
    for seq in range(rows):
        blocks = []
        for signal in SIGNALS:
            rate = 0.02 if signal in harmed else 0.005
            blocks.append(bench.block(Arm.candidate, traffic.bad(1000, rate), 1000, signal=signal))
            blocks.append(bench.block(Arm.baseline, traffic.bad(1000, 0.005), 1000, signal=signal))
        yield bench.row(seq, *blocks)


def test_weighted_evidence_is_the_weighted_mean(bench):
    rule = nested(bench, weights=[member("s1", weight="0.7"), member("s2", weight="0.3")])
    state, _ = bench.last(rule, list(harmed_rows(bench, {"s1"}, rows=4)))
    one, two = (own.micronats for own in state.criteria)
    exact = 1e6 * math.log(0.7 * math.exp(one / 1e6) + 0.3 * math.exp(two / 1e6))
    assert exact - 4 < state.micronats <= exact


def test_a_critical_member_fires_alone_and_the_others_only_together(bench):
    members = [member("s1", critical=True), member("s2"), member("s3")]
    rule = nested(bench, at_least={"k": 2, "of": members})
    assert bench.fires(rule, harmed_rows(bench, {"s1"})) is not None
    assert bench.fires(rule, harmed_rows(bench, {"s2"})) is None
    assert bench.fires(rule, harmed_rows(bench, {"s2", "s3"})) is not None


def test_a_group_of_fixed_limits_alone_takes_the_bound_away(bench):
    for group, bounded in (
        ({"any": [fixed("s1"), tolerant("s2")]}, False),
        ({"all": [fixed("s1"), tolerant("s2")]}, True),
    ):
        rule = nested(bench, any=[group, tolerant("s3")])
        assert rule.bounded is bounded


def test_a_criterion_that_is_not_required_does_not_blind_the_trigger(bench):
    rule = nested(bench, any=[member("s1"), member("s2", required=False)])
    row = bench.row(0, *[bench.block(arm, 5, 1000, signal="s1") for arm in Arm])
    _, verdict = bench.last(rule, [row])
    assert verdict.word is VerdictWord.ok
    assert verdict.criteria[1].unknown.reason == "no_block"


def test_a_shadow_is_judged_and_never_leads(bench):
    shadow = {"id": "shadow", "any": [fixed("s2")], "shadow": True}
    row = bench.row(
        0,
        *[bench.block(arm, 5, 1000, signal="s1") for arm in Arm],
        bench.block(Arm.candidate, 90, 1000, signal="s2"),
    )
    watch = combine(judged(bench, row, {"id": "fine", "any": [tolerant("s1")]}, shadow))
    assert watch.word is VerdictWord.ok
    assert [(v.trigger, v.word, v.shadow) for v in watch.verdicts][1] == ("shadow", VerdictWord.trigger, True)

"""The false-alarm budget of a release: what is staked when, what a change may take (DET-14, DET-30)."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countermand.detection.budget import change_rules
from countermand.detection.models import VerdictWord
from countermand.detection.rules import compile_rules
from countermand.detection.watch import start, step

HARM, FINE = ((40, 1000), (5, 1000)), ((5, 1000), (5, 1000))


def trigger(name, ratio="1.2", **changes):
    return {
        "id": name,
        "share": "0.5",
        "any": [{"signal": "hallucinations", "tolerate": {"ratio": ratio}}],
        **changes,
    }


def staked(rule):
    first = math.exp(rule.first_weight / 1e6)
    rows = range(1, rule.watch_blocks)
    return first + sum(math.exp((rule.ramp_weight if t in rule.ramp_rows else rule.later_weight) / 1e6) for t in rows)


@given(
    w0=st.decimals("0.05", "0.5", places=2),
    mass=st.decimals("0.05", "0.45", places=2),
    at=st.lists(st.integers(1, 119), min_size=1, max_size=6, unique=True),
)
def test_whatever_the_ramp_no_more_than_the_whole_mass_is_staked(bench, w0, mass, at):
    ramp = {"mass": str(mass), "at": [f"{minute}m" for minute in at]}
    rule = bench.rule(watch="2h", w0=str(w0), ramp=ramp)
    assert 0.999 < staked(rule) <= 1


def test_harm_that_begins_when_the_candidate_gets_more_traffic_is_found_sooner(bench):
    rows = [bench.counted(seq, *(HARM if seq >= 300 else FINE)) for seq in range(340)]
    plain, ramped = bench.rule(), bench.rule(ramp={"mass": "0.3", "at": ["2h", "5h"]})
    assert bench.fires(ramped, rows) < bench.fires(plain, rows)
    assert ramped.cap == plain.cap


@pytest.mark.parametrize(
    ("ramp", "said"),
    [
        ({"mass": "0.5", "at": ["1h"]}, "leave nothing for harm that begins at another time"),
        ({"at": ["90s"]}, "not a whole number of blocks"),
        ({"at": ["24h"]}, "more than 1439 blocks"),
        ({"at": ["1h", "60m"]}, "write each moment once"),
    ],
)
def test_a_ramp_that_cannot_be_meant_is_refused(bench, ramp, said):
    with pytest.raises(ValueError, match=said):
        bench.rule(ramp=ramp)


def test_every_verdict_shows_what_was_given_and_what_is_left(bench):
    rule = bench.rule([trigger("one"), trigger("two", share="0.3")])
    _, verdict = bench.last(rule, [bench.counted(0, *FINE)])
    budget = verdict.budget
    assert (budget.per_release, budget.allotted, budget.reserve, budget.left) == ("0.01", "0.0045", "0.001", "0.0028")


def test_a_changed_trigger_takes_half_of_what_is_left_and_starts_afresh_while_the_others_go_on(bench):
    running = compile_rules(bench.detection([trigger("one"), trigger("two")]))
    triggers = [trigger("one", share="0.25"), trigger("two", ratio="1.5"), trigger("three", share="0.25")]
    changed = bench.detection(triggers)
    one, two, three = change_rules(changed, running)
    assert one is running[0]
    assert two.digest != running[1].digest
    assert Decimal("0.000499999") < two.allotted + three.allotted <= Decimal("0.0005")
    assert float(two.allotted / three.allotted) == pytest.approx(2)
    assert [lane.alpha for lane in two.lanes] == [two.allotted]
    assert (two.spent, two.left) == (Decimal("0.0095"), Decimal("0.0005"))
    assert start(two).rows == 0
    with pytest.raises(ValueError, match="starts with empty evidence"):
        step(two, start(running[1]), bench.counted(0, *FINE))


@given(st.lists(st.sampled_from(["1.1", "1.3", "1.5", "2"]), min_size=1, max_size=12))
def test_however_often_a_playbook_changes_the_budget_is_never_overdrawn(bench, ratios):
    rules = compile_rules(bench.detection([trigger("one"), trigger("two")]))
    given = {rule.digest: rule.allotted for rule in rules}
    for ratio in ratios:
        rules = change_rules(bench.detection([trigger("one"), trigger("two", ratio=ratio)]), rules)
        given |= {rule.digest: rule.allotted for rule in rules}
    assert sum(given.values()) <= Decimal("0.01")
    assert all(rule.left > 0 for rule in rules)


def test_more_than_is_left_needs_a_decision_and_every_verdict_says_so(bench):
    running = compile_rules(bench.detection([trigger("one", share="1")], false_alarms={"reserve": "0"}))
    changed = bench.detection([trigger("one", ratio="1.5", share="1")], false_alarms={"reserve": "0"})
    with pytest.raises(ValueError, match=r"budget of 0\.01 per release 0\.01 is given out"):
        change_rules(changed, running)
    (rule,) = change_rules(changed, running, decided=Decimal("0.005"))
    _, verdict = bench.last(rule, [bench.counted(seq, *HARM) for seq in range(8)])
    assert (rule.allotted, verdict.budget.left) == (Decimal("0.005"), "-0.005")
    assert verdict.word is VerdictWord.trigger
    assert (verdict.guarantee.word, "budget_overdrawn" in verdict.guarantee.reasons) == ("conditional", True)
    assert verdict.sentence.endswith("The release's budget of false alarms is overdrawn.")


def test_a_shadow_and_a_removed_trigger_change_nothing_for_the_others(bench):
    running = compile_rules(bench.detection([trigger("one"), trigger("two")]))
    kept, shadow = change_rules(bench.detection([trigger("one"), trigger("new", shadow=True)]), running)
    assert kept is running[0]
    assert shadow.left == kept.left == Decimal("0.001")

"""Alerts of people's own monitoring as criteria: no bound, never silent health (§4.5, §6, DET-23)."""

from __future__ import annotations

import pytest

from countermand.detection.models import Arm, Block, BlockState, VerdictWord

PAGER = {
    "kind": "alert",
    "alert": "HighErrorRate",
    "bad": None,
    "expect": None,
    "show": None,
    "unit": None,
    "meaning": "the pager's own alert",
}
TOLERANT = {"signal": "hallucinations", "tolerate": {"ratio": "1.2"}}


def ruled(bench, form=None, **firing):
    pager = {"signal": "pager", "rule": {"firing": firing}}
    triggers = [{"id": "t", **(form or {"any": [pager]})}]
    return bench.rule(triggers, signals={"pager": PAGER, "hallucinations": {}})


def fires(bench, seq, firing, *others):
    """A row in which that many instances fire; None: the source is silent."""
    if firing is None:
        block = bench.unknown(Arm.candidate, "source_silent", signal="pager")
    else:
        n = max(1, firing)
        block = Block(signal="pager", arm=Arm.candidate, state=BlockState.ok, served=n, scored=n, bad=firing)
    return bench.row(seq, block, *others)


def words(bench, rule, pattern):
    rows = [fires(bench, seq, firing) for seq, firing in enumerate(pattern)]
    return "".join(verdict.word[0] for _, verdict in bench.watch(rule, rows))


@pytest.mark.parametrize(
    ("lasts", "pattern", "expected"),
    [
        ({}, [0, 0, 1, 0], "oott"),
        ({"for": "1m"}, [0, 3, 0], "ott"),
        ({"for": "2m"}, [1, 0, 2, 1], "ooot"),
        ({"for": "2m"}, [1, None, 1], "out"),
        ({"for": "2m"}, [1, None, 0, 1, 0], "ouooo"),
        ({"for": "3m"}, [None, None, None], "uuu"),
    ],
)
def test_an_alert_must_fire_for_its_time_and_silence_neither_breaches_nor_resets(bench, lasts, pattern, expected):
    assert words(bench, ruled(bench, **lasts), pattern) == expected


def test_an_alert_says_that_it_promises_nothing(bench):
    rule = ruled(bench, **{"for": "2m"})
    (_, waiting), (_, fired) = bench.watch(rule, [fires(bench, 0, 2), fires(bench, 1, 1)])
    assert (fired.guarantee.word, fired.guarantee.reasons) == ("none", ("alert",))
    assert waiting.criteria[0].sentence == (
        "pager: the alert fires for the candidate (2 instances); firing for 2 blocks in a row is a breach: 1 so far."
    )
    assert fired.sentence.endswith("An alert fired; it has no bound on false alarms.")
    assert fired.budget is None
    _, dark = bench.last(rule, [fires(bench, 0, None)])
    assert "the block of the candidate is unknown (source silent). This ends when its source reports again." in (
        dark.sentence
    )


def test_a_silent_alert_does_not_blind_a_trigger_that_has_other_data(bench):
    rule = ruled(bench, {"any": [{"signal": "pager", "rule": {"firing": {}}}, TOLERANT]})
    rate = bench.block(Arm.candidate, 5, 1000), bench.block(Arm.baseline, 5, 1000)
    _, verdict = bench.last(rule, [fires(bench, 0, None, *rate)])
    assert verdict.word is VerdictWord.ok
    assert (verdict.guarantee.word, verdict.guarantee.reasons) == ("none", ("alert",))


def test_an_alert_that_must_be_joined_by_evidence_keeps_the_bound(bench):
    rule = ruled(bench, {"all": [{"signal": "pager", "rule": {"firing": {}}}, TOLERANT]})
    harm = bench.block(Arm.candidate, 60, 1000), bench.block(Arm.baseline, 5, 1000)
    state, verdict = bench.last(rule, [fires(bench, seq, 0, *harm) for seq in range(20)])
    assert state.latched_at is None
    assert verdict.guarantee.word != "none"
    _, verdict = bench.last(rule, [fires(bench, seq, int(seq > 10), *harm) for seq in range(20)])
    assert (verdict.word, verdict.latched_at) == (VerdictWord.trigger, 11)


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ({"signal": "pager", "tolerate": {"ratio": "1.2"}}, "an alert fires or does not and is compared with nothing"),
        ({"signal": "pager", "rule": {"n_of_m": {"above": "0.1", "n": 1, "m": 2}}}, "`firing` is the rule of alerts"),
        ({"signal": "hallucinations", "rule": {"firing": {}}}, "`firing` is the rule of alerts and their only one"),
        ({"signal": "pager", "rule": {"firing": {"for": "90s"}}}, "not a whole number of blocks"),
    ],
)
def test_rules_that_do_not_fit_an_alert_are_refused(bench, criterion, said):
    with pytest.raises(ValueError, match=said):
        ruled(bench, {"any": [criterion]})

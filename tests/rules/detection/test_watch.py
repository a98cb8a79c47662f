"""One trigger over many rows: the recursion, its states and what it refuses (DET §5.1, DET-24)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.canonical import canonical
from countermand.detection.evalue import log_add_all, log_evidence
from countermand.detection.models import Arm, BlockState, VerdictWord
from countermand.detection.state import State
from countermand.detection.watch import advance, start, step

HARM = ((1000, 1000), (0, 1000))
FINE = ((4, 1000), (5, 1000))


def short(bench, m, **changes):
    return bench.rule(sustain=f"{m}m", **changes)


@pytest.mark.parametrize("m", [3, 5, 8])
@pytest.mark.parametrize("dispersion", ["1", "1.5"])
def test_a_fresh_watch_fires_after_m_hopeless_blocks_and_never_before(bench, m, dispersion):
    rule = short(bench, m, dispersion=dispersion)
    words = [v.word for _, v in bench.watch(rule, [bench.counted(i, *HARM) for i in range(m)])]
    assert words.index(VerdictWord.trigger) == m - 1


@pytest.mark.parametrize("m", [3, 5, 8])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_whatever_m_minus_1_blocks_hold_a_fresh_watch_stays_silent(bench, m, data):
    sizes = st.integers(1, 3000)
    rows = []
    for seq in range(m - 1):
        n, k = data.draw(sizes), data.draw(sizes)
        counts = (data.draw(st.integers(0, n)), n), (data.draw(st.integers(0, k)), k)
        rows.append(bench.counted(seq, *counts))
    state, _ = bench.last(short(bench, m), rows)
    assert state.latched_at is None


@pytest.mark.parametrize("m", [3, 5])
@pytest.mark.parametrize("healthy", [1, 20, 300])
def test_a_blip_shorter_than_the_sustain_time_never_fires_after_healthy_blocks(bench, m, healthy):
    rule = short(bench, m)
    state = start(rule)
    for seq in range(healthy):
        state = advance(rule, state, bench.counted(seq, (0, 1000), (5, 1000)))
    for seq in range(healthy, healthy + m - 1):
        state = advance(rule, state, bench.counted(seq, *HARM))
    assert state.latched_at is None


def test_one_block_adds_at_most_the_cap(bench):
    rule = bench.rule()
    before = advance(rule, start(rule), bench.counted(0, *FINE))
    after = advance(rule, before, bench.counted(1, *HARM))
    for old, new in zip(before.criteria[0].evidence, after.criteria[0].evidence, strict=True):
        assert new == log_add_all([old], rule.later_weight)[0] + rule.cap


def test_the_evidence_is_the_recursion_written_out(bench):
    """§5.1 in plain floats; the integers lose at most a few micronats per row."""
    rule = bench.rule(dispersion="1.5")
    alpha, w0, m, length = 0.009, 0.5, 5, 1440
    cap = math.log(1 / (w0 * alpha)) / m
    sums, guess = [0.0] * 7, (10e6, 2000e6)
    state = start(rule)
    for t, row in enumerate(list(simulated(bench, seed=6))[:29]):
        state = advance(rule, state, row)
        weight = w0 + (1 - w0) / length if t == 0 else (1 - w0) / length
        sums = [value + weight for value in sums]
        usual = row.find("hallucinations", Arm.baseline)
        seen = row.find("hallucinations", Arm.candidate)
        if seen.state is BlockState.ok:
            nats = log_evidence(seen.bad, seen.scored, usual.bad, usual.scored, guess[0] / guess[1], 1.2, 0.0)
            sums = [v * math.exp(min(x / 1.5, cap)) for v, x in zip(sums, nats, strict=True)]
        guess = (guess[0] * 29 / 30 + usual.bad * 1e6, guess[1] * 29 / 30 + usual.scored * 1e6)
        assert state.micronats == pytest.approx(1e6 * math.log(sum(sums) / 7), abs=4 * (t + 1))


def test_an_unknown_row_changes_the_evidence_only_by_the_mass_of_a_new_start(bench):
    rule = bench.rule()
    before = advance(rule, start(rule), bench.counted(0, *HARM))
    after = advance(rule, before, bench.dark(1))
    assert after.criteria[0].evidence == tuple(log_add_all(before.criteria[0].evidence, rule.later_weight))
    assert (after.criteria[0].unknown_rows, after.criteria[0].counts) == (1, before.criteria[0].counts)


def test_total_mass_staked_over_the_watch_is_one(bench):
    rule = bench.rule()
    rows = [bench.dark(i) for i in range(rule.watch_blocks)]
    state = start(rule)
    for row in rows:
        state = advance(rule, state, row)
    assert -10_000 < state.micronats <= 0


@pytest.mark.parametrize(
    ("blocks", "arm", "reason"),
    [
        (lambda b: [b.block(Arm.baseline, 5, 1000)], "candidate", "no_block"),
        (lambda b: [b.block(Arm.candidate, 5, 1000)], "baseline", "no_block"),
        (lambda b: [b.unknown(Arm.candidate, "stale"), b.block(Arm.baseline, 5, 1000)], "candidate", "stale"),
        (lambda b: [b.block(Arm.candidate, 5, 1000), b.unknown(Arm.baseline, "empty")], "baseline", "empty"),
        (
            lambda b: [b.block(Arm.candidate, 0, 0, served=9), b.block(Arm.baseline, 5, 1000)],
            "candidate",
            "no_scored",
        ),
        (
            lambda b: [b.block(Arm.candidate, 0, 799, served=1000), b.block(Arm.baseline, 5, 1000)],
            "candidate",
            "coverage",
        ),
    ],
)
def test_missing_data_is_unknown_from_the_first_row(bench, blocks, arm, reason):
    _, verdict = bench.last(bench.rule(), [bench.row(0, *blocks(bench))])
    gap = verdict.criteria[0].unknown
    assert (verdict.word, gap.arm, gap.reason) == (VerdictWord.unknown, arm, reason)


def test_coverage_exactly_at_the_minimum_counts(bench):
    row = bench.row(0, bench.block(Arm.candidate, 4, 800, served=1000), bench.block(Arm.baseline, 5, 1000))
    assert bench.last(bench.rule(), [row])[1].word is VerdictWord.ok


def test_a_watch_that_sees_nothing_is_never_ok_and_is_blind_from_the_fifth_row(bench):
    verdicts = [v for _, v in bench.watch(bench.rule(), [bench.dark(i) for i in range(60)])]
    assert {v.word for v in verdicts} == {VerdictWord.unknown}
    assert [v.blind for v in verdicts] == [False] * 4 + [True] * 56


def test_one_known_row_ends_the_blindness(bench):
    rows = [bench.dark(i) for i in range(6)] + [bench.counted(6, *FINE)]
    _, verdict = bench.last(bench.rule(), rows)
    assert (verdict.word, verdict.blind) == (VerdictWord.ok, False)


def test_the_baseline_guess_learns_while_the_candidate_is_unknown(bench):
    rule = bench.rule()
    before = start(rule)
    after = advance(rule, before, bench.dark(0))
    assert after.criteria[0].memory.guess != before.criteria[0].memory.guess


def test_differences_across_a_gap_do_not_count_as_dispersion(bench):
    gap = bench.row(1, bench.block(Arm.candidate, 5, 1000), bench.unknown(Arm.baseline))
    rows = [bench.counted(0, *FINE), gap, bench.counted(2, *FINE), bench.counted(3, *FINE)]
    state, _ = bench.last(bench.rule(), rows)
    assert state.criteria[0].memory.noise[0][2] == 1


def test_a_trigger_latches_and_stays_even_when_all_turns_healthy_or_unknown(bench):
    rows = [bench.counted(i, *HARM) for i in range(5)]
    rows += [bench.counted(i, (0, 1000), (100, 1000)) for i in range(5, 40)] + [bench.dark(40)]
    verdicts = [v for _, v in bench.watch(bench.rule(), rows)]
    assert {v.word for v in verdicts[4:]} == {VerdictWord.trigger}
    assert {v.latched_at for v in verdicts[4:]} == {4}
    assert verdicts[-1].micronats < 0
    assert not verdicts[-1].hold


def test_hold_is_set_half_way_and_cleared_when_the_evidence_is_gone(bench):
    rule = bench.rule()
    rows = [bench.counted(i, *HARM) for i in range(3)]
    rows += [bench.counted(i, *FINE) for i in range(3, 30)]
    held = False
    words = set()
    for state, verdict in bench.watch(rule, rows):
        held = state.micronats >= rule.hold_limit or (held and state.micronats > 0)
        assert verdict.hold == held
        assert verdict.word is (VerdictWord.watch if held else VerdictWord.ok)
        words.add(verdict.word)
    assert words == {VerdictWord.watch, VerdictWord.ok}
    assert verdict.word is VerdictWord.ok


def test_blindness_does_not_hide_that_evidence_was_building(bench):
    rows = [bench.counted(i, *HARM) for i in range(3)] + [bench.dark(3)]
    _, verdict = bench.last(bench.rule(), rows)
    assert (verdict.word, verdict.hold) == (VerdictWord.unknown, True)


def test_the_guarantee_says_what_it_rests_on(bench):
    flat = [bench.counted(i, FINE[0], (5 + i % 2, 1000)) for i in range(40)]
    verdicts = [v for _, v in bench.watch(bench.rule(), flat)]
    assert (verdicts[0].guarantee.word, verdicts[0].guarantee.reasons) == (
        "conditional",
        ("dispersion_assumed",),
    )
    assert verdicts[-1].guarantee.word == "bounded"
    clustered = [bench.counted(i, FINE[0], (5 + 20 * (i % 2), 1000)) for i in range(40)]
    _, verdict = bench.last(bench.rule(), clustered)
    assert (verdict.guarantee.word, verdict.guarantee.reasons) == ("conditional", ("clustering",))


def simulated(bench, seed, rows=120):
    """Harmless, then twice as bad, with gaps."""
    traffic = bench.traffic(seed)
    for seq in range(rows):
        rate = 0.005 if seq < rows // 2 else 0.012
        candidate, baseline = traffic.bad(1000, rate), traffic.bad(900, 0.005)
        dark = traffic.draw.random() < 0.1
        yield bench.dark(seq) if dark else bench.counted(seq, (candidate, 1000), (baseline, 900))


def test_replaying_the_same_rows_gives_the_same_bytes(bench):
    rule, rows = bench.rule(), list(simulated(bench, seed=3))

    def replay():
        pairs = bench.watch(rule, rows)
        return [(state.model_dump_json(), verdict.model_dump_json()) for state, verdict in pairs]

    first = replay()
    assert first == replay()
    assert "trigger" in first[-1][1]


def test_the_state_survives_json_after_every_row_and_stays_small(bench):
    rule = bench.rule()
    state = start(rule)
    for row in simulated(bench, seed=4):
        assert State.model_validate_json(state.model_dump_json()) == state
        state, _ = step(rule, State.model_validate_json(state.model_dump_json()), row)
        assert canonical(state.model_dump(mode="json"))
        assert len(state.criteria[0].model_dump_json()) <= 1024


def test_every_verdict_is_canonical(bench):
    for _, verdict in bench.watch(bench.rule(), list(simulated(bench, seed=5))):
        assert canonical(verdict.model_dump(mode="json"))


@given(st.permutations(range(4)))
def test_the_order_of_blocks_inside_a_row_changes_nothing(bench, order):
    blocks = [
        bench.block(Arm.candidate, 9, 1000),
        bench.block(Arm.baseline, 4, 1000),
        bench.block(Arm.candidate, 2, 50, signal="refusals"),
        bench.block(Arm.baseline, 1, 50, signal="refusals"),
    ]
    rule = bench.rule()
    straight = step(rule, start(rule), bench.row(0, *blocks))
    assert step(rule, start(rule), bench.row(0, *[blocks[i] for i in order])) == straight


def test_evidence_counts_from_where_harm_began(bench):
    rows = [bench.counted(i, *FINE) for i in range(50)]
    rows += [bench.counted(i, (20, 1000), (5, 1000)) for i in range(50, 60)]
    _, verdict = bench.last(bench.rule(), rows)
    record = verdict.criteria[0]
    assert (record.since, record.times) == (50, "4.00")
    assert (record.so_far["candidate"].bad, record.so_far["candidate"].scored) == (200, 10_000)
    assert record.this_block["baseline"].per_10000 == "50.0"


def test_a_state_refuses_the_rule_of_another_playbook(bench):
    with pytest.raises(ValueError, match=r"state belongs to rule 'sha256:.*empty evidence"):
        step(short(bench, 3), start(short(bench, 5)), bench.counted(0, *FINE))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seq": 3}, r"row 3 does not follow row 0; 1 is the next"),
        ({"seq": 0}, r"row 0 does not follow row 0"),
        ({"seq": 1, "block": "30s"}, r"blocks of '30s', the rule judges blocks of '1m'"),
        ({"seq": 0, "late_of": 0}, r"the late samples of row 0 need the verdict of that row"),
        ({"seq": 1, "late_of": 1}, r"late samples of row 1 cannot be judged; accepted is one late row per row"),
    ],
)
def test_rows_that_do_not_belong_here_are_refused(bench, changes, said):
    rule = bench.rule()
    state = advance(rule, start(rule), bench.counted(0, *FINE))
    with pytest.raises(ValueError, match=said):
        step(rule, state, bench.row(**changes))


def test_a_watch_may_begin_at_any_row(bench):
    _, verdict = bench.last(bench.rule(), [bench.counted(700 + i, *HARM) for i in range(5)])
    assert verdict.latched_at == 704

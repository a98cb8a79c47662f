"""The past is judged by the live evaluator, in the order in which it arrived, and never beyond the first effect."""

from __future__ import annotations

import inspect

import pytest

from countermand.detection import evaluator, watch
from countermand.detection.blocks import BlockState, Row
from countermand.detection.evaluator import Evaluator
from countermand.learning import feeding
from countermand.learning.feeding import fed, hear
from countermand.learning.versions import Versions
from tests.rules.learning import pasts


def versions():
    return Versions(pasts.playbook(), pasts.playbook("1.2", 2))


def one_rule():
    whole = versions()
    return whole.detection, {"rule": whole.rules[whole.current[0]]}


def test_lrn_7_the_backtest_steps_the_function_object_of_the_live_watch():
    assert evaluator.step is watch.step
    assert feeding.Evaluator is Evaluator
    assert "step(" not in inspect.getsource(feeding)


def test_lrn_7_judging_rule_by_rule_gives_the_bytes_of_judging_all_at_once():
    detection = pasts.playbook().detection
    rule = versions().rules[versions().current[0]]
    _, rows = pasts.incident("bytes")
    together, alone = Evaluator(detection), Evaluator(detection, (rule,))
    for row in rows:
        assert together.judge(row).verdicts[0].model_dump_json() == alone.each(row)[0].model_dump_json()


def test_lrn_8_rows_after_the_first_effect_are_never_read():
    episode, rows = pasts.incident("cut", effect_at=100)

    def until_the_cut():
        yield from rows[:101]
        pytest.fail("a row after the first effect was read")

    assert [row.seq for row in fed(episode, until_the_cut())] == list(range(100))


def test_lrn_8_other_rows_after_the_first_effect_leave_the_report_as_it_is():
    past = [pasts.incident("hindsight"), pasts.quiet("calm")]
    episode, rows = past[0]
    worse = pasts.rows("worse", 160, episode.begins, harm_at=0, part=0.5)
    other = [row if row.start + row.block <= episode.cut_at else worse[row.seq] for row in rows]
    assert other != rows
    before = pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), past)
    assert pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), [(episode, other), past[1]]) == before
    changed = [rows[0], worse[1], *rows[2:]]
    assert pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), [(episode, changed), past[1]]) != before


def test_late_samples_are_judged_where_they_arrived():
    episode, rows = pasts.incident("late", part=0.03)
    late = Row(seq=70, start=rows[70].start, block=rows[70].block, late_of=70, blocks=rows[75].blocks)
    detection, rules = one_rule()
    plain = hear(episode, detection, rules, rows)
    helped = hear(episode, detection, rules, [*rows[:72], late, *rows[72:]])
    assert helped.rows == plain.rows
    assert helped.rows_digest != plain.rows_digest
    assert helped.traces["rule"].alarms[0].at <= plain.traces["rule"].alarms[0].at


def test_late_samples_of_rows_before_the_episode_are_left_out():
    episode, rows = pasts.incident("before")
    later = episode.model_copy(update={"begins": rows[10].start})
    late = Row(seq=5, start=rows[5].start, block=rows[5].block, late_of=5, blocks=rows[5].blocks)
    assert late not in list(fed(later, [*rows[:12], late, *rows[12:]]))


def test_an_outage_is_unknown_and_delays_the_alarm():
    episode, rows = pasts.incident("outage", part=0.03)
    dark = {"state": BlockState.unknown, "reason": "source_failed", "served": 0, "scored": 0, "bad": 0}
    off = [
        row.model_copy(update={"blocks": tuple(one.model_copy(update=dark) for one in row.blocks)})
        if 60 <= row.seq < 80
        else row
        for row in rows
    ]
    detection, rules = one_rule()
    seen, blind = (hear(episode, detection, rules, given).traces["rule"] for given in (rows, off))
    assert [(end - begin).total_seconds() for begin, end in blind.unknown] == [20]
    assert blind.alarms[0].at > seen.alarms[0].at
    assert not seen.unknown


def test_after_a_false_alarm_in_a_quiet_stretch_judging_starts_anew():
    episode, _ = pasts.quiet("alarms", 300)
    rows = pasts.rows("alarms", 300, episode.begins, harm_at=0, part=0.1)
    detection, rules = one_rule()
    alarms = hear(episode, detection, rules, rows).traces["rule"].alarms
    assert len(alarms) > 10
    assert len({alarm.at for alarm in alarms}) == len(alarms)


def test_an_alarm_before_harm_began_is_no_catch():
    episode, rows = pasts.incident("early", harm_at=20, part=0.06)
    mislabelled = episode.model_copy(update={"harm_start": episode.begins + 130 * pasts.SECOND})
    both = [(mislabelled, rows)]
    row = pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), both).incidents[0]
    assert row.current.false_alarms
    assert row.current.at is None or row.current.at > mislabelled.harm_start


def test_rows_of_another_block_length_are_refused():
    episode, rows = pasts.incident("blocks")
    detection, rules = (
        Versions(pasts.playbook(block="2s", sustain="10s"), pasts.playbook(block="2s", sustain="10s")),
        None,
    )
    with pytest.raises(ValueError, match="the rule judges blocks of '2s'"):
        hear(episode, detection.detection, rules or detection.rules, rows)

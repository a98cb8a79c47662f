"""What the report says of a proposal, and that it says it honestly (LRN-9)."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from countermand.canonical import canonical, digest_bytes
from countermand.learning import honesty
from countermand.learning.honesty import Watched, rate, upper
from countermand.learning.report import BacktestReport
from countermand.learning.report_markdown import markdown
from countermand.learning.versions import Versions
from tests.rules.learning import pasts

CLEAR = [pasts.incident("clear", part=0.15), pasts.incident("strong", part=0.12), pasts.quiet("calm")]
#: Three times the usual bad rate, too faint for a tolerance of 3 and clear for one of 1.5.
FAINT = pasts.incident("faint", part=0.03, count=400, effect_at=390)


@pytest.fixture(scope="module")
def loosened():
    """A tolerance of 3.5 instead of 1.5: what is three times as bad is missed."""
    return pasts.backtest(pasts.playbook(), pasts.playbook("3.5", 2), [*CLEAR, FAINT])


def test_lrn_9_an_incident_that_only_the_current_version_catches_is_named(loosened):
    assert loosened.missed == ("faint",)
    assert loosened.gained == ()
    row = next(row for row in loosened.incidents if row.episode_id == "faint")
    assert row.current.at is not None
    assert row.proposed.at is None
    (bad,) = row.bad_served
    assert bad.at_least
    assert bad.proposed > bad.current
    assert "The proposed version would miss faint, which the current one catches." in loosened.sentences


def test_what_brought_the_trigger_and_how_long_after_harm_began_stands_in_the_row(loosened):
    row = next(row for row in loosened.incidents if row.episode_id == "clear")
    assert row.current.triggers == ("truth",)
    assert [one.signal for one in row.current.carried_by] == ["hallucinations"]
    assert row.current.after_harm_s == (row.current.at - row.harm_start).total_seconds()
    assert 2 <= row.current.after_harm_s <= 30


def test_the_digest_is_over_the_canonical_bytes_and_survives_storage(loosened):
    raw = canonical(loosened.model_dump(mode="json"))
    assert digest_bytes(raw) == loosened.digest
    assert BacktestReport.model_validate(json.loads(raw)).digest == loosened.digest


def test_the_same_past_gives_the_same_bytes_in_whatever_order_it_is_read(loosened):
    again = pasts.backtest(pasts.playbook(), pasts.playbook("3.5", 2), [FAINT, *reversed(CLEAR)])
    assert again.model_dump_json() == loosened.model_dump_json()


def test_a_tolerance_below_the_usual_noise_asks_for_nothing_at_exact_instants():
    report = pasts.backtest(pasts.playbook(), pasts.playbook("0.5", 2), CLEAR)
    (row,) = report.quiet
    assert row.current.asks == 0
    assert row.proposed.asks == len({alarm.at for alarm in row.proposed.alarms}) > 2
    assert all(row.begins < alarm.at <= row.ends for alarm in row.proposed.alarms)
    assert report.cost.proposed.needless_rollbacks == row.proposed.asks


def test_the_cliff_is_found_where_a_small_step_loses_an_incident():
    past = [*CLEAR, pasts.incident("edge", part=0.012, count=500, effect_at=490)]
    report = pasts.backtest(pasts.playbook("1.2"), pasts.playbook("1.25", 2), past)
    assert [row.percent for row in report.sensitivity] == [-20, -10, 10, 20]
    assert [row.value for row in report.sensitivity] == ["1", "1.125", "1.375", "1.5"]
    missed = {row.percent: row.missed for row in report.sensitivity}
    assert missed[20] == ("edge",)
    assert any("close to a cliff" in said for said in report.sentences)


def test_leave_one_out_finds_a_value_that_only_its_own_incident_justifies():
    """Of three incidents two are clear at any value; only the faint one asks for a tight tolerance."""
    report = pasts.backtest(pasts.playbook("3.5"), pasts.playbook("1.5", 2), [*CLEAR, FAINT])
    assert report.gained == ("faint",)
    left = {row.episode_id: row for row in report.leave_one_out}
    assert left["faint"].caught is False
    assert left["faint"].value == "2.5"  # the clear ones are found no later than at the proposed 1.5
    assert left["clear"].caught
    assert left["strong"].caught
    assert any("may be fitted to that incident alone" in said for said in report.sentences)


def test_leave_one_out_is_content_when_another_incident_asks_for_the_same():
    twin = pasts.incident("faint-twin", part=0.03, count=400, effect_at=390)
    report = pasts.backtest(pasts.playbook("3.5"), pasts.playbook("1.5", 2), [*CLEAR, FAINT, twin])
    assert all(row.caught for row in report.leave_one_out)


def test_one_incident_is_called_an_anecdote():
    report = pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), CLEAR[1:])
    assert "1 incident: an anecdote, not a rate." in report.honesty.sentences


def test_an_unlabelled_episode_counts_for_nothing_and_is_counted():
    episode, rows = CLEAR[0]
    unknown = episode.model_copy(update={"kind": "unknown", "episode_id": "nobody-knows"})
    report = pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), [*CLEAR, (unknown, rows)])
    assert "nobody-knows" not in {row.episode_id for row in report.incidents}
    assert report.honesty.left_out == 1


def test_a_signal_of_which_nothing_was_recorded_is_named():
    episode, rows = CLEAR[0]
    empty = [row.model_copy(update={"blocks": ()}) for row in rows]
    report = pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), [(episode, empty)])
    assert report.honesty.not_recorded == ("hallucinations",)
    assert report.incidents[0].current.unknown_rows == report.incidents[0].rows


def test_what_can_be_found_with_the_traffic_at_hand_is_said():
    (row,) = pasts.backtest(pasts.playbook(), pasts.playbook("1.2", 2), CLEAR).honesty.detectable
    assert (row.trigger, row.signal) == ("truth", "hallucinations")
    assert float(row.smallest_times) <= 2
    assert row.blocks_to_double > 5


def test_versions_with_other_blocks_are_refused():
    with pytest.raises(ValueError, match="blocks of '2s'; recorded rows have blocks of '1s'"):
        Versions(pasts.playbook(), pasts.playbook(block="2s", sustain="10s"))


def test_equal_rules_are_judged_once():
    versions = Versions(pasts.playbook(), pasts.playbook(version=2))
    assert len(versions.rules) == 1
    assert versions.current == versions.proposed
    report = pasts.backtest(pasts.playbook(), pasts.playbook(version=2), CLEAR)
    assert "Both versions judge alike: nothing in them that decides differs." in report.sentences
    assert report.sensitivity == report.leave_one_out == ()


def test_every_sentence_of_the_report_stands_in_the_markdown_and_names_cannot_be_markup(loosened):
    text = markdown(loosened)
    for said in loosened.sentences:
        assert said in text
    assert loosened.digest in text
    odd = loosened.model_copy(update={"change": ("<b>[x](y)|",)})
    assert "\\<b>\\[x\\](y)\\|" in markdown(odd)


# --- figures ----------------------------------------------------------------------------------------------------


def test_the_rule_of_three_and_the_poisson_bound():
    assert upper(0) == 3
    # Garwood's upper 95 % limits (Biometrika 1936).
    assert [round(upper(n), 2) for n in (1, 2, 5, 10)] == [4.74, 6.30, 10.51, 16.96]


def test_counts_come_before_rates_and_no_quiet_time_is_no_rate():
    none = rate([], pasts.draws("none"))
    assert (none.asks, none.per_week, none.upper_per_week) == (0, None, None)
    week = Watched(pasts.BEGIN, pasts.BEGIN + timedelta(days=7), (), 0)
    assert rate([week], pasts.draws("week")).upper_per_week == "3.00"


def test_the_bootstrap_takes_whole_days_and_is_the_same_for_the_same_seed():
    asks = tuple(pasts.BEGIN + timedelta(hours=h) for h in (1, 2, 3, 50, 99))
    ten = Watched(pasts.BEGIN, pasts.BEGIN + timedelta(days=10), asks, 5)
    found = rate([ten], pasts.draws("ten"))
    assert found == rate([ten], pasts.draws("ten"))
    assert found.asks_per_week == "3.50"
    assert float(found.from_boot) < 3.5 < float(found.to_boot)
    assert rate([ten._replace(ends=ten.begins + timedelta(days=3))], pasts.draws("ten")).from_boot is None
    assert len(honesty._days([ten])) == 10

"""The oracle holds a run against its scenario, and what cannot be judged has failed (LRN-22)."""

from __future__ import annotations

from typing import Any

import pytest

from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import AskVote, DecisionRefused, StageOutcome
from countermand.rehearsal.oracle import Finding, findings
from countermand.rehearsal.run import Act, EffectSeen, subject_of
from tests.rules.rehearsal import played


def judged(**changes: Any) -> dict[str, Finding]:
    return {one.line: one for one in findings(played.run(**changes), played.scenario())}


def failed(**changes: Any) -> set[str]:
    return {line for line, one in judged(**changes).items() if not one.held}


def test_a_run_as_it_should_be_holds_in_every_line_and_names_the_records() -> None:
    found = judged()
    assert [one for one in found.values() if not one.held] == []
    assert found["expected_decisions[1]"].record == 4
    assert found["expected_decisions[1]"].found == "after 8 min 00 s"
    assert found["expected_outcome"].record == 5


def test_a_decision_that_comes_too_late_fails_and_says_by_how_much() -> None:
    late = judged(records=played.rejected_after(16))["expected_decisions[1]"]
    assert not late.held
    assert late.found == "after 16 min 00 s, 1 min 00 s too late"


def test_a_run_without_records_holds_nothing_not_even_what_is_forbidden() -> None:
    assert judged(records=(), acts=(), messages=()).keys() == failed(records=(), acts=(), messages=())


def test_a_decision_of_another_role_is_not_the_one_that_was_expected() -> None:
    records = list(played.rejected_after(8))
    records[4] = played.written(played.decided("ines", DecisionKind.reject, ("incident_commander",)), 14, 4)
    assert "expected_decisions[1]" in failed(records=tuple(records), acts=played.acts()[:1])


def test_a_signed_decision_that_was_refused_did_not_count() -> None:
    refusal = DecisionRefused(
        decision_kind="reject", ask_id="ask-1", subject=subject_of("sam"), channel="web", code="stale", detail="old"
    )
    records = played.rejected_after(8)
    done = (played.acts()[0], Act(at=840, who="sam", kind="reject", accepted=False, code="stale"))
    lines = failed(records=(*records, played.written(refusal, 15, 6)), acts=done)
    assert {"expected_decisions[1]", "people[1]"} <= lines


def test_a_second_try_that_is_refused_does_not_undo_the_first() -> None:
    vote = AskVote(
        ask_id="ask-1", decision_id="d-sam-reject", vote="reject", subject=subject_of("sam"), name="sam",
        roles=("safety_lead",), reason="read it all", channel="web", have=1, need=2, missing=(),
    )  # fmt: skip
    again = DecisionRefused(
        decision_kind="reject", ask_id="ask-1", subject=subject_of("sam"), channel="web", code="stale", detail="old"
    )
    more = (played.written(vote, 14.5, 6), played.written(again, 16, 7))
    assert "expected_decisions[1]" not in failed(records=(*played.rejected_after(8), *more))


def test_users_who_are_moved_break_what_is_forbidden_by_the_targets_own_log() -> None:
    moved = EffectSeen(at=600, member="chat-assistant", candidate_bp=4000, result="applied")
    found = judged(effects=(moved,))["forbidden[0]"]
    assert not found.held
    assert found.found == "chat-assistant went from 50 % to 40 %, 10 min 00 s after the start"


def test_what_somebody_outside_moved_is_not_the_products_doing() -> None:
    moved = EffectSeen(at=600, member="chat-assistant", candidate_bp=4000, result="external")
    assert "forbidden[0]" not in failed(effects=(moved,))


def test_an_effect_on_record_with_an_empty_log_of_the_target_cannot_be_judged() -> None:
    done = StageOutcome(revert=1, stage=1, result="applied", by="w", recovered=False, after=None, sentence="done")
    found = judged(records=(*played.rejected_after(8), played.written(done, 9, 6)))["forbidden[0]"]
    assert not found.held
    assert "the target's own log is empty" in found.found


def test_an_automation_that_is_let_through_breaks_the_line_about_it() -> None:
    through = Act(at=500, who="automation", kind="approve", accepted=True)
    assert "forbidden[1]" in failed(acts=(*played.acts(), through))
    stopped = Act(at=500, who="automation", kind="approve", accepted=False, code="actor_not_a_person")
    assert "forbidden[1]" not in failed(acts=(*played.acts(), stopped))


def test_a_gate_that_starts_by_itself_breaks_the_line_about_it() -> None:
    records = (*played.rejected_after(8), played.written(played.gate("automatic", clear=True), 9, 6))
    found = judged(records=records)["forbidden[2]"]
    assert (found.held, found.record) == (False, 6)


def test_a_message_that_was_not_delivered_reached_nobody() -> None:
    assert "communications_expected[0]" in failed(messages=(played.told(delivered=False),))


def test_how_real_people_answered_is_not_held_against_the_script() -> None:
    assert not [line for line in judged(mode="people") if line.startswith("people[")]


def test_a_run_is_judged_by_no_other_scenario() -> None:
    with pytest.raises(ValueError, match="only the scenario that was played is accepted"):
        findings(played.run(), played.scenario("cost-blow-up"))

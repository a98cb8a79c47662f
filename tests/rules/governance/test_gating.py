"""From verdicts to one gate, and from the gate to the request that people get (GOV-27, 32, 36)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from countermand.governance.gates import Gate
from countermand.governance.gating import Trust, declared_gate, one_gate, source_facts, stricter
from countermand.governance.shipped import shipped_gates
from countermand.governance.working_time import WorkingTime
from countermand.playbook.terms import Severity
from tests import cases, standing
from tests.rules.governance.test_gates import a_criterion, a_verdict

MINUTE = timedelta(minutes=1)
FRIDAY_NIGHT = datetime(2026, 3, 6, 22, tzinfo=UTC)
OFFICE = WorkingTime(time_zone="UTC", begins=time(9), ends=time(17))
KNOWN = {name: Trust(authenticated=True, shares=()) for name in ("judge", "feedback")}


def a_gate(act: str = "ask", **changes: Any) -> Gate:
    given = {"people": 2, "window": 15 * MINUTE, "next_working_window": False, "hold_ramp": False, "because": ()}
    return Gate.model_validate({"act": act} | given | changes)


def test_the_most_severe_trigger_decides_and_among_equals_people_do() -> None:
    serious, minor = a_verdict(severity="sev1"), a_verdict(severity="sev3")
    assert one_gate([(minor, a_gate()), (serious, a_gate("automatic"))])[1].act == "automatic"
    assert one_gate([(serious, a_gate("automatic")), (serious, a_gate())])[1].act == "ask"


@pytest.mark.parametrize(("severity", "act"), [("sev1", "automatic"), ("sev2", "investigate")])
def test_gov_36_a_fairness_pause_comes_before_all_but_serious_harm_of_another_kind(severity: str, act: str) -> None:
    fairness = (a_verdict(severity="sev2"), a_gate("investigate", people=None, window=None, hold_ramp=True))
    found = one_gate([(a_verdict(severity=severity), a_gate("automatic")), fairness])[1]
    assert (found.act, found.hold_ramp) == (act, True)


def test_nothing_to_choose_from_is_refused() -> None:
    with pytest.raises(ValueError, match="ask people instead"):
        one_gate([])


def test_an_incident_that_people_opened_is_decided_by_people() -> None:
    found = declared_gate(shipped_gates(), Severity.sev1)
    assert (found.act, found.people, found.window) == ("ask", 2, 15 * MINUTE)


def test_people_and_time_limit_are_those_of_the_stricter_side() -> None:
    policy = cases.playbook().approvals[Severity.sev2]
    shorter = stricter(policy, a_gate(people=3), FRIDAY_NIGHT, OFFICE)
    assert (shorter.quorum.distinct_people, shorter.time_limit, shorter.default) == (3, 15 * MINUTE, "hold")
    assert [rung.after for rung in shorter.ladder] == [0 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE]
    dropped = stricter(policy, a_gate(window=5 * MINUTE), FRIDAY_NIGHT, OFFICE)
    assert [rung.do for rung in dropped.ladder] == ["ask", "default"], "a rung at the limit is dropped"
    assert stricter(policy, a_gate(people=1, window=60 * MINUTE), FRIDAY_NIGHT, OFFICE) == policy


def test_the_next_working_window_ends_a_longer_request() -> None:
    document = cases.playbook_document()["approvals"]["sev2"]
    document["ladder"][-1]["after"] = "5d"
    policy = type(cases.playbook().approvals[Severity.sev2]).model_validate(document)
    found = stricter(policy, a_gate(window=None, next_working_window=True), FRIDAY_NIGHT, OFFICE)
    assert FRIDAY_NIGHT + found.time_limit == datetime(2026, 3, 9, 17, tzinfo=UTC)


def test_a_source_agrees_when_its_criterion_alone_shows_as_much_as_the_trigger_needs() -> None:
    shown = a_criterion().model_copy(update={"micronats": 5})
    weak = a_criterion().model_copy(update={"signal": "complaints", "micronats": 4})
    verdict = a_verdict(criteria=(shown, weak), limit_micronats=5)
    found = {one.name: one.agrees for one in source_facts(verdict, standing.serious_playbook(), KNOWN)}
    assert found == {"judge": True, "feedback": False}
    breached = verdict.model_copy(update={"criteria": (weak.model_copy(update={"breached": True}),)})
    assert [one.agrees for one in source_facts(breached, standing.serious_playbook(), KNOWN)] == [True]


def test_a_source_nobody_configured_is_not_authenticated() -> None:
    (found,) = source_facts(a_verdict(), standing.serious_playbook(), {})
    assert (found.name, found.authenticated) == ("judge", False)

"""The demo's proofs hold for a whole rollback, and each of them fails when what it claims did not happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from countermand.canonical import instant
from countermand.cli.demo_proof import Evidence, Proof, proofs
from countermand.messages.incident import IncidentView, incident
from tests import cases
from tests.rules.cli.told import BEGIN, PLAYBOOK, Told


def seen(told: Told) -> IncidentView:
    view = incident(told.records)
    assert view is not None
    return view


def evidence(told: Told, **changes: Any) -> Evidence:
    given: dict[str, Any] = {
        "view": seen(told),
        "records": told.records,
        "playbook": PLAYBOOK,
        "registered_by": cases.LENA,
        "history": told.history,
        "observed": told.observed,
        "verified": {"ok": True, "count": len(told.lines)},
        "spike_over": BEGIN - timedelta(seconds=1),
    }
    return Evidence(**(given | changes))


def broken(found: list[Proof]) -> list[str]:
    return [proof.claim for proof in found if not proof.holds]


def test_every_proof_holds_for_a_whole_rollback() -> None:
    assert broken(proofs(evidence(Told().all()))) == []


def without(kind: str) -> Callable[[], Evidence]:
    def made() -> Evidence:
        told = Told().all()
        return evidence(told, records=[record for record in told.records if record.kind.value != kind])

    return made


def told_with(*parts: str) -> Told:
    """The whole story, told with some parts in the place of others."""
    told = Told()
    told.opened()
    told.asked()
    for subject in (cases.MARIA, cases.MARIA if "one person twice" in parts else cases.JONAS):
        told.voted(subject, view=None if "not shown" in parts else "sha256:view")
    told.decided("rejected" if "rejected" in parts else "approved")
    for number in (1, 2, 3):
        told.stage(number)
        if "stage 2 twice" in parts and number == 2:
            told.move(2_500, "another key")
        if "somebody else" in parts and number == 2:
            told.history[-1]["idempotency_key"] = "external"
    told.ended()
    return told


def changed(**entry: Any) -> list[dict[str, Any]]:
    """The service's history with its newest entry changed."""
    history = Told().all().history
    return [*history[:-1], history[-1] | entry]


CASES: dict[str, tuple[Callable[[], Evidence], str]] = {
    "two incidents": (
        lambda: (told := Told().all(), evidence(told, records=[*told.records, told.records[0]]))[1],
        "one incident, opened by the watch",
    ),
    "an incident of the spike": (
        lambda: evidence(Told().all(), spike_over=BEGIN + timedelta(hours=1)),
        "the short spike opened no incident, the lasting harm did",
    ),
    "no evidence in the record": (
        lambda: evidence(told := Told().all(), view=replace(seen(told), verdict=None)),
        "each signal is judged alone and in the composite",
    ),
    "no freeze": (without("freeze.completed"), "evidence frozen before the first effect"),
    "one person twice": (
        lambda: evidence(told_with("one person twice")),
        "two different people approved the plan they were shown",
    ),
    "the registrar approves": (
        lambda: evidence(Told().all(), registered_by=cases.JONAS),
        "two different people approved the plan they were shown",
    ),
    "a plan that was not shown": (
        lambda: evidence(told_with("not shown")),
        "two different people approved the plan they were shown",
    ),
    "a rejected request": (
        lambda: evidence(told_with("rejected")),
        "two different people approved the plan they were shown",
    ),
    "a change before the approval": (
        lambda: evidence(
            told := Told().all(),
            history=[told.history[0], told.history[1] | {"changed_at": instant(BEGIN)}, *told.history[2:]],
        ),
        "nothing changed before the approval",
    ),
    "a stage done twice": (
        lambda: evidence(told_with("stage 2 twice")),
        "the service's own history has exactly the planned splits, once each, in order",
    ),
    "a stage left out": (
        lambda: evidence(told := Told().all(), history=[*told.history[:2], told.history[3]]),
        "the service's own history has exactly the planned splits, once each, in order",
    ),
    "a change by somebody else": (
        lambda: evidence(told_with("somebody else")),
        "each change carries the key of one declared intent",
    ),
    "users still on the candidate": (
        lambda: evidence(told := Told().all(), observed=told.observed | {"candidate_users": 1}),
        "nobody gets the candidate any more",
    ),
    "users of an older split": (
        lambda: evidence(told := Told().all(), observed=told.observed | {"generation": 3}),
        "nobody gets the candidate any more",
    ),
    "no user seen at all": (
        lambda: evidence(told := Told().all(), observed=told.observed | {"baseline_users": 0}),
        "nobody gets the candidate any more",
    ),
    "a candidate that kept a share": (
        lambda: evidence(Told().all(), history=changed(candidate_bp=100)),
        "nobody gets the candidate any more",
    ),
    "a console that finds its ledger broken": (
        lambda: evidence(Told().all(), verified={"ok": False, "count": 3}),
        "the ledger is unbroken",
    ),
    "a record that is missing": (without("plan"), "the ledger is unbroken"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_did_not_happen_is_not_proved(case: str) -> None:
    made, claim = CASES[case]
    assert claim in broken(proofs(made()))


@pytest.mark.parametrize(
    ("change", "claim"),
    [
        (lambda view: view.stages[1].checks.clear(), "each stage was read back and seen in traffic before the next"),
        (lambda view: view.verification.clear(), "shown to be healthy by labelled answers"),
        (lambda view: view.messages.pop(), "every audience was told at every step"),
        (lambda view: setattr(view, "review", None), "a review was drafted"),
    ],
    ids=["a stage not seen in traffic", "not verified", "a message not sent", "no review"],
)
def test_a_view_that_lacks_something_is_not_proved(change: Callable[[Any], None], claim: str) -> None:
    given = evidence(Told().all())
    change(given.view)
    assert broken(proofs(given)) == [claim]


def test_the_first_change_is_measured_against_the_approval() -> None:
    told = Told().all()
    late = [
        told.history[0],
        *(entry | {"changed_at": instant(BEGIN + timedelta(hours=1))} for entry in told.history[1:]),
    ]
    found = {proof.claim: proof for proof in proofs(evidence(told, history=late))}
    assert "s after the approval" in found["nothing changed before the approval"].sentence

"""The duties as data, and what is due and overdue from records alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countermand.cadence.acts import criteria_of
from countermand.cadence.balance import balance
from countermand.cadence.criteria import undecided_criteria
from countermand.cadence.duty import CadenceInvalid, in_force, shipped
from countermand.cadence.state import DutyState, Subject, missed_since, states
from countermand.cadence.words import asking
from countermand.ledger.bodies import (
    CadenceDone,
    CadenceMissed,
    CadenceOpened,
    CadencePlanned,
    CadenceSkipped,
    RehearsalPassed,
    ReleaseClosed,
    ReleaseRegistered,
)
from countermand.ledger.body import Body
from countermand.ledger.cadence_bodies import Decided
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from tests import cases

NOW = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DUTIES = {duty.id: duty for duty in shipped()}
OWN = "schema: countermand.cadence/v1\nduties:\n"


def records(*said: tuple[float, Body] | tuple[float, Body, str]) -> list[Record]:
    """(days ago, body, release) of each."""
    found = []
    for seq, (ago, body, *release) in enumerate(said):
        entry = body.entry(f"k{seq}", "worker", release_id=release[0] if release else None)
        line = build_line(entry, seq=seq, prev=GENESIS_PREV, at=NOW - timedelta(days=ago))
        found.append(parse_line(line))
    return found


def planned(duty: str) -> CadencePlanned:
    return CadencePlanned(duty=duty, every_s=1, shipped_s=1, asks=("operator",), because=None)


def done(duty: str, subject: str = "", result: str = "done", **more: object) -> CadenceDone:
    return CadenceDone(duty=duty, subject=subject, workflow_id="w", result=result, sentence="Done.", **more)


def opened(duty: str, subject: str = "") -> CadenceOpened:
    return CadenceOpened(duty=duty, subject=subject, workflow_id="w", asks=("operator",), deadline=NOW)


def skipped(duty: str) -> CadenceSkipped:
    return CadenceSkipped(duty=duty, subject="", workflow_id="w", reason="r", decision_id="d", name="Maria")


def state(duty: str, *said: tuple[float, Body] | tuple[float, Body, str], subject: str = "") -> DutyState:
    subjects = [Subject(name=subject, digests=frozenset({"sha256:p"}))] if subject else []
    [found] = states([DUTIES[duty]], records(*said), subjects, NOW)
    return found


def test_lrn_18_every_row_says_what_it_costs_to_leave_it_out_and_whom_it_asks() -> None:
    assert {"ledger_audit", "governance_audit", "target_audit", "restore_drill", "rehearsal", "tabletop"} <= set(DUTIES)
    for duty in shipped():
        assert duty.if_missed
        assert duty.asks
        assert (duty.answer_within is not None) == (duty.by == "people"), duty.id


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ((), "unknown"),
        (((1, planned("tabletop")),), "coming"),
        (((91, planned("tabletop")),), "due"),
        (((105, planned("tabletop")),), "overdue"),
        (((200, planned("tabletop")), (80, done("tabletop"))), "on_time"),
        (((200, planned("tabletop")), (91, done("tabletop")), (1, opened("tabletop"))), "asked"),
        (((200, planned("tabletop")), (105, done("tabletop")), (1, opened("tabletop"))), "overdue"),
        (((200, planned("tabletop")), (105, done("tabletop")), (3, skipped("tabletop"))), "skipped"),
    ],
)
def test_the_state_of_a_duty_follows_from_what_is_on_record(said: tuple[tuple[float, Body], ...], word: str) -> None:
    assert state("tabletop", *said).word == word


def test_a_run_that_was_missed_makes_nothing_fresh() -> None:
    missed = CadenceMissed(duty="tabletop", subject="", workflow_id="w", due=NOW, sentence="Nobody.")
    found = state("tabletop", (200, planned("tabletop")), (150, done("tabletop")), (1, missed))
    assert (found.word, found.runs) == ("overdue", 2)
    assert found.consequence == DUTIES["tabletop"].if_missed


def test_a_run_that_never_took_place_is_missing_once() -> None:
    said = ((10, planned("ledger_audit")), (3, done("ledger_audit", result="clean")))
    late = state("ledger_audit", *said)
    assert missed_since(late, NOW) == NOW - timedelta(days=2)
    missed = CadenceMissed(duty="ledger_audit", subject="", workflow_id="", due=NOW, sentence="No run took place.")
    assert missed_since(state("ledger_audit", *said, (1, missed)), NOW) is None
    assert missed_since(state("ledger_audit"), NOW) is None


def registered(playbook: str = "sha256:p") -> ReleaseRegistered:
    names = dict.fromkeys(("environment", "service", "candidate_name", "candidate_digest", "baseline_name"), "x")
    more = dict.fromkeys(("baseline_digest", "registered_by", "owner"), "x")
    return ReleaseRegistered(**names, **more, playbook_digest=playbook)


def test_closing_a_release_makes_the_threshold_review_of_its_playbook_due() -> None:
    before = ((60, planned("threshold_review")), (50, registered(), "r1"), (9, done("threshold_review", "bot")))
    assert state("threshold_review", *before, subject="bot").word == "on_time"
    closed = (*before, (2, ReleaseClosed(why="over"), "r1"))
    assert state("threshold_review", *closed, subject="bot").word == "due"
    assert state("threshold_review", *closed, (1, done("threshold_review", "bot")), subject="bot").word == "on_time"
    other = (*before, (3, registered("sha256:other"), "r2"), (2, ReleaseClosed(why="over"), "r2"))
    assert state("threshold_review", *other, subject="bot").word == "on_time"


def test_a_rehearsal_that_passed_is_the_rehearsal_of_its_playbook_done() -> None:
    passed = RehearsalPassed(scenario="s", playbook_digest="sha256:p")
    assert state("rehearsal", (100, planned("rehearsal")), (5, passed), subject="bot").word == "on_time"
    other = passed.model_copy(update={"playbook_digest": "sha256:old"})
    assert state("rehearsal", (100, planned("rehearsal")), (5, other), subject="bot").word == "overdue"


def test_criteria_that_nobody_decided_on_are_named() -> None:
    playbook = cases.playbook()
    names = criteria_of(playbook)
    assert len(set(names)) == len(names) > 0
    assert undecided_criteria([], playbook) == names
    review = done("threshold_review", playbook.name, criteria=(Decided(criterion=names[0], verdict="keep"),))
    assert undecided_criteria(records((1, review)), playbook) == names[1:]
    newer = done("threshold_review", playbook.name)
    assert undecided_criteria(records((2, review), (1, newer)), playbook) == names


def test_an_organisation_changes_intervals_and_takes_no_duty_away() -> None:
    found = {one.duty.id: one for one in in_force(OWN + "  ledger_audit: {every: 6h}\n", "cadence.yaml")}
    assert set(found) == set(DUTIES)
    assert (found["ledger_audit"].duty.every, found["ledger_audit"].longer) == (timedelta(hours=6), False)
    longer = in_force(OWN + "  tabletop: {every: 120d, because: Two teams take turns.}\n", "cadence.yaml")
    assert [one.duty.id for one in longer if one.longer] == ["tabletop"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OWN + "  tabletop: {every: 120d}\n", "write `because`"),
        (OWN + "  tabletop: {every: 500d, because: We have no time.}\n", "write 1h to 400d"),
        (OWN + "  tabeltop: {every: 5d}\n", "known are"),
        (OWN + "  tabletop: {off: true}\n", "off"),
        (OWN + "  tabletop: [\n", "cadence.yaml"),
    ],
)
def test_a_file_that_cannot_be_used_says_what_would_be_accepted(text: str, words: str) -> None:
    with pytest.raises(CadenceInvalid, match=r"cadence\.yaml") as refused:
        in_force(text, "cadence.yaml")
    assert words in str(refused.value)


def test_the_message_says_what_is_asked_until_when_and_what_happens_otherwise() -> None:
    subject, text = asking(DUTIES["tabletop"], "", {"safety_lead": ("Maria",), "x": ()}, NOW, 3, True, "http://c")
    assert "2026-11-20" in subject
    for words in ("safety lead (Maria)", "x (nobody holds it)", "If nobody answers", "http://c/cadence#tabletop"):
        assert words in text


def test_r99_the_cost_of_readiness_stands_beside_what_it_gives() -> None:
    said = records(
        (200, done("tabletop", minutes=600)),
        (20, done("tabletop", minutes=90)),
        (2, opened("key_drill")),
        (1, registered(), "r1"),
    )
    found = balance(said, states(list(DUTIES.values()), said, [], NOW), NOW)
    assert (found.hours, found.runs, found.releases, found.delayed) == (1.5, 1, 1, 0)
    assert [(one.role, one.count) for one in found.asks] == [("operator", 1)]
    assert (found.on_time, found.to_decide) == (1, None)

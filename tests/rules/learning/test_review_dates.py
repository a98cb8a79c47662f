"""Thresholds that nobody looked at for too long still run, and are flagged until reviewed (LRN-10)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from countermand.learning.proposal import REVIEW_AFTER
from countermand.learning.review_dates import due, overdue
from countermand.ledger.bodies import Body, ThresholdAdopted, ThresholdReviewed
from countermand.ledger.record import Record, build_line, parse_line
from tests.rules.learning.proposals import NOW, PATH, a_proposal, adopted, proposed

DAY = timedelta(days=1)
CONSENT = "thr-0123abcd-adopt"


def records(*said: tuple[datetime, Body]) -> list[Record]:
    return [
        parse_line(build_line(body.entry(f"k/{seq}", "worker"), seq=seq, prev="0" * 64, at=at))
        for seq, (at, body) in enumerate(said)
    ]


def number(**changes: Any) -> ThresholdAdopted:
    body = ThresholdAdopted(
        playbook="test-bot",
        version=2,
        digest="sha256:2",
        path=PATH,
        before="5",
        after="3",
        direction="tightened",
        reason="We agreed on it.",
        signers=(),
        consent_id=CONSENT,
        place="detection, blind after",
    )
    return body.model_copy(update=changes)


def reviewed(until: datetime) -> ThresholdReviewed:
    return ThresholdReviewed(
        playbook="test-bot", review_on=until, decision_id="d", subject="local|maria", name="Maria", reason="We looked."
    )


def test_lrn_10_before_any_adoption_there_is_nothing_to_flag() -> None:
    assert due([], "test-bot") == ()


def test_lrn_10_a_threshold_is_due_after_180_days_unless_its_proposal_says_otherwise() -> None:
    said = a_proposal(review_on=NOW + 30 * DAY)
    known = records(
        (NOW, adopted()), (NOW, proposed(said)), (NOW + DAY, adopted(2, consent_id=CONSENT)), (NOW + DAY, number())
    )
    assert [(one.place, one.review_on) for one in due(known, "test-bot")] == [
        ("detection, blind after", NOW + 30 * DAY),
        ("all other numbers of the detection", NOW + REVIEW_AFTER),
    ]
    assert due(known, "another-bot") == ()


def test_lrn_10_it_is_flagged_from_its_day_on_and_still_runs() -> None:
    known = records((NOW, adopted()))
    assert overdue(known, "test-bot", NOW + REVIEW_AFTER - DAY) is None
    flag = overdue(known, "test-bot", NOW + REVIEW_AFTER)
    assert flag is not None
    assert "still run" in flag.sentence


def test_lrn_10_a_signed_review_takes_the_flag_away_until_its_day_and_never_brings_a_date_nearer() -> None:
    late = NOW + 200 * DAY
    known = records((NOW, adopted()), (late, reviewed(late + 60 * DAY)))
    assert overdue(known, "test-bot", late + DAY) is None
    assert overdue(known, "test-bot", late + 61 * DAY) is not None
    early = records((NOW, adopted()), (NOW + DAY, reviewed(NOW + 2 * DAY)))
    assert overdue(early, "test-bot", NOW + 3 * DAY) is None


def test_lrn_10_a_number_of_an_adoption_that_does_not_stand_counts_for_nothing() -> None:
    known = records((NOW, adopted()), (NOW + 100 * DAY, number(consent_id="adopt-forged")))
    assert [one.place for one in due(known, "test-bot")] == ["all other numbers of the detection"]

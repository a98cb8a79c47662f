"""What people may do in a review, and what is refused with a way on (LRN-3, LRN-4, LRN-6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from countermand.governance.decision import Decision, DecisionKind, Refused
from countermand.governance.directory import Directory
from countermand.governance.shipped import rights_in_force
from countermand.ledger.bodies import ActionOpened, ReviewDrafted, ReviewPart, ReviewSigned
from countermand.ledger.record import GENESIS_PREV, Entry, Record, build_line, parse_line
from countermand.playbook.terms import Severity
from countermand.review import acts
from countermand.review.actions import ActionState, actions, before_re_release
from countermand.review.acts import Situation
from countermand.review.calls import calls, next_look, over
from countermand.review.parts import Part, form_of, meeting, required
from countermand.review.state import review
from tests import cases, fakes, reviewing

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
KEYS = fakes.FakeKeys()
DIRECTORY = Directory(governance=cases.governance(), digest="sha256:d", source="test", as_of=NOW)


def record(entry: Entry, seq: int, at: datetime = NOW) -> Record:
    return parse_line(build_line(entry.model_copy(update={"private": {}}), seq=seq, prev=GENESIS_PREV, at=at))


def situation(*more: Entry, must: str = "", now: datetime = NOW) -> Situation:
    drafted = ReviewDrafted(
        review_id="inc-1-review",
        workflow_id="review/inc-1",
        draft_sha256="sha256:d",
        owner="release_owner",
        due=NOW + 5 * DAY,
        required=("narrative",),
        meeting_at=NOW + 4 * DAY,
        sign_off=cases.playbook().review.sign_off,
    )
    entries = [drafted.entry("drafted", "worker", incident_id="inc-1", release_id="r"), *more]
    records = [record(one, seq) for seq, one in enumerate(entries)]
    state = review(records, "inc-1")
    assert state is not None
    return Situation(
        state=state,
        actions=actions(records),
        sign_off=cases.playbook().review.sign_off,
        environment="prod",
        must=must,
        now=now,
    )


def does(who: str, where: Situation, *, kind: DecisionKind = DecisionKind.keep_review, **terms: str) -> object:
    principal, reason = terms.pop("principal", "person"), terms.pop("reason", "agreed in the meeting")
    made: Decision = reviewing.decision(
        KEYS, DIRECTORY, who, "inc-1", kind=kind, reason=reason, principal=principal, **terms
    )
    acts.check(made, DIRECTORY, rights_in_force(DIRECTORY.governance), where)
    return acts.carried_out(made, DIRECTORY, where)


def opened(**changes: str) -> Entry:
    body = does(cases.JONAS, situation(), **reviewing.action(NOW + 10 * DAY, **changes))
    assert isinstance(body, ActionOpened)
    return body.entry("opened", cases.JONAS, incident_id="inc-1", release_id="r")


def only(where: Situation) -> ActionState:
    (one,) = where.actions
    return one


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"owner": "the platform team"}, "is no person of the directory"),
        ({"owner": ""}, "is no person of the directory"),
        ({"due": "soon"}, "is no day"),
        ({"due": "2026-11-01"}, "is over"),
        ({"due": "9999-12-31"}, "is too far away"),
        ({"verification": ""}, "the verification"),
        ({"type": "fix"}, "type 'fix' is not known"),
        ({"factors": "bad_luck"}, "factor 'bad_luck' is not known"),
        ({"before_re_release": "maybe"}, "Accepted: yes, no"),
        ({"link": "see my notes"}, "is no link"),
    ],
)
def test_lrn_4_an_action_without_owner_day_and_check_is_not_saved(changes: dict[str, str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        opened(**changes)


def test_lrn_4_verified_needs_what_the_check_found_and_dropped_the_safety_lead() -> None:
    where = situation(opened())
    named = only(where).action_id
    with pytest.raises(Refused, match="says too little"):
        does(cases.JONAS, where, act="verify_action", action=named, result="ok")
    with pytest.raises(Refused, match="needs the role safety_lead"):
        does(cases.JONAS, where, act="drop_action", action=named)
    with pytest.raises(Refused, match="shorter than 10"):
        does(cases.MARIA, where, act="drop_action", action=named, reason="no")
    assert does(cases.MARIA, where, act="drop_action", action=named, reason="the judge is not used any more")


def test_lrn_3_one_cause_alone_is_refused_and_a_blaming_text_is_saved_with_its_count() -> None:
    text = "Maria should have looked, and the root cause is the judge."
    with pytest.raises(Refused, match="there is never only one cause"):
        does(cases.JONAS, situation(), act="part", part="factors", text=text, factors="data")
    body = does(cases.JONAS, situation(), act="part", part="narrative", text=text)
    assert isinstance(body, ReviewPart)
    assert body.dismissed == 3


def test_automation_writes_nothing_and_signs_nothing() -> None:
    for kind, terms in ((DecisionKind.sign_review, {}), (DecisionKind.keep_review, reviewing.part(Part.narrative))):
        with pytest.raises(Refused, match="automation can never sign"):
            does(cases.MARIA, situation(), kind=kind, principal="automation", **terms)


def test_lrn_6_nobody_signs_before_it_is_written_and_what_is_published_is_chosen() -> None:
    with pytest.raises(Refused, match="nobody has written yet: What happened"):
        does(cases.MARIA, situation(), kind=DecisionKind.sign_review)
    part = does(cases.JONAS, situation(), **reviewing.part(Part.narrative))
    assert isinstance(part, ReviewPart)
    where = situation(part.entry("part", cases.JONAS, incident_id="inc-1", release_id="r"))
    with pytest.raises(Refused, match="Accepted: internal, customers, public"):
        does(cases.MARIA, where, kind=DecisionKind.sign_review, publication="press")
    signed = does(cases.MARIA, where, kind=DecisionKind.sign_review, publication="public")
    assert isinstance(signed, ReviewSigned)
    closed = acts.closing(signed, where)
    assert closed is not None
    assert (closed.outcome, closed.publication) == ("signed", "public")


def test_lrn_1_waiving_needs_the_safety_lead_and_no_serious_harm() -> None:
    with pytest.raises(Refused, match="needs the role safety_lead"):
        does(cases.JONAS, situation(), act="waive")
    with pytest.raises(Refused, match="cannot be waived: it was serious harm"):
        does(cases.MARIA, situation(must="it was serious harm (sev1)"), act="waive")


def test_lrn_1_the_form_and_the_parts_follow_how_it_ended_and_what_fired() -> None:
    sev2, sev1 = Severity.sev2, Severity.sev1
    assert form_of("expired", broke_glass=False, severity=sev2) == "near_miss"
    assert form_of("expired", broke_glass=True, severity=sev2) == "full"
    assert form_of("reverted", broke_glass=False, severity=sev2) == "full"
    assert form_of("expired", broke_glass=False, severity=sev1) == "full", "nobody decided while people were hurt"
    assert form_of("rejected", broke_glass=False, severity=sev1) == "near_miss", "people looked, and said no"
    assert Part.harms in required("near_miss", {"fairness"})
    assert Part.harms not in required("full", {"cost"})


def test_people_meet_within_five_working_days_and_never_after_it_is_due() -> None:
    friday = datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert meeting(friday, friday + 30 * DAY) == datetime(2026, 11, 27, 17, tzinfo=UTC)
    assert meeting(friday, friday + DAY) == friday + DAY


def test_lrn_5_whoever_comes_late_is_told_once_and_the_ladder_grows() -> None:
    where = situation(opened())
    due = only(where).due
    for after, point, roles in (
        (timedelta(), "0d", ()),
        (3 * DAY, "3d", ("release_owner",)),
        (8 * DAY, "7d", ("release_owner", "executive")),
        (36 * DAY, "35d", ("release_owner", "executive")),
    ):
        found = calls(where.state, where.actions, ("safety_lead",), due + after)
        (mine,) = [one for one in found if one.action_id]
        assert (mine.point, mine.roles, mine.person) == (point, roles, cases.JONAS)
        assert mine.coming > due + after
        assert next_look(where.state, where.actions, due + after) is not None
    assert not over(where.state, where.actions)


def test_lrn_30_an_action_that_comes_before_the_next_release_keeps_it_out_until_it_is_verified() -> None:
    gate = only(situation(opened(before_re_release="yes")))
    assert before_re_release([gate], ["inc-1"]) == (gate,)
    assert before_re_release([gate], ["inc-2"]) == ()
    again = gate.model_copy(update={"reopened_by": ("inc-2",)})
    assert before_re_release([again], ["inc-2"]) == (again,)
    assert before_re_release([gate.model_copy(update={"state": "done_unverified"})], ["inc-1"])
    assert before_re_release([gate.model_copy(update={"state": "verified"})], ["inc-1"]) == ()

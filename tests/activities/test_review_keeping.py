"""A review that is looked at: who is called now, and how many at once (LRN-5)."""

from __future__ import annotations

from datetime import timedelta

from activities.review_keeping import MOST_CALLS, SOON_AGAIN, LookAtReview, ReviewKeepingActivities
from countermand.ledger.bodies import ActionOpened, ReviewDrafted
from tests import cases, fakes, reviewing

INCIDENT, RELEASE = "inc-1", "r-1"


async def test_thousands_of_late_actions_are_called_about_in_parts() -> None:
    ledger, now = fakes.FakeLedger(), fakes.now()
    await reviewing.close_incident(ledger, INCIDENT, RELEASE)
    drafted = ReviewDrafted(
        review_id="inc-1-review",
        workflow_id="review/inc-1",
        draft_sha256="sha256:d",
        owner="release_owner",
        due=now + timedelta(days=5),
        required=("narrative",),
        meeting_at=now + timedelta(days=4),
        sign_off=cases.playbook().review.sign_off,
    )
    where = {"incident_id": INCIDENT, "release_id": RELEASE}
    await ledger.append(drafted.entry("drafted", "worker", **where))
    for number in range(MOST_CALLS + 1):
        action = ActionOpened(
            decision_id=f"d-{number}",
            subject=cases.JONAS,
            name="Jonas Weber",
            action_id=f"act-{number}",
            type="detect",
            what="Compare the judge with people",
            owner=cases.JONAS,
            owner_name="Jonas Weber",
            due=now - timedelta(hours=1),
            verification="read fifty samples",
            link="",
            before_re_release=False,
            factors=(),
            others=(),
        )
        await ledger.append(action.entry(f"action/{number}", cases.JONAS, **where))
    keeping = ReviewKeepingActivities(
        ledger, fakes.FakePeople(cases.governance()), fakes.FakeKeys(), fakes.FakeChannel(), "http://console"
    )
    looked = await keeping.look_at_review(LookAtReview(incident_id=INCIDENT, now=now))
    assert len(looked.calls) == MOST_CALLS
    assert looked.next_look == now + SOON_AGAIN, "the rest is not forgotten"

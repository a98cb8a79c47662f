"""I2: what proves that a plan may be undone because a follower did not follow."""

from __future__ import annotations

from countermand.governance.proof import lacking_undo
from countermand.ledger.bodies import Body, StageIntent, StageOutcome
from countermand.ledger.record import GENESIS_PREV, build_line, parse_line
from countermand.plan.model import Plan
from countermand.plan.target import Split, TargetState
from tests.plans import a_plan
from tests.rules.governance.asking import BEGIN, KEYS, directory

PLAN = a_plan().model_copy(update={"on_member_failure": "compensate"})
FOLLOWER = "prompts/chat"
STATE = TargetState(
    split=Split.candidate(0), revision="7", idempotency_key=None, fence=0, read_at=BEGIN, raw_sha256="sha256:0"
)


def tried(revert: int, plan: Plan = PLAN, member: str | None = FOLLOWER) -> Body:
    return StageIntent(
        revert=revert, stage=plan.stages[-1].number, desired=Split.candidate(0), before=STATE, key="k", fence=1,
        plan_digest=plan.digest, member=member,
    )  # fmt: skip


def ended(revert: int, result: str, member: str | None = FOLLOWER) -> Body:
    return StageOutcome(
        revert=revert, stage=PLAN.stages[-1].number, result=result, by="our_key", recovered=False, after=STATE,
        sentence="", member=member,
    )  # fmt: skip


def lacking(*bodies: Body, plan: Plan = PLAN) -> str:
    entries = [body.entry(f"k-{number}", "worker", incident_id="inc-1") for number, body in enumerate(bodies)]
    records = [
        parse_line(build_line(entry, seq=number, prev=GENESIS_PREV, at=BEGIN)) for number, entry in enumerate(entries)
    ]
    return lacking_undo(plan, records, KEYS.gateway_keys(), directory())


def test_a_follower_that_was_tried_and_refused_lets_what_moved_be_brought_back() -> None:
    assert lacking(tried(1), ended(1, "rejected")) == ""
    assert lacking(tried(1)) == ""


def test_a_follower_that_moved_or_may_have_moved_proves_nothing() -> None:
    assert lacking()
    assert lacking(tried(1), ended(1, "applied"))
    assert lacking(tried(1), ended(1, "ambiguous"))
    assert lacking(tried(1, member=None), ended(1, "rejected", member=None))


def test_a_playbook_that_holds_a_divided_bundle_is_not_overruled() -> None:
    held = PLAN.model_copy(update={"on_member_failure": "hold"})
    assert lacking(tried(1, held), ended(1, "rejected"), plan=held)


def test_a_follower_that_failed_in_an_earlier_try_and_moved_in_a_later_one_proves_nothing_any_more() -> None:
    assert lacking(tried(1), ended(1, "rejected"), tried(2), ended(2, "applied"))


def test_what_another_plan_did_since_takes_the_proof_away() -> None:
    other = PLAN.model_copy(update={"incident_id": "inc-2"})
    assert lacking(tried(1), ended(1, "rejected"), tried(1, other), ended(1, "rejected"))

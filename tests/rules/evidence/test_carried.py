"""What may carry an effect beside two plain votes, and what may not (EVD-24): each story as an intact pack."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from countermand.evidence import verify as v
from countermand.governance.decision import Actor, DecisionKind, DelegatedBy, SignatureClass
from countermand.ledger import bodies
from countermand.ledger.commitment import commitment
from countermand.plan.model import Moving, Plan
from countermand.plan.target import Member, Split
from tests import cases, plans
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import (
    ASK,
    BEGIN,
    INCIDENT,
    VOTERS,
    Book,
    Key,
    approved,
    asking,
    effect,
    effects,
    opening,
)

Story = Callable[[Book, Plan], None]
MARIA, JONAS = VOTERS
LIMIT = BEGIN + timedelta(minutes=30)


def report(story: Story, plan: Plan | None = None) -> v.Report:
    plan, book = plan or plans.a_plan(INCIDENT), Book()
    opening(book, plan)
    story(book, plan)
    found = packs.judged(packs.a_pack(book))
    assert found.first_bad is None or found.verdict == v.REJECTED
    return found


def findings(story: Story, plan: Plan | None = None) -> list[str]:
    found = report(story, plan)
    assert found.first_bad is None, str(found.first_bad)
    return list(dict.fromkeys(one.sentence for one in found.findings))


def lent(by: str, roles: tuple[str, ...], until: datetime = LIMIT) -> dict[str, Any]:
    """Priya acts with roles of somebody else."""
    delegation = DelegatedBy(delegation_id="d-1", subject=by, name=by, not_after=until)
    actor = Actor(
        subject="local|priya", printed_name="Priya Nair", principal="person", roles=roles, role_source="file",
        role_as_of=BEGIN, delegated_by=delegation,
    )  # fmt: skip
    return {"actor": actor}


def voted(*votes: tuple[Any, dict[str, Any]], **asked: Any) -> Story:
    """People are asked, vote, and the plan is carried out."""

    def story(book: Book, plan: Plan) -> None:
        asking(book, plan, **asked)
        for who, changes in votes:
            book.at = changes.pop("at", book.at)
            book.decide(*who, **changes)
        approved(book)
        effects(book, plan)

    return story


# --- Votes ------------------------------------------------------------------------------------------------------------


def test_a_role_that_was_lent_counts_until_the_delegation_ends() -> None:
    assert findings(voted((MARIA, lent(cases.MARIA, ("safety_lead",))), (JONAS, {}))) == []
    ended = lent(cases.MARIA, ("safety_lead",), BEGIN + timedelta(seconds=1))
    assert "missing: safety_lead" in findings(voted((MARIA, ended), (JONAS, {})))[0]


def test_whoever_lends_a_role_and_whoever_acts_with_it_are_one_person() -> None:
    both = voted((MARIA, {}), (JONAS, lent(cases.MARIA, ("release_owner",))))
    assert "missing: release_owner" in findings(both)[0]


def test_a_role_lent_by_somebody_who_is_excluded_does_not_count() -> None:
    assert "missing: safety_lead" in findings(voted((MARIA, lent(cases.LENA, ("safety_lead",))), (JONAS, {})))[0]


@pytest.mark.parametrize(
    ("extended", "after", "missing"),
    [(True, 31, ""), (False, 31, "missing: release_owner"), (True, 61, "missing: release_owner")],
)
def test_more_time_counts_once_and_as_long_again(extended: bool, after: int, missing: str) -> None:
    more = [(MARIA, {"kind": DecisionKind.extend})] if extended else []
    late = BEGIN + timedelta(minutes=after)
    found = findings(voted((MARIA, {}), *more, (JONAS, {"at": late})))
    assert missing in found[0] if missing else found == []


def test_an_extension_after_the_end_extends_nothing() -> None:
    late = {"kind": DecisionKind.extend, "at": BEGIN + timedelta(minutes=30)}
    assert "missing: release_owner" in findings(voted((MARIA, {}), (MARIA, late), (JONAS, {})))[0]


def test_a_vote_that_was_taken_back_does_not_count_until_it_is_given_again() -> None:
    back = (MARIA, {"kind": DecisionKind.retract})
    assert "missing: safety_lead" in findings(voted((MARIA, {}), back, (JONAS, {})))[0]
    assert findings(voted((MARIA, {}), (MARIA, {"kind": DecisionKind.retract}), (MARIA, {}), (JONAS, {}))) == []


def test_a_vote_in_the_class_that_was_asked_for_counts() -> None:
    strong = {"signature_class": SignatureClass.step_up}
    assert findings(voted((MARIA, dict(strong)), (JONAS, dict(strong)), signature_class=SignatureClass.step_up)) == []


def test_a_vote_whose_signature_has_no_meaning_is_no_part11_signature() -> None:
    weak = {"signature_class": SignatureClass.part11}
    right = weak | {"signature_meaning": "approved"}
    assert findings(voted((MARIA, dict(right)), (JONAS, dict(right)), signature_class=SignatureClass.part11)) == []
    found = findings(voted((MARIA, dict(right)), (JONAS, dict(weak)), signature_class=SignatureClass.part11))
    assert "missing: release_owner" in found[0]


@pytest.mark.parametrize(
    "less",
    [
        {"need_people": 1, "need_roles": ["safety_lead"]},
        {"requester": "local|nobody"},
        {"expires_at": "2026-03-02T23:00:00.000000Z"},
        {"signature_class": "standard"},
    ],
)
def test_a_record_that_asks_for_less_than_people_signed_is_a_finding(less: dict[str, Any]) -> None:
    def story(book: Book, plan: Plan) -> None:
        asking(book, plan, signature_class=SignatureClass.step_up)
        asked = v.json.loads(book.lines.pop())
        book.add("ask.opened", asked["body"] | less, incident=True)
        for who in VOTERS:
            book.decide(*who, signature_class=SignatureClass.step_up)
        approved(book)
        effects(book, plan)

    found = findings(story)
    assert found[0] == "the request says something else than what people signed"
    assert any("says something else than what people signed" in one for one in found[1:])


# --- Without votes ----------------------------------------------------------------------------------------------------


def at_once(plan: Plan) -> Plan:
    """All users back in one stage."""
    [*_, last] = plan.stages
    return plan.model_copy(update={"stages": (last.model_copy(update={"number": 1}),)})


def broken(signed: bool = True, **changes: Any) -> Story:
    def story(book: Book, plan: Plan) -> None:
        decision_id = f"decision-{book.seq}"
        if signed:
            terms = {"emergency": "last_known_good"}
            kim = ("local|kim", "Kim", ("incident_commander",))
            book.decide(*kim, kind=DecisionKind.break_glass, terms=terms, **changes)
        glass = {"decision_id": decision_id, "plan_digest": plan.digest}
        book.add("glass.broken", glass, incident=True)
        effects(book, plan, 1)

    return story


def test_a_broken_glass_carries_all_users_back_at_once_when_a_person_signed_it_in_their_own_right() -> None:
    plan = at_once(plans.a_plan(INCIDENT))
    assert findings(broken(), plan) == []
    assert "nobody signed in their own right" in findings(broken(signed=False), plan)[0]
    assert "nobody signed in their own right" in findings(broken(**lent(cases.MARIA, ("incident_commander",))), plan)[0]
    assert "moves all users back at once" in findings(broken())[0]


def standing(act: str, issued: bool = True, revoked: bool = False) -> Story:
    def story(book: Book, plan: Plan) -> None:
        if issued:
            book.add("standing.issued", {"authorisation": {"authorisation_id": "sa-1"}, "consent_id": "c-1"})
        if revoked:
            book.add("standing.revoked", {"authorisation_id": "sa-1", "consent_id": "c-2"})
        word = {"act": "automatic"} if act == "gate.decided" else {"action": "proceed"}
        book.add(act, word | {"plan_digest": plan.digest, "authorisation_id": "sa-1"}, incident=True)
        effects(book, plan)

    return story


@pytest.mark.parametrize("act", ["gate.decided", "ask.defaulted"])
def test_a_standing_authorisation_carries_a_plan_while_it_is_in_force(act: str) -> None:
    assert findings(standing(act)) == []
    assert "'sa-1' was revoked" in findings(standing(act, revoked=True))[0]
    assert "'sa-1' is not in this pack" in findings(standing(act, issued=False))[0]


# --- The way back of the way back -------------------------------------------------------------------------------------


def test_a_rollback_is_taken_back_by_a_signed_decision() -> None:
    def story(book: Book, plan: Plan) -> None:
        voted((MARIA, {}), (JONAS, {}))(book, plan)
        book.decide(*JONAS, kind=DecisionKind.reverse)
        effect(book, plan, v.REVERSE, plan.before)

    assert findings(story) == []


def bundle(plan: Plan, on_member_failure: str = "hold") -> Plan:
    """The plan with one follower, an alias of a registry."""
    follower = Moving(
        member=Member(target="registry", name="chat-prompt", candidate_digest="c", baseline_digest="b"),
        kind="alias", part="prompt",
        before=Split.candidate(10_000), before_revision="3", before_fence=0,
    )  # fmt: skip
    return plan.model_copy(update={"followers": (follower,), "on_member_failure": on_member_failure})


def together(result: str, *, undo: bool = False, desired: Split | None = None) -> Story:
    def story(book: Book, plan: Plan) -> None:
        voted((MARIA, {}), (JONAS, {}))(book, plan)
        last, [follower] = plan.stages[-1].number, plan.followers
        effect(book, plan, last, desired or Split.candidate(0), result, follower.name)
        if undo:
            effect(book, plan, v.REVERSE, plan.before)

    return story


def test_followers_move_to_where_the_plan_sends_them_and_nowhere_else() -> None:
    plan = bundle(plans.a_plan(INCIDENT))
    assert findings(together("applied"), plan) == []
    wrong = findings(together("applied", desired=Split.candidate(5_000)), plan)
    assert wrong == ["the plan does not ask for this split in this stage"]


def test_what_moved_is_brought_back_unsigned_only_when_the_plan_says_so_and_a_follower_stayed() -> None:
    plan = plans.a_plan(INCIDENT)
    unsigned = ["the rollback was taken back without a decision: nobody signed it"]
    assert findings(together("rejected", undo=True), bundle(plan, "compensate")) == []
    assert findings(together("applied", undo=True), bundle(plan, "compensate")) == unsigned
    assert findings(together("ambiguous", undo=True), bundle(plan, "compensate")) == unsigned
    assert findings(together("rejected", undo=True), bundle(plan, "hold")) == unsigned


# --- Keys and words ---------------------------------------------------------------------------------------------------


def gateway_replaced(sign_with_the_old: bool) -> Story:
    def story(book: Book, plan: Plan) -> None:
        old, new = book.gateway, Key("gw", "second gateway")
        asking(book, plan)
        book.decide(*MARIA)
        said = {"purpose": "gateway", "old_key_id": old.key_id, "key_id": new.key_id, "public": new.text}
        both = {"signed_by_old": old, "signed_by_new": new}
        signatures = {name: base64.b64encode(key.sign(v.canonical(said))).decode() for name, key in both.items()}
        book.add("key.rotated", said | signatures)
        book.gateway = old if sign_with_the_old else new
        book.decide(*JONAS)
        approved(book)
        effects(book, plan)

    return story


def test_decisions_before_and_after_a_replacement_of_the_gateway_key_both_count() -> None:
    assert findings(gateway_replaced(sign_with_the_old=False)) == []


def test_a_decision_under_a_gateway_key_that_was_replaced_is_rejected() -> None:
    bad = report(gateway_replaced(sign_with_the_old=True)).first_bad
    assert bad is not None
    assert "was not in use then" in bad.sentence


def test_a_vote_whose_reason_was_erased_still_counts() -> None:
    def story(book: Book, plan: Plan) -> None:
        place = (book.seq + 1, "/decision/reason")
        voted((MARIA, {}), (JONAS, {}))(book, plan)
        salt, value = book.openings[place]
        items = [commitment(value, bytes.fromhex(salt))]
        book.add("erasure.done", {"erasure_id": "e", "subject": cases.MARIA, "items": items, "count": 1})
        book.erased.add(place)

    found = report(story)
    assert found.findings == []
    assert found.integrity[-1].endswith("1 erased")


def test_a_closed_request_is_only_as_good_as_its_votes() -> None:
    def story(book: Book, plan: Plan) -> None:
        asking(book, plan)
        book.tell(bodies.AskClosed(ask_id=ASK, status="rejected", because="no", have=0, need=2))
        effects(book, plan)

    assert f"request {ASK!r} was not approved" in findings(story)[0]

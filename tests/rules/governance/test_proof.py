"""I2, before every effect: what the Ledger alone proves about an approval, lent roles and extensions included."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from countermand.governance.ask import RULES, Ask
from countermand.governance.decision import Actor, Decision, DecisionKind, DelegatedBy, SignatureClass
from countermand.governance.proof import lacking_approval
from countermand.ledger.bodies import AskClosed, AskOpened, Body, DecisionMade
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line
from tests import cases
from tests.rules.governance.asking import BEGIN, DIGEST, KEYS, OMAR, a_decision, an_actor, an_ask

MINUTE = timedelta(minutes=1)
WINDOW = 30 * MINUTE


def written(body: Body, at: datetime, number: int) -> Record:
    entry = body.entry(f"k-{number}", "worker", incident_id="inc-1")
    return parse_line(build_line(entry, seq=number, prev=GENESIS_PREV, at=at))


def records(ask: Ask, *decisions: tuple[Decision, datetime], status: str = "approved") -> list[Record]:
    opening = AskOpened(
        ask_id=ask.ask_id, workflow_id=ask.workflow_id, plan_digest=ask.plan_digest,
        evidence_digest=ask.evidence_digest, approval_digest=ask.approval_digest, requester=ask.requester,
        excluded=ask.excluded, need_roles=("safety_lead", "release_owner"), need_people=2, asked=(),
        opened_at=ask.opened_at, expires_at=ask.expires_at, default="hold", ladder=(), governance_digest=DIGEST,
        rules=RULES, supersedes=None, signature_class=ask.signature_class,
    )  # fmt: skip
    closing = AskClosed(ask_id=ask.ask_id, status=status, because="", have=2, need=2)
    made = [written(DecisionMade(decision=one), at, number) for number, (one, at) in enumerate(decisions, 1)]
    return [written(opening, BEGIN, 0), *made, written(closing, BEGIN + 2 * WINDOW, 99)]


def lacking(*acts: tuple[str | Actor, DecisionKind, timedelta], **changes: object) -> str:
    ask = an_ask(**changes)
    decisions = [(a_decision(ask, kind, who, number), BEGIN + after) for number, (who, kind, after) in enumerate(acts)]
    return lacking_approval(DIGEST, ask.ask_id, records(ask, *decisions), KEYS.gateway_keys())


def lent_by(subject: str, until: datetime = BEGIN + WINDOW) -> Actor:
    by = DelegatedBy(delegation_id="x", subject=subject, name=subject, not_after=until)
    return an_actor(OMAR, roles=("release_owner",), delegated_by=by)


YES, EXTEND = DecisionKind.approve, DecisionKind.extend


def test_two_signed_approvals_in_time_are_a_proof() -> None:
    assert lacking((cases.MARIA, YES, MINUTE), (cases.JONAS, YES, WINDOW - MINUTE)) == ""
    assert "missing: release owner" in lacking((cases.MARIA, YES, MINUTE), (cases.JONAS, YES, WINDOW))


def test_gov_21_a_lent_role_proves_as_much_as_an_own_one_while_it_is_lent() -> None:
    assert lacking((cases.MARIA, YES, MINUTE), (lent_by(cases.JONAS), YES, MINUTE)) == ""
    assert "release owner" in lacking((cases.MARIA, YES, MINUTE), (lent_by(cases.JONAS, BEGIN + MINUTE), YES, MINUTE))


@pytest.mark.parametrize("owner", [cases.LENA, "local|requester"])
def test_gov_19_a_role_lent_by_the_requester_or_the_author_proves_nothing(owner: str) -> None:
    found = lacking((cases.MARIA, YES, MINUTE), (lent_by(owner), YES, MINUTE), requester="local|requester")
    assert "release owner" in found


def test_gov_19_owner_and_delegate_prove_one_vote() -> None:
    both = (an_actor(cases.MARIA, roles=("safety_lead", "release_owner")), YES, MINUTE)
    assert "release owner" in lacking(both, (lent_by(cases.MARIA), YES, MINUTE))


def test_a_signed_extension_gives_one_more_window_and_no_second() -> None:
    late = ((cases.MARIA, YES, MINUTE), (cases.JONAS, YES, 2 * WINDOW - MINUTE))
    assert "release owner" in lacking(*late)
    assert lacking((cases.AMIRA, EXTEND, MINUTE), *late) == ""
    assert "release owner" in lacking((cases.AMIRA, EXTEND, WINDOW), *late), "not extended in time"
    again = [(cases.AMIRA, EXTEND, MINUTE), (cases.AMIRA, EXTEND, WINDOW), (cases.MARIA, YES, MINUTE)]
    assert "release owner" in lacking(*again, (cases.JONAS, YES, 2 * WINDOW))


def test_an_unsigned_extension_extends_nothing() -> None:
    ask = an_ask()
    forged = a_decision(ask, EXTEND, cases.AMIRA, 9).model_copy(update={"reason": "said by somebody else"})
    late = [(a_decision(ask, YES, cases.MARIA, 1), BEGIN), (a_decision(ask, YES, cases.JONAS, 2), BEGIN + WINDOW)]
    found = lacking_approval(DIGEST, ask.ask_id, records(ask, (forged, BEGIN), *late), KEYS.gateway_keys())
    assert "release owner" in found


def test_gov_62_votes_of_a_weaker_class_than_the_request_asks_for_prove_nothing() -> None:
    ask = an_ask(signature_class=SignatureClass.step_up)
    weak = a_decision(ask, YES, cases.MARIA, 1)
    strong = [
        a_decision(ask, YES, who, number, signature_class=SignatureClass.step_up)
        for number, who in enumerate((cases.MARIA, cases.JONAS), 2)
    ]

    def found(*votes: Decision) -> str:
        told = records(ask, *((vote, BEGIN + MINUTE) for vote in votes))
        return lacking_approval(DIGEST, ask.ask_id, told, KEYS.gateway_keys())

    assert found(*strong) == ""
    assert "missing: safety lead" in found(weak, strong[1])
    assert found(weak, *strong) == "", "a vote that is too weak does not stand in the way of the strong one"


def test_gov_62_a_class_that_was_written_into_a_signed_vote_afterwards_proves_nothing() -> None:
    ask = an_ask(signature_class=SignatureClass.step_up)
    made = [a_decision(ask, YES, who, number) for number, who in enumerate((cases.MARIA, cases.JONAS), 1)]
    forged = [vote.model_copy(update={"signature_class": SignatureClass.step_up}) for vote in made]
    told = records(ask, *((vote, BEGIN + MINUTE) for vote in forged))
    assert "too few signed approvals" in lacking_approval(DIGEST, ask.ask_id, told, KEYS.gateway_keys())


@pytest.mark.parametrize(
    "weaker", [{"need_roles": ("safety_lead",)}, {"need_people": 1}, {"expires_at": BEGIN + 9 * WINDOW}]
)
def test_a_request_whose_record_asks_for_less_than_what_people_signed_proves_nothing(weaker: dict[str, object]) -> None:
    ask = an_ask()
    opening, *rest = records(ask, (a_decision(ask, YES, cases.MARIA, 1), BEGIN + MINUTE))
    body = AskOpened.model_validate(opening.body).model_copy(update=weaker)
    told = [written(body, BEGIN, 0), *rest]
    found = lacking_approval(DIGEST, ask.ask_id, told, KEYS.gateway_keys())
    assert "something else than what people signed" in found

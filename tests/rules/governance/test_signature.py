"""GOV-61, 62: classes of signature, and that later fields cannot be slipped into an old signature."""

from __future__ import annotations

import pytest

from countermand.governance.approval import check
from countermand.governance.ask import ApprovalState
from countermand.governance.decision import DecisionKind, DelegatedBy, Refusal, Refused, SignatureClass
from countermand.governance.signature import satisfies
from tests import cases
from tests.rules.governance.asking import BEGIN, KEYS, a_decision, an_actor, an_ask

CLASSES = list(SignatureClass)


@pytest.mark.parametrize("required", CLASSES)
@pytest.mark.parametrize("given", CLASSES)
def test_gov_62_a_signature_suffices_for_standard_or_for_exactly_its_class(
    given: SignatureClass, required: SignatureClass
) -> None:
    decision = a_decision(
        an_ask(), DecisionKind.approve, cases.MARIA, signature_class=given, signature_meaning="approved"
    )
    assert satisfies(decision, required) == (required in (SignatureClass.standard, given))


def test_gov_62_a_part11_signature_says_what_it_means() -> None:
    decision = a_decision(an_ask(), DecisionKind.approve, cases.MARIA, signature_class=SignatureClass.part11)
    assert not satisfies(decision, SignatureClass.part11)


def test_gov_62_a_vote_that_is_signed_too_weakly_is_refused_and_says_what_to_do() -> None:
    ask = an_ask(signature_class=SignatureClass.step_up)
    with pytest.raises(Refused, match="second factor") as caught:
        check(ask, ApprovalState(), a_decision(ask, DecisionKind.approve, cases.MARIA), BEGIN)
    assert caught.value.code is Refusal.step_up_required
    strong = a_decision(ask, DecisionKind.approve, cases.MARIA, signature_class=SignatureClass.step_up)
    check(ask, ApprovalState(), strong, BEGIN)
    assert ask.approval_digest != an_ask().approval_digest, "the class is part of what votes are for"


def test_slk_19_rejecting_needs_no_second_factor_because_it_changes_nothing() -> None:
    ask = an_ask(signature_class=SignatureClass.step_up)
    check(ask, ApprovalState(), a_decision(ask, DecisionKind.reject, cases.MARIA), BEGIN)


def test_every_field_is_signed_and_what_was_typed_is_signed_by_its_commitment() -> None:
    decision = a_decision(an_ask(), DecisionKind.approve, cases.MARIA)
    assert decision.reason.encode() not in decision.signed_bytes()
    assert decision.bound[0].commit.encode() in decision.signed_bytes()
    by = DelegatedBy(delegation_id="x", subject=cases.JONAS, name="Jonas Weber", not_after=BEGIN)
    lent = an_actor(cases.MARIA, delegated_by=by)
    for changes in (
        {"signature_class": SignatureClass.step_up},
        {"signature_meaning": "approved"},
        {"actor": lent},
    ):
        with pytest.raises(Refused, match="signature_invalid"):
            KEYS.gateway_keys().verify(decision.model_copy(update=changes))
        signed = KEYS.sign(decision.model_copy(update=changes))
        KEYS.gateway_keys().verify(signed)
        with pytest.raises(Refused, match="signature_invalid"):
            KEYS.gateway_keys().verify(decision.model_copy(update={"signature": signed.signature}))


def test_gov_61_every_reason_code_of_the_design_exists() -> None:
    codes = (
        "expired already_decided stale not_your_role four_eyes directory_unavailable signature_invalid "
        "step_up_required view_incomplete view_not_shown actor_not_a_person external_account delegation_ended "
        "target_not_eligible rate_limited"
    )
    assert set(codes.split()) <= {code.value for code in Refusal}

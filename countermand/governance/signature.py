"""Does a signature suffice for what was asked (GOV-62)?"""

from __future__ import annotations

from countermand.governance.decision import Decision, Refusal, Refused, SignatureClass


def satisfies(decision: Decision, required: SignatureClass) -> bool:
    """True when the decision was signed in the required class; every class includes `standard`.

    `step_up` and `part11` do not include each other: the later signings of a part11 session need no fresh second
    factor, and a step-up need not name what the signature means (21 CFR 11.50).
    """
    match required:
        case SignatureClass.standard:
            return True
        case SignatureClass.step_up:
            return decision.signature_class is SignatureClass.step_up
        case SignatureClass.part11:
            return decision.signature_class is SignatureClass.part11 and decision.signature_meaning is not None


def refuse_weak(decision: Decision, required: SignatureClass) -> None:
    """Raise Refused(step_up_required) unless `satisfies`."""
    if satisfies(decision, required):
        return
    has = decision.signature_class.value
    if decision.signature_class is required:
        has += " without a meaning"
    raise Refused(
        Refusal.step_up_required,
        f"this decision needs a signature of class {required.value!r}; yours is {has!r}.",
        "Open the request in the console, confirm with your second factor, and decide again.",
    )

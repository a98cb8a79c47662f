"""A Decision: one signed act of one person, and the reasons a decision can be refused.

`decide()` in the console builds and signs it after authenticating the person; workflows verify it with no I/O.
The gateway key signs the decision as it stands in its line, where commitments replace what was typed. Ed25519: RFC
8032.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from countermand.canonical import canonical
from countermand.ledger.body import plain
from countermand.ledger.commitment import Bound, commitment
from countermand.ledger.private import ERASED
from countermand.plan.target import Value


class DecisionKind(StrEnum):
    """What a person can decide in this version."""

    approve = "approve"
    reject = "reject"
    retract = "retract"
    withdraw = "withdraw"
    hold = "hold"
    resume = "resume"
    abort = "abort"
    reverse = "reverse"
    ask_again = "ask_again"
    proceed_incomplete = "proceed_incomplete"
    sign_review = "sign_review"
    keep_review = "keep_review"
    extend = "extend"
    break_glass = "break_glass"
    ratify = "ratify"
    declare = "declare"
    raise_concern = "raise_concern"
    deny_version = "deny_version"
    keep_obligation = "keep_obligation"
    start_rollout = "start_rollout"
    stop_rollout = "stop_rollout"
    place_hold = "place_hold"
    fill_investigation = "fill_investigation"
    decide_finding = "decide_finding"
    waive_finding = "waive_finding"
    review_thresholds = "review_thresholds"
    do_duty = "do_duty"
    open_window = "open_window"


class Refusal(StrEnum):
    """Reason codes (GOV-61); what people read beside them is made where the rule is."""

    expired = "expired"
    already_decided = "already_decided"
    stale = "stale"
    not_your_role = "not_your_role"
    four_eyes = "four_eyes"
    signature_invalid = "signature_invalid"
    actor_not_a_person = "actor_not_a_person"
    view_not_shown = "view_not_shown"
    reason_too_short = "reason_too_short"
    wrong_state = "wrong_state"
    unknown_ask = "unknown_ask"
    already_voted = "already_voted"
    rate_limited = "rate_limited"
    directory_unavailable = "directory_unavailable"
    step_up_required = "step_up_required"
    view_incomplete = "view_incomplete"
    external_account = "external_account"
    delegation_ended = "delegation_ended"
    target_not_eligible = "target_not_eligible"


class SignatureClass(StrEnum):
    """How strongly an act is signed (GOV-62).

    standard: a signed-in session. step_up: a fresh second factor bound to the digest that is decided on.
    part11: two components at the first signing of a session, a private one at each later (21 CFR 11.200).
    """

    standard = "standard"
    step_up = "step_up"
    part11 = "part11"


#: Terms that come from a closed set or name a thing; every other term is what somebody typed (EVD-26).
PLAIN_TERMS = (
    *("mode", "severity", "emergency", "digest", "environment", "not_before", "not_after"),
    *("incidents", "classes", "subjects", "digests", "custodians"),
    # Choices of an investigation of unfairness.
    *("outcome", "protected", "target_is", "recommendation"),
    *("proposal", "waives", "playbook", "scenario"),
    # Clocks: what an act names stands in the open in its own record; the reasons of people do not.
    *("act", "row", "event", "at", "zone", "certainty", "evidence", "path", "value", "channel", "reference"),
    *("filed_at", "partial", "rule", "authority", "until", "regime", "reportable", "facts", "counsel_ref"),
    *("duty", "minutes", "criteria"),
    *("review_at", "sha256", "receipt_sha256", "document_sha256", "facts_root", "undecided_regimes", "necessity"),
    # Reviews: what is written and what has to be done stays out.
    *("part", "factors", "action", "type", "owner", "due", "link", "before_re_release", "done", "publication"),
)

Meaning = Literal["reviewed", "approved", "authorised", "accountable", "witnessed"]


class Refused(ValueError):
    """A decision that does not count; nothing changed. `next` says what to do."""

    def __init__(self, code: Refusal, detail: str, next_: str) -> None:
        super().__init__(f"{code.value}: {detail} {next_}")
        self.code = code
        self.detail = detail
        self.next = next_


class DelegatedBy(Value):
    """Whose roles somebody acts with, under which delegation, and when it ends (GOV-21)."""

    delegation_id: str
    subject: str
    name: str
    not_after: datetime


class Actor(Value):
    """The person behind an act, as the identity provider and the role directory know them now.

    `roles` are their own, or those of `delegated_by`; never a mix.
    """

    subject: str
    printed_name: str
    principal: Literal["person", "automation"]
    roles: tuple[str, ...]
    role_source: str
    role_as_of: datetime
    delegated_by: DelegatedBy | None = None


class Decision(Value):
    """One signed act. `addressed_to` is the workflow it is for; it counts nowhere else.

    `terms`: what the kind needs beside a reason, by name (the severity and harm of a declared incident, what to do
    when the glass is broken); signed like everything else. `bound`: for each typed text the commitment that the
    signature covers; whoever does not hold the text can still check it.
    """

    decision_id: str
    kind: DecisionKind
    addressed_to: str
    incident_id: str
    ask_id: str | None
    approval_digest: str | None
    reason: str
    actor: Actor
    channel: Literal["web", "cli", "api", "slack"]
    acr: str
    view_sha256: str | None
    decided_at: datetime
    gateway_key_id: str
    signature: str = ""
    signature_class: SignatureClass = SignatureClass.standard
    signature_meaning: Meaning | None = None
    terms: dict[str, str] = Field(default_factory=dict)
    bound: tuple[Bound, ...] = ()

    def typed(self) -> tuple[str, ...]:
        """JSON pointers to what the person typed. Terms are such texts unless they are known to be none."""
        return ("/reason", *(f"/terms/{name}" for name in sorted(self.terms) if name not in PLAIN_TERMS))

    def bind(self, draw: Callable[[], bytes]) -> Decision:
        """The same decision with a commitment to each typed text; `draw` gives 32 random bytes."""
        bound = []
        for pointer in self.typed():
            salt = draw()
            commit = commitment(self._text(pointer), salt)
            bound.append(Bound(pointer=pointer, commit=commit, salt=salt.hex()))
        return self.model_copy(update={"bound": tuple(bound)})

    def signed_bytes(self) -> bytes:
        """The bytes the gateway key signs: the decision as it stands in its line, without `signature`.

        Raises ValueError when a typed text is not bound, or is not the one that its commitment was made for.
        """
        bound = tuple(one.pointer for one in self.bound)
        if bound != self.typed():
            raise ValueError(f"{bound!r} are bound; {self.typed()!r} have to be")
        said = plain(self.model_dump(mode="python", exclude={"signature", "bound"}))
        for one in self.bound:
            text = self._text(one.pointer)
            genuine = commitment(text, bytes.fromhex(one.salt)) == one.commit if one.salt else text == ERASED
            if not genuine:
                raise ValueError(f"{one.pointer!r} is not the text that was bound")
            holder = said if one.pointer == "/reason" else said["terms"]
            holder[one.pointer.rsplit("/", 1)[1]] = {"commit": one.commit}
        return canonical(said)

    def _text(self, pointer: str) -> str:
        return self.reason if pointer == "/reason" else self.terms[pointer.removeprefix("/terms/")]


class GatewayKeys(Value):
    """Public gateway keys by id, pinned when a workflow starts."""

    public: dict[str, str]

    def verify(self, decision: Decision) -> None:
        """Raise Refused(signature_invalid) unless a pinned key signed exactly this decision."""
        encoded = self.public.get(decision.gateway_key_id)
        try:
            if encoded is None:
                raise InvalidSignature
            key = Ed25519PublicKey.from_public_bytes(base64.b64decode(encoded, validate=True))
            key.verify(base64.b64decode(decision.signature, validate=True), decision.signed_bytes())
        except (InvalidSignature, ValueError) as error:
            raise Refused(
                Refusal.signature_invalid,
                "this decision was not signed by the console.",
                "Decide in the console, with the command line or in Slack.",
            ) from error


def sign(decision: Decision, key: Ed25519PrivateKey) -> Decision:
    """The same decision with its signature (base64) filled in. Raises ValueError unless its texts are bound."""
    signature = base64.b64encode(key.sign(decision.signed_bytes())).decode()
    return decision.model_copy(update={"signature": signature})

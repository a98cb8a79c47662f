"""The standing authorisations that were issued, as the Ledger and the gateway's signatures say (GOV-28)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from countermand.canonical import digest
from countermand.governance.consent import consent_digest
from countermand.governance.decision import Actor, Decision, DecisionKind, GatewayKeys, Refused
from countermand.governance.rights import Right
from countermand.governance.signature import refuse_weak
from countermand.governance.standing import StandingAuthorisation
from countermand.ledger.bodies import (
    ConsentOpened,
    ConsentVote,
    DecisionMade,
    StandingIssued,
    StandingRevoked,
    parse_body,
)
from countermand.ledger.record import Kind, Record

#: The kinds of record that the register is made of.
KINDS = (Kind.consent_opened, Kind.consent_vote, Kind.decision, Kind.standing_issued, Kind.standing_revoked)


def standing_authorisations(records: Sequence[Record], keys: GatewayKeys) -> tuple[StandingAuthorisation, ...]:
    """All that were issued, the oldest first, with the signers whose signatures hold and the time of a revocation.

    A signer whose signature does not hold is left out, and `standing.valid` then says which signature it lacks. A
    revocation counts whoever wrote it: it can only send a gate to people.
    """
    found: dict[str, StandingAuthorisation] = {}
    opened: dict[str, ConsentOpened] = {}
    signed: dict[str, Decision] = {}
    votes: list[ConsentVote] = []
    for record in records:
        match parse_body(record):
            case ConsentOpened() as body:
                opened.setdefault(body.consent_id, body)
            case DecisionMade(decision=decision):
                signed.setdefault(decision.decision_id, decision)
            case ConsentVote() as body:
                votes.append(body)
            case StandingIssued() as body:
                issued = StandingAuthorisation.model_validate(body.authorisation)
                asked = opened.get(body.consent_id)
                cast = [vote for vote in votes if vote.consent_id == body.consent_id]
                signers = signers_of(issued.digest, asked, cast, signed, keys) if asked else ()
                issued = issued.model_copy(update={"signers": signers, "revoked_at": None})
                found.setdefault(issued.authorisation_id, issued)
            case StandingRevoked(authorisation_id=name) if name in found and found[name].revoked_at is None:
                found[name] = found[name].model_copy(update={"revoked_at": record.at})
    return tuple(found.values())


def signers_of(
    document_digest: str,
    asked: ConsentOpened,
    votes: Sequence[ConsentVote],
    signed: Mapping[str, Decision],
    keys: GatewayKeys,
) -> tuple[Actor, ...]:
    """The different people who signed exactly this document before the request for it lapsed.

    votes: those of the request `asked`; signed: decisions by their id. A signature that does not hold is left out.
    """
    if digest(asked.document) != document_digest:
        return ()
    wanted = consent_digest(
        consent_id=asked.consent_id,
        subject=asked.subject,
        document=asked.document,
        right=asked.right,
        requester=asked.requester,
        excluded=asked.excluded,
        expires_at=asked.expires_at,
    )
    right = Right.model_validate(asked.right)
    signers: dict[str, Actor] = {}
    counted = {asked.requester, *asked.excluded}
    for vote in votes:
        if vote.vote == "retract":
            struck = signers.pop(vote.subject, None)
            counted -= _people(struck) if struck else set()
            continue
        decision = signed.get(vote.decision_id)
        if decision is None or not _holds(decision, asked, wanted, right, keys):
            continue
        people = _people(decision.actor)
        if not people & counted:
            signers[decision.actor.subject] = decision.actor
            counted |= people
    return tuple(signers.values())


def _holds(decision: Decision, asked: ConsentOpened, wanted: str, right: Right, keys: GatewayKeys) -> bool:
    meant = (decision.kind, decision.ask_id, decision.approval_digest)
    in_time = decision.decided_at < asked.expires_at
    if meant != (DecisionKind.approve, asked.consent_id, wanted) or not in_time:
        return False
    try:
        keys.verify(decision)
        if right.signature is not None:
            refuse_weak(decision, right.signature)
    except Refused:
        return False
    return decision.actor.principal == "person"


def _people(actor: Actor) -> set[str]:
    """The people an actor counts as."""
    return {actor.subject} | ({actor.delegated_by.subject} if actor.delegated_by else set())

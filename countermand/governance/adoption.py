"""Which playbooks people adopted, as the Ledger and the adoption key say (T9).

A version counts only upwards: a record that does not follow the one before it is no adoption, whoever signed it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from countermand.canonical import canonical, digest
from countermand.governance.decision import Actor, Decision, GatewayKeys
from countermand.governance.register import signers_of
from countermand.governance.rights import Action, Right, RightsTable
from countermand.ledger.bodies import (
    ConsentOpened,
    ConsentVote,
    DecisionMade,
    KeyAdded,
    KeyRotated,
    PlaybookAdopted,
    parse_body,
)
from countermand.ledger.record import Record
from countermand.playbook.differences import Comparison
from countermand.playbook.model import Playbook, Severity

#: Which row of the rights table a change needs.
ACTIONS = {
    "new": Action.adopt_playbook,
    "other": Action.adopt_playbook,
    "tightened": Action.tighten_threshold,
    "loosened": Action.loosen_threshold,
}


def action(change: str, origins: Collection[str] = ()) -> Action:
    """The row of the rights table for a change. A number that nobody measured, and no law or policy states, needs the
    people of a laxer one (R20)."""
    return Action.loosen_threshold if "judgement" in origins else ACTIONS[change]


def document(
    playbook: Playbook,
    digest_: str,
    previous: PlaybookAdopted | None,
    found: Comparison,
    because: str,
    proposal: Mapping[str, Any] | None = None,
) -> Any:
    """What people sign to adopt a playbook. proposal: what a proposed change of thresholds rests on."""
    rests = {} if proposal is None else {"proposal": dict(proposal)}
    origins = () if proposal is None else tuple(one["origin"] for one in proposal["origins"])
    return rests | {
        "act": action(found.change, origins).value,
        "playbook": playbook.name,
        "version": playbook.version,
        "digest": digest_,
        "previous_digest": previous.digest if previous else "",
        "change": found.change,
        "changes": [one.model_dump(mode="json") for one in found.changes],
        "because": because,
    }


def signed_bytes(name: str, version: int, digest_: str, previous_digest: str) -> bytes:
    """What the adoption key signs."""
    return canonical({"name": name, "version": version, "digest": digest_, "previous_digest": previous_digest})


def succession(records: Sequence[Record]) -> dict[str, bytes]:
    """Public adoption keys by key id, the oldest first: the first on record, then each to which the one before it and
    it itself signed over. A key that only stands in a record, or only in a file, is none of them."""
    found: dict[str, bytes] = {}
    for record in sorted(records, key=lambda one: one.seq):
        match parse_body(record):
            case KeyAdded(purpose="adoption") as body if not found:
                found[body.key_id] = base64.b64decode(body.public)
            case KeyRotated(purpose="adoption", old_key_id=old) as body if found and old == list(found)[-1]:
                said = KeyRotated.signed_bytes(body.purpose, old, body.key_id, body.public)
                new = base64.b64decode(body.public)
                if _signed(found[old], body.signed_by_old, said) and _signed(new, body.signed_by_new, said):
                    found[body.key_id] = new
    return found


def adopted(records: Sequence[Record], name: str, public: Mapping[str, bytes]) -> tuple[PlaybookAdopted, ...]:
    """The adoptions of one playbook that hold, the oldest first: signed by a known key (id → 32 bytes), each with a
    higher version than the one before it and naming that one's digest."""
    found: list[PlaybookAdopted] = []
    for record in sorted(records, key=lambda one: one.seq):
        body = parse_body(record)
        if not isinstance(body, PlaybookAdopted) or body.name != name or not _genuine(body, public):
            continue
        last = found[-1] if found else None
        if body.version > (last.version if last else 0) and body.previous_digest == (last.digest if last else ""):
            found.append(body)
    return tuple(found)


def not_adopted(digest_: str, known: Sequence[PlaybookAdopted]) -> str:
    """Why nothing may run by this playbook; empty when it was adopted, also when a newer one is in force by now."""
    return "" if any(one.digest == digest_ for one in known) else f"playbook {digest_} was never adopted"


def not_newest(digest_: str, known: Sequence[PlaybookAdopted]) -> str:
    """Why a release may not name this playbook; empty when it is the version in force."""
    if why := not_adopted(digest_, known):
        return why
    newest = known[-1]
    return "" if newest.digest == digest_ else f"version {newest.version} ({newest.digest}) is in force instead"


def not_next(playbook: Playbook, known: Sequence[PlaybookAdopted]) -> str:
    """Why this version cannot be adopted; empty when it can: versions only count up."""
    newest = known[-1].version if known else 0
    if playbook.version > newest:
        return ""
    return f"version {playbook.version} of {playbook.name!r} is not above version {newest}, which is in force"


def agreed(
    wanted: Any, action: Action, asked: ConsentOpened, records: Sequence[Record], keys: GatewayKeys, table: RightsTable
) -> tuple[tuple[Actor, ...], tuple[str, ...]]:
    """(the people whose signatures on exactly this document hold, the places of the right that they leave empty).

    Nobody's signature holds for a request under another row of the rights table than the change needs: it may have
    asked for fewer people, or for weaker signatures.
    """
    signed: dict[str, Decision] = {}
    votes: list[ConsentVote] = []
    for record in records:
        match parse_body(record):
            case DecisionMade(decision=decision):
                signed.setdefault(decision.decision_id, decision)
            case ConsentVote() as vote if vote.consent_id == asked.consent_id:
                votes.append(vote)
    right = table.row(action, Severity.sev1)
    same = Right.model_validate(asked.right) == right
    signers = signers_of(digest(wanted), asked, votes, signed, keys) if same else ()
    return signers, right.missing({one.subject: one.roles for one in signers})


def _genuine(body: PlaybookAdopted, public: Mapping[str, bytes]) -> bool:
    key = public.get(body.key_id)
    said = signed_bytes(body.name, body.version, body.digest, body.previous_digest)
    return key is not None and _signed(key, body.signature, said)


def _signed(key: bytes, signature: str, said: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature, validate=True), said)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True

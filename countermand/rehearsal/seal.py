"""The seal of a run: signed by the sandbox's own key, which its Ledger names and which goes with the sandbox."""

from __future__ import annotations

import base64
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from countermand.ledger.key_chain import KeyChain, KeyChainBroken
from countermand.rehearsal.run import Run

_DOMAIN = b"countermand.rehearsal/v1\n"


class Signer(Protocol):
    """The sandbox's ledger key."""

    def sign(self, message: bytes) -> bytes: ...


def sealed(run: Run, signer: Signer) -> Run:
    """The run with a seal over everything else in it."""
    return run.model_copy(update={"seal": base64.b64encode(signer.sign(_said(run))).decode()})


def seal_holds(run: Run) -> bool:
    """Whether a key that the run's own records name sealed exactly this."""
    try:
        signature = base64.b64decode(run.seal, validate=True)
        keys = KeyChain.of(run.records, "ledger").publics
    except (ValueError, KeyChainBroken):
        return False
    return any(_signed(public, signature, _said(run)) for public in keys)


def _said(run: Run) -> bytes:
    return _DOMAIN + run.model_dump_json(exclude={"seal"}).encode()


def _signed(public: bytes, signature: bytes, said: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, said)
    except (InvalidSignature, ValueError):
        return False
    return True

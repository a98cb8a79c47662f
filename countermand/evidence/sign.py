"""The files beside the manifest: its list for coreutils, and the ledger key's signature in the forms of other tools.

Raw Ed25519 for OpenSSL, SSHSIG for `ssh-keygen -Y verify` (PROTOCOL.sshsig), and an in-toto Statement v1 in a DSSE
envelope and a Sigstore bundle v0.3 for cosign and sigstore. Ed25519 is deterministic: the same manifest and key give
the same bytes. The forms themselves stand in `verify.py`, which compares them byte for byte.
"""

from __future__ import annotations

import hashlib
import json

from countermand.evidence import verify
from countermand.ledger.note import Signer, vkey


def public_files(signer: Signer, name: str) -> dict[str, bytes]:
    """The ledger's public key in the three forms that the manifest lists. name: the origin."""
    return {
        "keys/log.vkey": vkey(name, signer.public).encode() + b"\n",
        "keys/ledger.pub.pem": verify.pem(signer.public),
        "keys/ledger.allowed_signers": verify.allowed_signers(name, signer.public),
    }


def public_pem(public: bytes) -> bytes:
    """An Ed25519 public key of 32 bytes as OpenSSL reads it."""
    return verify.pem(public)


def signatures(manifest: bytes, signer: Signer, name: str) -> dict[str, bytes]:
    """The files that speak about this manifest, by path. name: the origin.

    Raises ValueError when the manifest is of another origin or names another key.
    """
    said = json.loads(manifest)
    if (said["origin"], said["log_vkey"]) != (name, vkey(name, signer.public)):
        raise ValueError(f"the manifest is of {said['origin']!r} under {said['log_vkey']!r}, the key of {name!r}")
    statement = verify.statement(manifest)
    digests = {entry["path"]: entry["sha256"] for entry in said["files"]}
    digests["manifest.json"] = hashlib.sha256(manifest).hexdigest()
    return {
        "manifest.sha256": "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode(),
        "manifest.json.sig": signer.sign(manifest),
        "manifest.json.sshsig": verify.ssh_armour(signer.public, signer.sign(verify.ssh_signed(manifest))),
        "attestation.sigstore.json": verify.bundle(statement, signer.public, signer.sign(verify.attested(statement))),
    }

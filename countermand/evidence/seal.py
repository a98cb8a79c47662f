"""`seal/`: the record of the sealing in a later tree, that this tree contains the pack's, and who else signed it.

A stronger seal can replace a weaker one later; the manifest stays (EVD-15).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence

from countermand.canonical import canonical
from countermand.ledger.note import Checkpoint, Signer


def build(
    record_line: str,
    index: int,
    checkpoint: Checkpoint,
    inclusion: Sequence[bytes],
    consistency: Sequence[bytes],
    cosignatures: Sequence[str],
    timestamp: bytes | None,
    signer: Signer,
) -> dict[str, bytes]:
    """The files of the seal, by path.

    record_line: the record `evidence.sealed`, number `index`. checkpoint: of a tree that holds it; `inclusion` proves
    that, `consistency` that it grew out of the pack's. cosignatures: signature lines. timestamp: an RFC 3161 answer.
    """
    body = json.loads(record_line)["body"]
    whole = checkpoint.note + "".join(f"{line.strip()}\n" for line in sorted(cosignatures))
    path = "".join(f"{base64.b64encode(one).decode()}\n" for one in inclusion)
    proof = f"index {index}\n{path}\n{whole}"
    grown = {"old": body["tree_size"], "new": checkpoint.size, "hashes": [one.hex() for one in consistency]}
    files = {
        "seal/record.json": record_line.encode(),
        "seal/record.json.tlog-proof": f"c2sp.org/tlog-proof@v1\n{proof}".encode(),
        "seal/record.json.spicy": proof.encode(),
        "seal/checkpoint": whole.encode(),
        "seal/checkpoint.log": checkpoint.note.encode(),
        "seal/consistency.json": canonical(grown),
    }
    if timestamp is not None:
        files["seal/checkpoint.log.tsr"] = timestamp
    listed = [
        {"path": name, "size": len(files[name]), "sha256": hashlib.sha256(files[name]).hexdigest()}
        for name in sorted(files)
    ]
    listing = canonical(
        {
            "index": index,
            "tree_size": checkpoint.size,
            "manifest_sha256": body["manifest_sha256"],
            "files": listed,
        }
    )
    return files | {"seal/index.json": listing, "seal/index.json.sig": signer.sign(listing)}

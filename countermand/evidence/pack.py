"""All files under the manifest of a pack, from its material. Pure: what draws the PDF and who signs comes in."""

from __future__ import annotations

import base64

from countermand.evidence.instructions import shipped
from countermand.evidence.manifest import NotApplicable
from countermand.evidence.material import Material
from countermand.evidence.sections import Section
from countermand.evidence.sections.controls import control_map
from countermand.evidence.sign import public_files, public_pem
from countermand.ledger.note import Checkpoint, Signer, vkey


def gateway_keys(material: Material) -> dict[str, bytes]:
    """Public keys that signed decisions and adoptions, as the records name them."""
    return {
        f"keys/{record.body['purpose']}-{record.body['key_id']}.pub.pem": public_pem(
            base64.b64decode(record.body["public"], validate=True)
        )
        for record in material.of("key.added", "key.rotated")
        if record.body["purpose"] != "ledger"
    }


def assemble(
    material: Material,
    made: Section,
    *,
    checkpoint: Checkpoint,
    leaves: bytes,
    signer: Signer,
    summaries: Section,
) -> tuple[dict[str, bytes], list[NotApplicable]]:
    """Every file that the manifest lists, and what is not there with its reason.

    made: the sections. leaves: 32 bytes for each leaf of the checkpoint's tree. signer: the ledger key, of which only
    the public half is used. summaries: `SUMMARY.html` and `SUMMARY.pdf`.
    """
    files = {
        **made.files,
        **summaries.files,
        **shipped(material.scope, checkpoint, vkey(checkpoint.origin, signer.public)),
        **public_files(signer, checkpoint.origin),
        **gateway_keys(material),
        "ledger/records.jsonl": "".join(f"{record.line}\n" for record in material.records).encode(),
        "ledger/leaf_hashes.bin": leaves,
        "ledger/checkpoint": checkpoint.note.encode(),
    }
    missing = made.missing | summaries.missing
    files["control_map.json"] = control_map(files, missing)
    return files, [NotApplicable(path=path, reason=missing[path]) for path in sorted(missing)]

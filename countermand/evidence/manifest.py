"""`manifest.json`: what the pack holds, which part of the Ledger it shows, and the root that it rests on (EVD-15)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal

from countermand.canonical import canonical
from countermand.evidence.container import safe_paths
from countermand.evidence.verify import BESIDE, FORMAT
from countermand.ledger.note import Checkpoint
from countermand.plan.target import Value

Profile = Literal["full", "redacted"]

_MEDIA_TYPES = {
    "bin": "application/octet-stream",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "md": "text/markdown",
    "pdf": "application/pdf",
    "pem": "application/x-pem-file",
    "png": "image/png",
    "py": "text/x-python",
    "sh": "application/x-sh",
    "txt": "text/plain",
}


class Scope(Value):
    """Which part of the Ledger a pack shows; both sequence numbers belong to it."""

    kind: Literal["incident", "period"]
    incident_id: str | None
    first_seq: int
    last_seq: int


class NotApplicable(Value):
    """A section that this pack does not have, and why."""

    path: str
    reason: str


def build(
    files: Mapping[str, bytes],
    *,
    scope: Scope,
    profile: Profile,
    checkpoint: Checkpoint,
    log_vkey: str,
    not_applicable: Sequence[NotApplicable] = (),
) -> bytes:
    """The canonical manifest of these files.

    Raises ValueError for a path that is not plain, one that the manifest cannot list, or an absent file that is there.
    """
    if beside := [path for path in files if path in BESIDE or path.startswith("seal/")]:
        raise ValueError(f"{beside!r} cannot be listed: they speak about the manifest")
    if present := [one.path for one in not_applicable if one.path in files]:
        raise ValueError(f"{present!r} are in the pack and listed as not applicable")
    try:
        safe_paths(files)
    except Exception as error:
        raise ValueError(str(error)) from None
    return canonical(
        {
            "format": FORMAT,
            "scope": scope.model_dump(mode="json"),
            "profile": profile,
            "origin": checkpoint.origin,
            "tree_size": checkpoint.size,
            "root": checkpoint.root,
            "log_vkey": log_vkey,
            "files": [
                {
                    "path": path,
                    "size": len(files[path]),
                    "sha256": hashlib.sha256(files[path]).hexdigest(),
                    "media_type": _MEDIA_TYPES.get(path.rsplit(".", 1)[-1], "application/octet-stream"),
                }
                for path in sorted(files)
            ],
            "not_applicable": [one.model_dump(mode="json") for one in sorted(not_applicable, key=lambda one: one.path)],
        }
    )

"""What a pack says about its own verification: `VERIFY.md`, `verify.sh` and `verify.py`."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from string import Template

from countermand.evidence.manifest import Scope
from countermand.evidence.verify import PREDICATE_TYPE
from countermand.ledger.note import Checkpoint


def shipped(scope: Scope, checkpoint: Checkpoint, log_vkey: str) -> dict[str, bytes]:
    """The three files, by path; the same for the same part of the Ledger and version of the product."""
    here = files("countermand.evidence")
    program = (here / "verify.py").read_bytes()
    text = Template((here / "VERIFY.md").read_text(encoding="utf-8")).substitute(
        what=f"incident {scope.incident_id}" if scope.kind == "incident" else "a period",
        first=scope.first_seq,
        last=scope.last_seq,
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=checkpoint.root,
        vkey=log_vkey,
        sha256=hashlib.sha256(program).hexdigest(),
        predicate=PREDICATE_TYPE,
    )
    return {"VERIFY.md": text.encode(), "verify.py": program, "verify.sh": (here / "verify.sh").read_bytes()}

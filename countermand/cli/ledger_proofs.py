"""`ledger checkpoint|prove`: what a stranger needs to check a record without us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, JsonObject, detail, say

#: First line of the proof files of c2sp.org/tlog-proof.
TLOG_PROOF = "c2sp.org/tlog-proof@v1"


def checkpoint(output: FormatOption = Format.table) -> None:
    """Print the newest signed checkpoint. Keep it where nobody who runs this ledger can change it."""
    body = client.Api.signed_in().get("/api/v1/ledger/checkpoints")
    newest = body["newest"]
    if newest is None:
        raise Failure(Exit.failed, "no checkpoint is signed yet", next="wait a minute; the worker signs one")
    detail(body, [_note(newest).rstrip("\n")], output)


def prove(
    seq: Annotated[int, typer.Argument(min=0, help="The record.")],
    out: Annotated[Path, typer.Option("--out", help="Directory for the files.")] = Path(),
) -> None:
    """Write a record's line, its proof and the log's key, for tools that are not ours."""
    api = client.Api.signed_in()
    proof = api.get("/api/v1/ledger/proofs", seq=seq)
    key = api.get("/api/v1/ledger/checkpoints")["log_vkey"]
    files = {
        f"record-{seq}.json": proof["line"],
        f"record-{seq}.json.tlog-proof": tlog_proof(proof),
        "log.vkey": f"{key}\n",
    }
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Failure(
            Exit.usage, f"{str(out)!r} cannot be written ({error.strerror})", accepted="a directory of your own"
        ) from None
    say(
        f"✓ record {seq} is under the checkpoint of {proof['size']} records",
        *(f"  {out / name}" for name in files),
        "  Compare log.vkey with the copy that you got elsewhere; docs/ledger.md says how to check it by hand.",
    )


def tlog_proof(proof: JsonObject) -> str:
    """The proof as c2sp.org/tlog-proof: index, hashes, an empty line, the checkpoint with its cosignatures."""
    lines = [TLOG_PROOF, f"index {proof['seq']}", *proof["path"], ""]
    return "".join(f"{line}\n" for line in lines) + _note(proof)


def _note(found: JsonObject) -> str:
    return str(found["checkpoint"]) + "".join(f"{line}\n" for line in found["cosignatures"])

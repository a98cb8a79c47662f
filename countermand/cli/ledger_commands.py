"""`ledger verify|tail|export|checkpoint|prove`: the record, and the proof that nobody changed it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client, ledger_proofs
from countermand.cli.exits import Exit, Failure
from countermand.cli.follow import following
from countermand.cli.ledger_offline import offline
from countermand.cli.output import (
    Column,
    Format,
    FormatOption,
    JsonObject,
    detail,
    items,
    print_json_line,
    say,
    tab_separated,
)

app = typer.Typer(no_args_is_help=True, help="The ledger: verify, follow, export.")

_COLUMNS = (
    Column("SEQ", "seq"),
    Column("AT", "at"),
    Column("KIND", "kind"),
    Column("INCIDENT", "incident_id"),
    Column("ACTOR", "actor"),
    Column("HASH", "hash"),
)
_PAGE = 500


app.command("checkpoint")(ledger_proofs.checkpoint)
app.command("prove")(ledger_proofs.prove)


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option("--file", help="Verify an exported records.jsonl offline.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="With --file: a checkpoint you got elsewhere.")
    ] = None,
    log_vkey: Annotated[
        Path | None, typer.Option("--log-vkey", help="With --checkpoint: your own copy of the ledger's key.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Check every record, every link and every checkpoint. Exit 7 at the first bad record."""
    if file is None and (checkpoint or log_vkey):
        raise Failure(Exit.usage, "--checkpoint and --log-vkey need --file", accepted="--file records.jsonl")
    if (checkpoint is None) != (log_vkey is None):
        raise Failure(Exit.usage, "--checkpoint and --log-vkey belong together", accepted="both of them, or none")
    body = client.Api.signed_in().get("/api/v1/ledger/verify") if file is None else offline(file, checkpoint, log_vkey)
    if body["ok"]:
        detail(body, _said(body), output)
        return
    if output is not Format.table:
        detail(body, [], output)
    where = "" if body["broken_at"] is None else f"the chain is broken at record {body['broken_at']}: "
    raise Failure(
        Exit.integrity,
        f"{where}{body['why']}",
        next="keep the database and this answer as they are, and tell who is responsible for the record",
    )


def _said(body: JsonObject) -> list[str]:
    """The verdict's word, what it covers, and what it does not."""
    covered = f"up to record {body['size'] - 1}" if body["size"] else "under no checkpoint yet"
    return [
        f"✓ {body['word']}: {body['count']} records, unbroken; head {body['head']}",
        f"  {covered}; {body['uncovered']} newest records are not covered; keys: {body['keys']}",
        *(f"  {note}" for note in body["notes"]),
    ]


@app.command()
def tail(
    count: Annotated[int, typer.Option("-n", "--lines", min=0, help="How many records to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with every new record.")] = False,
    incident: Annotated[
        str | None, typer.Option("--incident", metavar="ID", help="Only records of this incident.")
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """The newest records."""
    api = client.Api.signed_in()
    before = -1 if incident else max(-1, api.get("/api/v1/ledger/checkpoints")["head"] - count)
    found = list(records(api, incident, before))
    items({"items": found[-count:] if count else []}, _COLUMNS, output)
    if not follow:
        return
    newest = found[-1]["seq"] if found else before

    def fresh() -> JsonObject:
        return {"items": list(records(api, incident, newest))}

    for body in following(api, incident or "all", fresh):
        for record in body["items"]:
            newest = record["seq"]
            if output is Format.table:
                say(tab_separated(record, _COLUMNS))
            else:
                print_json_line(record)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write records.jsonl; - is standard output.")],
) -> None:
    """Write the exact bytes of every record, one per line, for `ledger verify --file`."""
    lines = (f"{record['line']}\n" for record in records(client.Api.signed_in()))
    if str(file) == "-":
        sys.stdout.writelines(lines)
        return
    try:
        with file.open("x", encoding="utf-8", newline="\n") as out:
            out.writelines(lines)
    except Failure:
        file.unlink()  # half of a record file would verify as a whole one
        raise
    except OSError as error:
        raise Failure(
            Exit.usage, f"{str(file)!r} cannot be written ({error.strerror})", accepted="a file that does not exist yet"
        ) from None
    say(f"✓ written; check it with: countermand ledger verify --file {file}")


def records(api: client.Api, incident: str | None = None, after: int = -1) -> Iterator[JsonObject]:
    """Records after `after` in order, page by page."""
    while True:
        page = api.get("/api/v1/ledger/records", after=after, limit=_PAGE, incident_id=incident)
        yield from page["items"]
        if len(page["items"]) < _PAGE:
            return
        after = page["next_after"]

"""`ledger verify|tail|export`: the record, and the proof that nobody changed it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.follow import following
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


@app.command()
def verify(
    file: Annotated[
        Path | None, typer.Option("--file", help="Verify an exported records.jsonl offline.", show_default=False)
    ] = None,
    output: FormatOption = Format.table,
) -> None:
    """Check every record and every link of the chain. Exit 7 at the first bad record."""
    body = client.Api.signed_in().get("/api/v1/ledger/verify") if file is None else _verify_file(file)
    if body["ok"]:
        detail(body, [f"✓ {body['count']} records, unbroken; head {body['head']}"], output)
        return
    if output is not Format.table:
        detail(body, [], output)
    raise Failure(
        Exit.integrity,
        f"the chain is broken at record {body['broken_at']}: {body['why']}",
        next="keep the database and this answer as they are, and tell who is responsible for the record",
    )


def _verify_file(file: Path) -> JsonObject:
    from countermand.ledger.record import ChainBroken, verify_chain

    try:
        with file.open(encoding="utf-8", newline="\n") as lines:
            count, head = verify_chain(line.removesuffix("\n") for line in lines)
    except ChainBroken as error:
        return {"ok": False, "count": error.seq, "head": None, "broken_at": error.seq, "why": error.why}
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error})", accepted="a records.jsonl file") from None
    return {"ok": True, "count": count, "head": head, "broken_at": None, "why": None}


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
    before = -1 if incident else max(-1, api.get("/api/v1/ledger/verify")["count"] - 1 - count)
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

"""`evidence build|list|show|verify` and `population`: packs that others can check, and everything that happened."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure, finish
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, say

app = typer.Typer(no_args_is_help=True, help="Evidence packs: make, list, look into, verify.")

_PACKS = (
    Column("MANIFEST", "manifest_sha256"),
    Column("OF", "what"),
    Column("PROFILE", "profile"),
    Column("SEALED", "sealed_at"),
    Column("COPIES", "copies"),
)
_CASES = (
    Column("SEQ", "seq"),
    Column("AT", "at"),
    Column("WHAT", "what"),
    Column("ID", "id"),
    Column("OUTCOME", "outcome"),
)
#: Making a pack of ten thousand records takes seconds.
_PATIENCE = 120.0
_DAY = "%Y-%m-%d"

Since = Annotated[datetime, typer.Option("--from", formats=[_DAY], help="First day (UTC) of the period.")]
Until = Annotated[datetime, typer.Option("--to", formats=[_DAY], help="Last day (UTC) of the period.")]


@app.command()
def build(
    file: Annotated[Path, typer.Argument(help="Where to write the ZIP.")],
    incident: Annotated[str, typer.Option("--incident", metavar="ID", help="The incident the pack is about.")] = "",
    since: Annotated[
        datetime | None, typer.Option("--from", formats=[_DAY], help="Or the first day (UTC) of a period.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--to", formats=[_DAY], help="And its last day; both belong to it.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="With every word that people typed. Needs a reason and is recorded.")
    ] = False,
    reason: Annotated[str, typer.Option("--reason", help="Who needs every word, and for what.")] = "",
    output: FormatOption = Format.table,
) -> None:
    """Make a pack, take a copy and write it. The same question asked again gives the same bytes."""
    if bool(incident) == (since is not None and until is not None):
        raise Failure(Exit.usage, "what is the pack about?", accepted="--incident ID, or both --from and --to")
    if file.exists():
        raise Failure(Exit.usage, f"{str(file)!r} exists already", accepted="a file that does not exist yet")
    url = client.console_url()
    api = client.Api(url, client.stored_token(url), timeout=_PATIENCE)
    asked: JsonObject = {"incident_id": incident, "profile": "full" if full else "redacted", "reason": reason}
    if since is not None and until is not None:
        asked |= _period(since, until)
    made = api.post("/api/v1/evidence", asked)
    content = api.post_bytes(f"/api/v1/evidence/{made['manifest_sha256']}/copy")
    try:
        with file.open("xb") as out:
            out.write(content)
    except OSError as error:
        raise Failure(
            Exit.usage, f"{str(file)!r} cannot be written ({error.strerror})", accepted="a file that does not exist yet"
        ) from None
    said = f"✓ {file}: {made['profile']}, {made['tree_size']} records in the tree, {made['size']} bytes"
    detail(made, [said, f"  check it with: countermand evidence verify {file}"], output)


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """Packs that were made, and who took a copy."""
    items(client.Api.signed_in().get("/api/v1/evidence"), _PACKS, output)


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A pack: the ZIP, or the folder it was unpacked into.")],
    output: FormatOption = Format.table,
) -> None:
    """What a pack says that it holds. This checks nothing; `evidence verify` does."""
    from countermand.evidence.verify import Bad, Usage, read_pack

    try:
        files = read_pack(file)
        manifest: JsonObject = json.loads(files["manifest.json"])
        scope = manifest["scope"]
    except (Bad, Usage, KeyError, ValueError, TypeError) as error:
        raise Failure(
            Exit.integrity,
            f"{str(file)!r} is no evidence pack ({error})",
            accepted="a pack as `countermand evidence build` writes it, or the folder it unpacks to",
        ) from None
    what = f"incident {scope['incident_id']}" if scope["incident_id"] else "a period"
    lines = [
        f"{what}, {manifest['profile']}: records {scope['first_seq']} to {scope['last_seq']}",
        f"from {manifest['origin']} at {manifest['tree_size']} records, root {manifest['root'][:16]}…",
        f"{len(manifest['files'])} files; begin with SUMMARY.html",
        *(f"  not in it: {one['path']}: {one['reason']}" for one in manifest["not_applicable"]),
        f"not checked yet: countermand evidence verify {file}",
    ]
    detail(manifest, lines, output)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def verify(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A pack: the ZIP, or the folder it was unpacked into.")],
) -> None:
    """Verify a pack, as verify.py does; its options may follow the file. Exit 7 when it is rejected."""
    from countermand.evidence import verify as verifier

    code = verifier.main([str(file), *context.args])
    if code in (verifier.EXIT_REJECTED, verifier.EXIT_FINDINGS):
        finish(Exit.integrity if code == verifier.EXIT_REJECTED else Exit.refused)
    if code:
        finish(Exit.usage if code == verifier.EXIT_USAGE else Exit.failed)


def population(
    since: Since,
    until: Until,
    compare: Annotated[
        bool, typer.Option("--compare", help="Ask the targets for their own change logs first; this is recorded.")
    ] = False,
    output: FormatOption = Format.table,
) -> None:
    """Everything that happened in a period, and what is missing. Exit 7 when numbers or changes are missing."""
    url = client.console_url()
    api = client.Api(url, client.stored_token(url), timeout=_PATIENCE)
    period = _period(since, until)
    body = api.post("/api/v1/population/reconciliation", period) if compare else api.get("/api/v1/population", **period)
    items(body, _CASES, output)
    compared = body["reconciliation"]
    if output is Format.table:
        count = len(body["items"])
        say(f"{count} cases, records {body['first_seq']} to {body['last_seq']}, {len(body['gaps'])} gaps")
        for one in compared["result"]["members"] if compared else ():
            say(f"{one['member']}: {_agreement(one)}")
        if compared is None:
            say("not compared with the change logs of the targets; --compare does that")
    differs = compared is not None and any(one["they_miss"] or one["we_miss"] for one in compared["result"]["members"])
    if body["gaps"] or differs:
        raise Failure(
            Exit.integrity,
            "records are missing" if body["gaps"] else "a target's own log and the ledger differ",
            next="/population in the console shows which",
        )


def _agreement(one: JsonObject) -> str:
    if one["why"] is not None:
        return f"? not compared: {one['why']}"
    if one["clean"]:
        return f"✓ agrees, {one['agree']} changes"
    return f"▲ differs: {len(one['we_miss'])} changes are not ours, {len(one['they_miss'])} of ours are not in its log"


def _period(since: datetime, until: datetime) -> JsonObject:
    """Both days belong to it."""
    begin, end = since.replace(tzinfo=UTC), until.replace(tzinfo=UTC) + timedelta(days=1)
    return {"since": begin.isoformat(), "until": end.isoformat()}

"""`bundle put|show|part`: what a version is made of and trained on."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.output import Format, FormatOption, JsonObject, detail, spoken

app = typer.Typer(no_args_is_help=True, help="Bundles: describe one, look it up, fetch its parts.")

Digest = Annotated[str, typer.Argument(help="The digest of a bundle: sha256:….", show_default=False)]


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="A manifest in YAML or JSON.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Keep a manifest beside its bundle, with the bytes of its small parts; prints the digest of the bundle."""
    from countermand.cli.bundle_file import read

    digest, body = read(file)
    answer = client.Api.signed_in().post(f"/api/v1/bundles/{digest}", body)
    detail(answer, [f"✓ {answer['name']} is described", *_lines(answer)], output)


@app.command()
def show(digest: Digest, output: FormatOption = Format.table) -> None:
    """What a bundle is made of and trained on, and who said so."""
    body = client.Api.signed_in().get(f"/api/v1/bundles/{digest}")
    detail(body, [body["name"], *_lines(body)], output)


@app.command()
def part(
    digest: Digest,
    name: Annotated[str, typer.Argument(metavar="PART", help="For example prompt.", show_default=False)],
) -> None:
    """Write the exact bytes of a part to standard output, checked against its digest. Exit 7: they are not the same."""
    from countermand.canonical import digest_bytes

    api = client.Api.signed_in()
    known = api.get(f"/api/v1/bundles/{digest}")["parts"]
    if name not in known:
        raise Failure(Exit.usage, f"{name!r} is no part of a bundle", accepted=", ".join(known))
    raw = api.get_bytes(f"/api/v1/bundles/{digest}/parts/{name}")
    if (found := digest_bytes(raw)) != known[name]:
        raise Failure(
            Exit.integrity,
            f"the console sent bytes with {found}, the bundle says {known[name]}",
            next="do not use them; countermand ledger verify",
        )
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()


def _lines(body: JsonObject) -> list[str]:
    manifest = body["manifest"]
    lines = [f"bundle {body['digest']}"]
    for name, digest in body["parts"].items():
        stated = manifest["parts"][name] if manifest else {}
        kept = " (kept here)" if name in body["stored"] else ""
        where = f" at {stated['location']}" if stated.get("location") else ""
        lines.append(f"  {spoken(name)}: {digest}{where}{kept}")
    if manifest is None:
        return [*lines, "trained on: unknown, nobody described this bundle", "  next: countermand bundle put FILE"]
    lines.append(dataset_line(manifest["datasets"]))
    return [
        *lines,
        f"described by {body['described_by']} at {body['described_at']}, manifest {body['manifest_digest']}",
    ]


def dataset_line(datasets: list[JsonObject] | str | None) -> str:
    """`trained on: tickets (sha256:…) at s3://…`; `unknown` when nobody said."""
    if datasets is None or isinstance(datasets, str):
        return "trained on: unknown, no manifest says"
    named = [
        f"{one['name']} ({one['digest']}){' at ' + one['location'] if one['location'] else ''}" for one in datasets
    ]
    return f"trained on: {'; '.join(named) or 'nothing, says the manifest'}"

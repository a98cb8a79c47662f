"""`diff`: two versions part by part, and what was measured of both. `output trace`: which version made an output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from countermand.cli import client
from countermand.cli.bundle_commands import dataset_line
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign, spoken

output = typer.Typer(no_args_is_help=True, help="Outputs: where one came from.")

_SIGNS = {"worse": "trigger", "better": "ok", "different": "watch", "no_difference_shown": "closed"}
_SIDE = "RELEASE:baseline, RELEASE:candidate, the digest of a bundle, or a manifest file."


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=_SIDE, show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help=_SIDE, show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """What changed from A to B: parts, training data, and every signal that was measured of both."""
    body = client.Api.signed_in().post("/api/v1/compare", {"a": _side(a), "b": _side(b)})
    detail(body, _lines(body), output)


@output.command()
def trace(
    output_id: Annotated[str, typer.Argument(help="The id that the source of its labels gave it.", show_default=False)],
    output: FormatOption = Format.table,
) -> None:
    """Which version made this output, what that was trained on, and where its labels were counted."""
    body = client.Api.signed_in().get(f"/api/v1/outputs/{quote(output_id, safe='')}")
    detail(body, _trace_lines(body), output)


def _side(said: str) -> str | JsonObject:
    from countermand.cli.bundle_file import read

    file = Path(said)
    return read(file)[1] if file.is_file() else said


def _lines(body: JsonObject) -> list[str]:
    from countermand.messages.fencing import shown

    lines = [f"a {body['a']['name']} {body['a']['digest']}", f"b {body['b']['name']} {body['b']['digest']}"]
    same = [spoken(one["part"]) for one in body["parts"] if one["word"] == "same"]
    lines.append(f"■ same: {', '.join(same) or 'nothing'}")
    for one in body["parts"]:
        if one["word"] == "changed":
            lines.append(f"… {spoken(one['part'])} changed")
            lines += [f"    {shown(line)}" for line in one["lines"]]
            lines += [f"    and {one['more']} more lines"] if one["more"] else []
            lines += [f"    how is not known: {one['why']}"] if one["why"] else []
    lines += _data_lines(body["datasets"])
    lines.append(body["measured"]["sentence"])
    for one in body["measured"]["signals"]:
        name = spoken(one["signal"]) + (f" ({spoken(one['category'])})" if one["category"] else "")
        lines.append(f"{sign(_SIGNS.get(one['word'], 'unknown'))} {name}: {one['a']['said']} → {one['b']['said']}")
        lines.append(f"    {one['sentence']}{' [' + one['method'] + ']' if one['method'] else ''}")
    return lines


def _data_lines(found: JsonObject) -> list[str]:
    if found["word"] == "unknown":
        return [f"? trained on: unknown, {found['why']}"]
    if found["word"] == "same":
        return ["■ trained on the same data"]
    gone = [f"    - {one['name']} {one['digest']}" for one in found["removed"]]
    return ["… trained on other data", *gone, *(f"    + {one['name']} {one['digest']}" for one in found["added"])]


def _trace_lines(body: JsonObject) -> list[str]:
    lines: list[str] = []
    for one in body["origins"]:
        lines += [
            f"{one['bundle']['name']}, {one['arm']} of {one['release_id']} in {one['environment']}",
            f"  bundle {one['bundle']['digest']}",
            *(f"    {spoken(part)}: {digest}" for part, digest in one["parts"].items()),
            f"  {dataset_line(one['datasets'])}",
            f"  described by {one['described_by']}, manifest {one['manifest_digest']}",
        ]
    for one in body["labels"]:
        block = one["block"]
        where = f"block {block['seq']} {block['digest']}, verdict {block['verdict'] or 'unknown'}" if block else ""
        lines.append(f"{one['at']} {spoken(one['signal'])}: {one['label']} (source {one['source']})")
        lines.append(f"    {where or one['why_no_block']}")
    return [*lines, body["not_kept"]]

"""`release test-set|test-sets`: report a run of an inclusive test set, and read what the runs show."""

from __future__ import annotations

from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ResumeOption
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign, spoken
from countermand.cli.release_commands import ReleaseId


def report_run(
    release_id: ReleaseId,
    name: Annotated[str, typer.Argument(metavar="SET", help="Name of the test set.", show_default=False)],
    bundle: Annotated[
        str,
        typer.Option("--bundle", metavar="DIGEST", help="Exactly the version that was tested.", show_default=False),
    ],
    group: Annotated[
        list[str],
        typer.Option("--group", metavar="GROUP=PASSED/SCORED", help="Counts of a group; again for more."),
    ],
    evidence: Annotated[
        str, typer.Option("--evidence", help="Where outputs and labels can be found.", show_default=False)
    ],
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 0 pass, 11 fail, 12 unknown.")] = False,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Report a run of an inclusive test set on one version; the playbook's limit says what it shows."""
    counts = [_counts(one) for one in group]
    body = client.Api.signed_in().act(
        f"/api/v1/releases/{release_id}/test-sets/{name}",
        {"bundle_digest": bundle, "groups": counts, "evidence": evidence},
        resume,
    )
    groups = [f"  {sign(one['word'])} {one['sentence']}" for one in body["groups"]]
    detail(body, [f"{sign(body['word'])} {spoken(name)}: {body['word']}. {body['sentence']}", *groups], output)
    if exit_code:
        raise typer.Exit({"pass": Exit.done, "fail": Exit.verdict_trigger}.get(body["word"], Exit.verdict_unknown))


def sets(release_id: ReleaseId, output: FormatOption = Format.table) -> None:
    """What the inclusive test sets show on the versions of a release; a set without a run is missing."""
    body = client.Api.signed_in().get(f"/api/v1/releases/{release_id}/test-sets")
    lines = [line for arm in ("candidate", "baseline") for line in _lines(arm, body[arm])]
    if body["unshown"]:
        lines.append(f"{sign('fail')} Users may not get the candidate: {body['unshown']}.")
    detail(body, lines, output)


def _lines(arm: str, found: JsonObject) -> list[str]:
    lines = [
        f"  {sign(one['word'])} {spoken(one['name'])} ({spoken(one['covers'])}): {one['word']}. {one['sentence']}"
        for one in found["sets"]
    ]
    return [f"{arm} {found['digest']}", *(lines or ["  the playbook lists no test set"])]


def _counts(text: str) -> JsonObject:
    """`de=196/200` as counts. Raises Failure."""
    group, _, counts = text.partition("=")
    passed, _, scored = counts.partition("/")
    if not group or not all(one.isascii() and one.isdigit() for one in (passed, scored)):
        raise Failure(Exit.usage, f"{text!r} are no counts of a group", accepted="GROUP=PASSED/SCORED, like de=196/200")
    return {"group": group, "scored": int(scored), "passed": int(passed)}

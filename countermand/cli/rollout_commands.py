"""`release rollout start|sign|status|stop|schedule`: let users have a release, step by step."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from countermand.cli import client
from countermand.cli.emergency_commands import StepUpOption
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign
from countermand.cli.release_commands import ReleaseId

app = typer.Typer(no_args_is_help=True, help="Rollouts: a sandbox, a ramp, or the return after a way back.")

KindOption = Annotated[
    Literal["sandbox", "ramp", "reintroduce"],
    typer.Option(
        "--kind", help="sandbox goes back by itself; ramp stays; reintroduce returns to the state before a way back."
    ),
]
PlanOption = Annotated[
    str, typer.Option("--plan", help="The digest that `status` shows: sha256:….", show_default=False)
]

EveryOption = Annotated[
    str | None,
    typer.Option("--every", help="Time from one start to the next, 1h to 30d: 24h.", show_default=False),
]
RemoveOption = Annotated[bool, typer.Option("--remove", help="Start no more of them; one that runs goes on.")]

_SIGNS = {"healthy": "ok", "watched": "watch", "held": "watch", "not_set": "rejected"}


@app.command()
def start(release_id: ReleaseId, kind: KindOption = "sandbox", output: FormatOption = Format.table) -> None:
    """Plan a rollout; it begins at once where no person has to start it, else it waits for `sign`."""
    body = client.Api.signed_in().post(f"/api/v1/releases/{release_id}/rollout", {"kind": kind})
    read = f"countermand release rollout status {release_id}"
    detail(body, [f"… {body['sentence']}", f"  {read}"], output)


@app.command("sign")
def sign_(
    release_id: ReleaseId,
    plan: PlanOption,
    reason: ReasonOption,
    step_up: StepUpOption = None,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Start exactly this plan, or let a held step be watched on; whoever registered the release cannot."""
    said = {"kind": "start_rollout", "plan_digest": plan, "reason": reason, "step_up": step_up}
    _decided(release_id, said, resume, output)


@app.command()
def stop(
    release_id: ReleaseId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Stop the rollout that runs; everybody goes back to the state from before it."""
    found = client.Api.signed_in().get(f"/api/v1/releases/{release_id}/rollout")
    said = {"kind": "stop_rollout", "plan_digest": found["plan_digest"], "reason": reason}
    _decided(release_id, said, resume, output)


@app.command()
def status(release_id: ReleaseId, output: FormatOption = Format.table) -> None:
    """The newest rollout of a release: its plan, its steps, and how it stands."""
    body = client.Api.signed_in().get(f"/api/v1/releases/{release_id}/rollout")
    detail(body, lines(body), output)


@app.command()
def schedule(
    release_id: ReleaseId, every: EveryOption = None, remove: RemoveOption = False, output: FormatOption = Format.table
) -> None:
    """Start a sandbox again and again, where no person has to start it; `--remove` ends that."""
    if (every is not None) == remove:
        raise Failure(
            Exit.usage,
            f"--every {every} and --remove together say nothing" if remove else "neither --every nor --remove is given",
            accepted="one of them: --every 24h, or --remove",
        )
    path, api = f"/api/v1/releases/{release_id}/rollout/schedule", client.Api.signed_in()
    body = api.delete(path) if every is None else api.put(path, {"every": every})
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


def lines(body: JsonObject) -> list[str]:
    """A rollout as people read it."""
    found = [
        f"{body['kind']} of {body['release_id']} ({body['rollout_id']}): {body['status'].replace('_', ' ')}",
        str(body["sentence"]),
        *(f"  {line}" for line in body["plan"]),
    ]
    for step in body["steps"]:
        mark = sign(_SIGNS.get(step["state"], "unknown"))
        seen = f": {step['sentence']}" if step["sentence"] else ""
        found.append(f"  {mark} step {step['number']}: {step['state'].replace('_', ' ')}{seen}")
    found += [
        f"{one['kind'].replace('_', ' ')} by {one['name']} at {one['at']}: “{one['reason']}”" for one in body["decided"]
    ]
    if body["restored"] is not None:
        found.append("state read back: " + ("as it has to be" if body["restored"] else "NOT as it has to be; look now"))
    if body["wants_start"]:
        found.append(f"until {body['until']}: countermand release rollout sign {body['release_id']}")
        found.append(f"  --plan {body['plan_digest']} --reason …")
    return found + list((body.get("schedule") or {}).get("lines", ()))


def _decided(release_id: str, said: JsonObject, resume: str | None, output: Format) -> None:
    body = client.Api.signed_in().act(f"/api/v1/releases/{release_id}/rollout/decisions", said, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)

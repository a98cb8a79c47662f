"""`review …`: what stands in a review, write and sign it, and keep its actions. Not legal advice."""

from __future__ import annotations

from typing import Annotated

import typer

from countermand.cli import client
from countermand.cli.incident_commands import IncidentId, ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, sign, spoken

app = typer.Typer(no_args_is_help=True, help="Reviews of incidents: write them, sign them, and do what came out.")
action = typer.Typer(
    no_args_is_help=True, help="Actions: what has to be done by whom until when, and how it is checked."
)
app.add_typer(action, name="action")

ActionId = Annotated[str, typer.Argument(help="For example act-1a2b3c4d, as `review show` prints.", show_default=False)]
_COLUMNS = (
    Column("INCIDENT", "incident_id"),
    Column("STATE", "state", state=True),
    Column("ACTION", "action_id"),
    Column("WHAT", "title"),
    Column("DUE", "age"),
)


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """Open reviews and actions, the longest overdue first."""
    items(client.Api.signed_in().get("/api/v1/reviews"), _COLUMNS, output)


@app.command()
def show(incident_id: IncidentId, output: FormatOption = Format.table) -> None:
    """What is written, what is missing, its actions, and what a signature now leaves open."""
    api = client.Api.signed_in()
    body = api.get(f"/api/v1/reviews/{incident_id}")
    duties = api.get(f"/api/v1/incidents/{incident_id}/obligations")
    left = [str(name) for name in duties["left_open"]]
    kept: JsonObject = {**body, "left_open": left, "not_advice": duties["not_advice"]}
    detail(kept, _lines(body, left, str(duties["not_advice"])), output)


def _lines(body: JsonObject, left: list[str], not_advice: str) -> list[str]:
    incident_id = str(body["incident_id"])
    state = "overdue" if body["overdue"] else str(body["state"])
    lines = [f"{sign(state)} review of {incident_id}: {spoken(state)}, due {body['due']}"]
    for one in body["parts"]:
        if one["text"] or one["required"]:
            lines.append(f"  {one['title']}: {'written' if one['text'] else 'still to be written'} ({one['part']})")
        lines += [f"    line {hit['line']}, “{hit['said']}”: {hit['why']} {hit['better']}" for hit in one["remarks"]]
    for one in body["actions"]:
        word = "overdue" if one["overdue"] else str(one["state"])
        gate = ", before the next release" if one["before_re_release"] else ""
        lines.append(
            f"{sign(word)} {one['action_id']} {spoken(word)}: {one['what']} ({one['owner']}, {one['due']}{gate})"
        )
    waived = f" --leaves-open {','.join(left)}" if left else ""
    return [
        *lines,
        f"{body['have']} of {body['need']} people signed; if nobody does, it stays open and more people are told",
        f"{sign('unknown')} not decided, and left open by your signature: {spoken(', '.join(left))}"
        if left
        else f"{sign('accepted')} every regime in view is decided",
        f"  read the draft: {client.console_url()}/reviews/{incident_id}",
        f"  countermand review sign {incident_id}{waived} --reason '…'",
        not_advice,
    ]


@app.command()
def part(
    incident_id: IncidentId,
    name: Annotated[str, typer.Argument(help="For example narrative, factors or sense.", show_default=False)],
    text: Annotated[str, typer.Option("--text", help="What to write; it replaces what stands there.")],
    factors: Annotated[str, typer.Option("--factors", help="From the list, with commas; for `factors`.")] = "",
    others: Annotated[str, typer.Option("--others", help="Factors in your own words, with commas.")] = "",
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Write a part. Remarks about its wording are shown by `review show`; they never stop anybody."""
    terms = {"act": "part", "part": name, "text": text, "factors": factors, "others": others}
    _act(incident_id, terms, "", resume, output)


@action.command("add")
def add(
    incident_id: IncidentId,
    what: Annotated[str, typer.Argument(help="What has to be done.", show_default=False)],
    owner: Annotated[str, typer.Option("--owner", help="Subject of the person who answers for it.")],
    due: Annotated[str, typer.Option("--due", help="A day, for example 2026-12-20.")],
    verification: Annotated[str, typer.Option("--verification", help="How it is checked.")],
    kind: Annotated[
        str, typer.Option("--type", help="prevent, detect, mitigate, process, governance or data.")
    ] = "prevent",
    link: Annotated[str, typer.Option("--link", help="A control, playbook, criterion or clock.")] = "",
    factors: Annotated[str, typer.Option("--factors", help="What it shall prevent, from the list.")] = "",
    others: Annotated[str, typer.Option("--others", help="The same in your own words.")] = "",
    before_re_release: Annotated[
        bool, typer.Option("--before-re-release", help="The version is not released again before.")
    ] = False,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Open an action. Without owner, day and check it does not count."""
    terms = {"act": "open_action", "text": what, "owner": owner, "due": due, "verification": verification}
    terms |= {"type": kind, "link": link, "factors": factors, "others": others}
    _act(incident_id, terms | {"before_re_release": "yes" if before_re_release else ""}, "", resume, output)


@action.command("change")
def change(
    incident_id: IncidentId,
    action_id: ActionId,
    reason: ReasonOption,
    owner: Annotated[str, typer.Option("--owner", help="Subject of another person.")] = "",
    due: Annotated[str, typer.Option("--due", help="Another day.")] = "",
    done: Annotated[bool, typer.Option("--done", help="The work is done and waits for its check.")] = False,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Give it to somebody else, move its day, or say that it is done."""
    terms = {"act": "change_action", "action": action_id, "owner": owner, "due": due, "done": "yes" if done else ""}
    _act(incident_id, terms, reason, resume, output)


@action.command("verify")
def verify(
    incident_id: IncidentId,
    action_id: ActionId,
    result: Annotated[str, typer.Option("--result", help="What the check found.")],
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Record that its check was run, and what it found."""
    _act(incident_id, {"act": "verify_action", "action": action_id, "result": result}, "", resume, output)


@action.command("drop")
def drop(
    incident_id: IncidentId,
    action_id: ActionId,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Decide that it is not done; the safety lead may, and says why."""
    _act(incident_id, {"act": "drop_action", "action": action_id}, reason, resume, output)


@app.command()
def waive(
    incident_id: IncidentId, reason: ReasonOption, resume: ResumeOption = None, output: FormatOption = Format.table
) -> None:
    """Hold no review; the safety lead may, never for sev1 or after break-glass. Its actions go on."""
    _act(incident_id, {"act": "waive"}, reason, resume, output)


@app.command("sign")
def sign_(
    incident_id: IncidentId,
    reason: ReasonOption,
    leaves_open: Annotated[
        str, typer.Option("--leaves-open", help="Regimes that stay undecided, with commas, as `review show` prints.")
    ] = "",
    publication: Annotated[
        str, typer.Option("--publication", help="Who may read about it: internal, customers or public.")
    ] = "internal",
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Sign what stands there now; name exactly what stays undecided."""
    said: JsonObject = {"reason": reason, "undecided_regimes": leaves_open, "publication": publication}
    body = client.Api.signed_in().act(f"/api/v1/reviews/{incident_id}/signatures", said, resume)
    detail(body, [f"{sign('accepted')} signed: {body['sentence']}"], output)


def _act(incident_id: str, terms: dict[str, str], reason: str, resume: str | None, output: Format) -> None:
    said: JsonObject = {"reason": reason, "terms": {name: value for name, value in terms.items() if value}}
    body = client.Api.signed_in().act(f"/api/v1/reviews/{incident_id}/acts", said, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)

"""`ask list|show`, `approve`, `reject`: the same card and the same decision as in the web console."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from countermand.cli import client, seen
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, sign, spoken, state_text
from countermand.messages.fencing import fenced, shown

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Requests for approval: list, read.")

AskId = Annotated[str, typer.Argument(help="For example inc-7f3a2c1d-ask-1.", show_default=False)]
DigestOption = Annotated[
    str,
    typer.Option("--digest", help="At least 12 hex digits of the digest that `ask show` printed.", show_default=False),
]

_COLUMNS = (
    Column("ASK", "ask_id"),
    Column("STATUS", "status", state=True),
    Column("HAVE", "have"),
    Column("NEED", "need"),
    Column("MISSING", "missing"),
    Column("UNTIL", "expires_at"),
    Column("ELSE", "default"),
    Column("QUESTION", "title"),
)


@app.command("list")
def list_(
    mine: Annotated[bool, typer.Option("--mine", help="Only those that wait for your vote.")] = False,
    output: FormatOption = Format.table,
) -> None:
    """Requests for approval, newest first."""
    items(client.Api.signed_in().get("/api/v1/asks", mine=mine or None), _COLUMNS, output)


@app.command()
def show(ask_id: AskId, output: FormatOption = Format.table) -> None:
    """Everything to read before deciding. Approving counts only after this."""
    api = client.Api.signed_in()
    body = api.get(f"/api/v1/asks/{ask_id}")
    detail(body, card_lines(body), output)
    seen.remember(api, ask_id, body["view_sha256"])


def card_lines(body: JsonObject) -> list[str | Text]:
    """The ask card in the fixed order of its facts, how to decide, and below a line what people typed."""
    from rich.text import Text

    card = body["card"]
    lines: list[str | Text] = [
        Text(f"{shown(card['title'])}  ", style="bold") + state_text(body["status"]),
        *([f"This request is over: {card['because']}."] if body["status"] != "pending" else ()),
        card["question"],
        f"Decide before {card['deadline']}.",
    ]
    for fact in card["facts"]:
        lines += ["", Text(shown(fact["title"]), style="bold"), *(f"  {line}" for line in fact["lines"])]
    lines += ["", f"If nobody decides: {card['if_nobody_decides']}", card["people"]]
    lines += [f"  {sign(vote['vote'])} {vote['name']}: {spoken(vote['vote'])}" for vote in body["votes"]]
    lines += _how_to_decide(body["status"], card)
    typed = [vote for vote in body["votes"] if vote["reason"]]
    if typed:
        lines += ["", "────────", "Untrusted: reasons as people typed them; nothing above depends on them."]
        lines += [f"  {vote['name']}: {fenced(vote['reason'])}" for vote in typed]
    return [shown(line) if isinstance(line, str) else line for line in lines]


def _how_to_decide(status: str, card: JsonObject) -> list[str]:
    digest = bare(card["approval_digest"])
    lines = ["", f"Digest {digest}"]
    if status != "pending":
        return lines
    if not card["complete"]:
        lacking = " and ".join(card["incomplete_because"])
        lines.append(f"▲ {lacking} cannot be shown: this can be rejected, not approved.")
    elif needs_key(card):
        page = page_of(f"/asks/{card['ask_id']}")
        lines.append(f"  approve with your security key: {page}")
    else:
        lines.append(f"  countermand approve {card['ask_id']} --digest {digest[:12]} --reason '…'")
    return [*lines, f"  countermand reject {card['ask_id']} --digest {digest[:12]} --reason '…'"]


def approve(
    ask_id: AskId,
    digest: DigestOption,
    reason: ReasonOption,
    necessity: Annotated[
        bool,
        typer.Option("--necessity", help="Evidence is on hold, and continuing harm outweighs waiting for the report."),
    ] = False,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Approve exactly the plan that `ask show` printed."""
    _decide("approve", ask_id, digest, reason, resume, output, necessity=necessity)


def reject(
    ask_id: AskId,
    digest: DigestOption,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Reject the plan; the candidate keeps its share of users."""
    _decide("reject", ask_id, digest, reason, resume, output)


def extend(
    ask_id: AskId,
    digest: DigestOption,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Take as much time again, once; anybody who is asked can. Votes stay."""
    _decide("extend", ask_id, digest, reason, resume, output)


def _decide(
    kind: Literal["approve", "reject", "extend"],
    ask_id: str,
    digest: str,
    reason: str,
    resume: str | None,
    output: Format,
    *,
    necessity: bool = False,
) -> None:
    read = f"countermand ask show {ask_id}"
    api = client.Api.signed_in()
    decision = as_shown(api, kind, ask_id, f"/api/v1/asks/{ask_id}", digest, reason, read)
    if necessity:
        decision["necessity"] = True
    body = api.act(f"/api/v1/asks/{ask_id}/decisions", decision, resume)
    detail(body, [f"{sign(kind)} counted: {body['sentence']}"], output)


def as_shown(api: client.Api, kind: str, name: str, path: str, digest: str, reason: str, read: str) -> JsonObject:
    """A decision on exactly what `read` printed to this person. Raises Failure when it is another thing by now, or
    when approving it needs the console."""
    given = bare(digest.lower())
    if not re.fullmatch(r"[0-9a-f]{12,64}", given):
        raise Failure(
            Exit.usage,
            f"--digest {digest!r} is not a digest",
            accepted=f"12 to 64 hex digits, as `{' '.join(read.split()[1:3])}` prints them",
            next=read,
        )
    card = api.get(path)["card"]
    if not bare(card["approval_digest"]).startswith(given):
        raise Failure(
            Exit.refused,
            f"stale: you decide on {given[:12]}, the request is now {bare(card['approval_digest'])[:12]}",
            next=f"{read}, read what changed, decide again",
        )
    if kind == "approve" and needs_key(card):
        raise Failure(
            Exit.not_authorised,
            "step_up_required: approving this needs your security key, which only the console can ask for",
            next=f"open {page_of(path)}, read it and approve it there",
        )
    view = seen.view_of(api, name)
    if kind == "approve" and view is None:
        raise Failure(
            Exit.refused,
            "view_not_shown: you have not been shown this request here",
            next=f"{read}, read it, then approve",
        )
    return {"kind": kind, "approval_digest": card["approval_digest"], "view_sha256": view, "reason": reason}


def needs_key(card: JsonObject) -> bool:
    """Whether approving needs a security key."""
    return bool(card.get("signature_class") == "step_up")


def page_of(path: str) -> str:
    """The page of what has this path in the API."""
    return f"{client.console_url()}{path.removeprefix('/api/v1')}"


def bare(digest: str) -> str:
    """The hex digits of a digest."""
    return digest.removeprefix("sha256:")

"""`consent show|approve|reject`: sign a document that people asked you to sign, as on its page in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from countermand.cli import client, seen
from countermand.cli.ask_commands import DigestOption, as_shown, bare, needs_key, page_of
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Format, FormatOption, JsonObject, detail, sign, spoken, state_text

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Consents: read, sign, reject.")

ConsentId = Annotated[str, typer.Argument(help="For example sa-7f3a2c1d-consent.", show_default=False)]


@app.command()
def show(consent_id: ConsentId, output: FormatOption = Format.table) -> None:
    """Everything to read before signing. Signing counts only after this."""
    api = client.Api.signed_in()
    body = api.get(f"/api/v1/consents/{consent_id}")
    detail(body, card_lines(body), output)
    seen.remember(api, consent_id, body["view_sha256"])


def card_lines(body: JsonObject) -> list[str | Text]:
    """The card in the fixed order of its facts, then how to decide."""
    from rich.text import Text

    card = body["card"]
    lines: list[str | Text] = [
        Text(f"{card['title']}  ", style="bold") + state_text(body["status"]),
        f"Sign before {card['deadline']}.",
    ]
    for fact in card["facts"]:
        lines += ["", Text(fact["title"], style="bold"), *(f"  {line}" for line in fact["lines"])]
    lines += ["", f"If not enough people sign: {card['if_nobody_decides']}", card["people"]]
    for vote in body["votes"]:
        lines.append(f"  {sign(vote['vote'])} {vote['name']}: {spoken(vote['vote'])}. {vote['reason']}")
    if body["status"] != "pending":
        return lines
    digest = bare(card["approval_digest"])
    approve = f"countermand consent approve {card['consent_id']} --digest {digest[:12]} --reason '…'"
    page = page_of(f"/consents/{card['consent_id']}")
    return [
        *lines,
        "",
        f"Digest {digest}",
        f"  sign with your security key: {page}" if needs_key(card) else f"  {approve}",
        f"  countermand consent reject {card['consent_id']} --digest {digest[:12]} --reason '…'",
    ]


@app.command()
def approve(
    consent_id: ConsentId,
    digest: DigestOption,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Sign exactly what `consent show` printed."""
    _decide("approve", consent_id, digest, reason, resume, output)


@app.command()
def reject(
    consent_id: ConsentId,
    digest: DigestOption,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Refuse; one refusal ends the request."""
    _decide("reject", consent_id, digest, reason, resume, output)


def _decide(
    kind: Literal["approve", "reject"],
    consent_id: str,
    digest: str,
    reason: str,
    resume: str | None,
    output: Format,
) -> None:
    path = f"/api/v1/consents/{consent_id}"
    api = client.Api.signed_in()
    decision = as_shown(api, kind, consent_id, path, digest, reason, f"countermand consent show {consent_id}")
    body = api.act(path, decision, resume)
    detail(body, [f"{sign(kind)} counted: {body['sentence']}"], output)

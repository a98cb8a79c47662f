"""`threshold propose|list|show|withdraw|waive|back|keep`: how thresholds change, and how they stay as they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countermand.cli import client
from countermand.cli.exits import Exit, Failure
from countermand.cli.incident_commands import ReasonOption, ResumeOption
from countermand.cli.output import Column, Format, FormatOption, JsonObject, detail, items, sign, spoken, state_text

if TYPE_CHECKING:
    from rich.text import Text

app = typer.Typer(no_args_is_help=True, help="Thresholds: propose a change, follow it, waive, withdraw, leave them.")

ProposalId = Annotated[str, typer.Argument(help="For example thr-7f3a2c1d.", show_default=False)]

_COLUMNS = (
    Column("PROPOSAL", "proposal_id"),
    Column("STATE", "status", state=True),
    Column("PLAYBOOK", "playbook"),
    Column("VERSION", "proposed_version"),
    Column("CHANGE", "change"),
    Column("UNTIL", "until"),
    Column("WHAT NOW", "sentence"),
)


@app.command()
def propose(
    hypothesis: Annotated[str, typer.Option(help="Why, in one sentence.", show_default=False)],
    effect: Annotated[str, typer.Option(help="What it should do, in one sentence.", show_default=False)],
    rollback_if: Annotated[str, typer.Option(help="When people go back, in one sentence.", show_default=False)],
    origin: Annotated[
        list[str],
        typer.Option(
            metavar="[PLACE=]WORD",
            help="Where each new number comes from: law, policy, measured or judgement; without a place: of all.",
            show_default=False,
        ),
    ],
    file: Annotated[Path | None, typer.Argument(help="The proposed version in YAML.", show_default=False)] = None,
    playbook: Annotated[str | None, typer.Option(help="Change the version in force of this playbook.")] = None,
    from_review: Annotated[str | None, typer.Option(help="The incident whose review led to it.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PLACE=VALUE", help="Without a file: another value, once per place."),
    ] = None,
    review_days: Annotated[int, typer.Option(help="Days until people look at it again.")] = 180,
    shadow_days: Annotated[
        int | None, typer.Option(help="Days beside the version in force; usual is 7 or the length of a watch.")
    ] = None,
    shadow_because: Annotated[str | None, typer.Option(help="Why fewer days are enough.")] = None,
    output: FormatOption = Format.table,
) -> None:
    """Propose another version that differs in its detection alone: a file, or the version in force with other values.

    Whoever proposes cannot sign. Nothing changes before the past was judged and people signed."""
    from countermand.playbook.differences import compare
    from countermand.playbook.load import PlaybookErrors, parse

    api = client.Api.signed_in()
    if (file is None) == (not change):
        raise Failure(Exit.usage, "a file or values to set are needed, not both", accepted="FILE, or --set PLACE=VALUE")
    query: dict[str, str | None] = {"playbook": playbook} if playbook else {"incident": from_review}
    try:
        text = _edited(api, query, change or []) if file is None else file.read_bytes()
        proposed = parse(text, str(file or "the changed text"))
    except OSError as error:
        raise Failure(Exit.usage, f"{str(file)!r} cannot be read ({error.strerror})", accepted="YAML") from None
    except PlaybookErrors as error:
        raise Failure(Exit.failed, str(error), next="correct the value, and propose again") from None
    now = api.get("/api/v1/thresholds-in-force", playbook=proposed.name)
    found = compare(parse(str(now["text"]).encode()), proposed)
    paths = [one.path for one in found.changes if one.path != "/version"]
    sent = api.post("/api/v1/playbooks", raw=text, media_type="application/yaml")
    body = api.post(
        "/api/v1/thresholds",
        {
            "proposed_digest": sent["digest"],
            "hypothesis": hypothesis,
            "expected_effect": effect,
            "rollback_condition": rollback_if,
            "origins": _origins(origin, paths),
            "review_days": review_days,
            "shadow_days": shadow_days,
            "shadow_because": shadow_because,
            "review_of": from_review or "",
        },
    )
    changes = [f"  {one['place']}: {one['before']} → {one['after']} ({one['direction']})" for one in body["changes"]]
    follow = f"  countermand threshold show {body['proposal_id']}"
    detail(body, [f"… {body['proposal_id']}: {body['change']}", *changes, str(body["sentence"]), follow], output)


@app.command("list")
def list_(output: FormatOption = Format.table) -> None:
    """All proposals, newest first: where each stands, and until when."""
    items(client.Api.signed_in().get("/api/v1/thresholds"), _COLUMNS, output)


@app.command()
def show(proposal_id: ProposalId, output: FormatOption = Format.table) -> None:
    """One proposal: what changes, what the guardrails found, what the shadow heard, what is asked now."""
    body = client.Api.signed_in().get(f"/api/v1/thresholds/{proposal_id}")
    detail(body, _lines(body), output)


@app.command()
def withdraw(
    proposal_id: ProposalId,
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """End a proposal that is not in force; nothing changes."""
    body = client.Api.signed_in().act(
        f"/api/v1/thresholds/{proposal_id}", {"kind": "withdraw", "reason": reason}, resume
    )
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


@app.command()
def waive(
    proposal_id: ProposalId,
    finding: Annotated[str, typer.Argument(help="The finding, as `threshold show` names it.", show_default=False)],
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Sign as safety lead that one finding is accepted, by its name. Not by whoever proposed it."""
    api = client.Api.signed_in()
    read = api.get(f"/api/v1/thresholds/{proposal_id}")
    given = {"kind": "waive_finding", "reason": reason, "waives": finding, "backtest": read["backtest"]}
    body = api.act(f"/api/v1/thresholds/{proposal_id}", given, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


@app.command()
def back(proposal_id: ProposalId, reason: ReasonOption, output: FormatOption = Format.table) -> None:
    """Propose to go back to the version before an adopted change; the same people sign that."""
    body = client.Api.signed_in().post(f"/api/v1/thresholds/{proposal_id}/back", {"reason": reason})
    follow = f"  countermand threshold show {body['proposal_id']}"
    detail(body, [f"… {body['proposal_id']}: {body['sentence']}", follow], output)


@app.command()
def keep(
    playbook: Annotated[str, typer.Argument(help="Name of a playbook.", show_default=False)],
    until: Annotated[
        str, typer.Option(metavar="DATE", help="The next review, within a year: 2027-01-31.", show_default=False)
    ],
    reason: ReasonOption,
    resume: ResumeOption = None,
    output: FormatOption = Format.table,
) -> None:
    """Sign that the thresholds of a playbook stay as they are: the flag of an overdue review goes away."""
    given = {"reason": reason, "until": f"{until}T00:00:00.000000Z"}
    body = client.Api.signed_in().act(f"/api/v1/playbooks/{playbook}/thresholds-reviewed", given, resume)
    detail(body, [f"{sign('accepted')} {body['sentence']}"], output)


def _edited(api: client.Api, query: dict[str, str | None], wanted: list[str]) -> bytes:
    """The text in force with other values and the next version. Raises Failure."""
    from countermand.learning.editing import renumbered, with_value

    if not any(query.values()):
        raise Failure(Exit.usage, "which playbook is not said", accepted="--playbook NAME or --from-review INCIDENT")
    now = api.get("/api/v1/thresholds-in-force", **query)
    text = str(now["text"]).encode()
    try:
        for one in wanted:
            place, _, value = one.partition("=")
            text = with_value(text, place.strip(), value.strip())
        return renumbered(text, int(now["version"]) + 1)
    except ValueError as error:
        raise Failure(Exit.usage, str(error), accepted="--set PLACE=VALUE") from None


def _origins(given: list[str], paths: list[str]) -> dict[str, str]:
    """Origins by JSON pointer: a word alone is for every place that no other one names. Raises Failure."""
    from countermand.learning.editing import pointer_of

    found: dict[str, str] = {}
    for one in sorted(given, key=lambda text: "=" in text):
        place, equals, word = one.rpartition("=")
        try:
            found |= {pointer_of(place): word} if equals else dict.fromkeys(paths, word)
        except ValueError as error:
            raise Failure(Exit.usage, str(error), accepted="--origin WORD or --origin PLACE=WORD") from None
    return found


def _lines(body: JsonObject) -> list[str | Text]:
    """A proposal for people: its state first."""
    from rich.text import Text

    head = Text(f"{body['playbook']} version {body['proposed_version']}  ", style="bold") + state_text(body["status"])
    lines: list[str | Text] = [head, str(body["sentence"]), ""]
    for one in body["changes"]:
        lines.append(
            f"  {one['place']}: {one['before'] or 'nothing'} → {one['after'] or 'nothing'} ({one['direction']})"
        )
    lines += ["", f"Why: {body['hypothesis']}", f"Go back if: {body['rollback_condition']}"]
    if body["findings"]:
        lines += ["", "What the guardrails found"]
    for one in body["findings"]:
        open_ = one["name"] in body["stops"]
        lines.append(f"  {'✗' if open_ else '·'} {one['sentence']}{' ' + one['next'] if open_ else ''}")
        if open_ and one["word"] == "stops":
            lines.append(f"    countermand threshold waive {body['proposal_id']} {one['name']} --reason '…'")
    fired = [one for one in body["shadow"] if one["word"] == "trigger"]
    if body["shadow"]:
        lines += ["", f"Shadow: would have fired {len(fired)} times"]
    lines += [f"  {one['at']} {one['release_id']}: {spoken(one['triggers'])}" for one in fired]
    if body["consent_id"]:
        lines += ["", f"Sign: countermand consent show {body['consent_id']}"]
    if body["compared"]:
        lines += ["", str(body["compared"]["sentence"])]
    return lines

"""The dialog in which a person decides in Slack, and what it turns into afterwards (slack.md SLK-20 to SLK-22).

The bytes of the dialog are kept before it is opened: they are what the decision says was shown.
"""

from __future__ import annotations

from typing import Literal

from countermand.governance.approval import MIN_REASON
from countermand.messages.ask_card import AskCard
from countermand.messages.block_kit import (
    Block,
    Json,
    actions,
    context,
    cut,
    esc,
    header,
    link,
    link_button,
    plain,
    section,
    when,
)
from countermand.messages.incident import IncidentView
from countermand.messages.slack_card import OPEN, fact_blocks, question_of, where

#: Callback ids; `DECIDE` is the only one whose submission does anything.
DECIDE, SHOWN = "countermand_decide", "countermand_shown"
REASON = "reason"
MAX_REASON = 2_000

Kind = Literal["approve", "reject", "hold", "ask_again", "extend"]

_TITLE = {
    "approve": "Approve the rollback",
    "reject": "Reject the rollback",
    "hold": "Hold the ramp",
    "ask_again": "Ask again",
    "extend": "Take more time",
}
_SUBMIT = {
    "approve": "Approve",
    "reject": "Reject",
    "hold": "Hold",
    "ask_again": "Ask again",
    "extend": "Take more time",
}
_MEANS = {
    "approve": "I have read this plan and this evidence, and I approve exactly this rollback.",
    "reject": "I have read this plan and this evidence, and I refuse this rollback. Nothing is changed.",
    "hold": "The release stays at its present share of users until somebody resumes.",
    "ask_again": "The target is read again, a new plan is made and approval is asked again.",
    "extend": "The time limit moves once, by as much time again. Votes stay. "
    "Users of the candidate wait so much longer.",
}
_WHY = {
    "approve": "For example: answers about prices are wrong, three transcripts confirm it.",
    "reject": "For example: the judge is wrong, we checked twenty answers by hand.",
    "hold": "For example: support sees more complaints, we want to look first.",
    "ask_again": "For example: the deadline passed while we looked at transcripts.",
    "extend": "For example: the person who knows the data is on the way, ten minutes are needed.",
}


def decision_dialog(
    kind: Kind, view: IncidentView, card: AskCard, *, whole: bool = True, notice: str = "", reason: str = ""
) -> Json:
    """The dialog without its `private_metadata`. For approve and reject it shows the facts that the card shows.

    `whole` False: the plan is too long for Slack, so only its beginning is here and approving is not possible.
    `notice` and `reason` are for a decision whose outcome is unknown and which may be sent again.
    """
    blocks: list[Block] = [section("notice", f"*{esc(notice)}*")] if notice else []
    blocks += [header(card.title), context("where", where(view))]
    if kind in ("approve", "reject"):
        blocks += [section("question", question_of(card)), *fact_blocks(card, whole=whole)]
        blocks.append(context("otherwise", f"*If nobody decides:* {esc(card.if_nobody_decides)}", esc(card.people)))
        blocks.append(section("digest", f"You decide on this and nothing else:\n`{card.approval_digest}`"))
    if kind == "extend":
        blocks.append(section("question", question_of(card)))
    blocks.append(section("meaning", f"*By pressing {_SUBMIT[kind]} you sign with your name:*\n“{_MEANS[kind]}”"))
    blocks.append(_reason(kind, reason))
    return {
        "type": "modal",
        "callback_id": DECIDE,
        "title": plain(_TITLE[kind]),
        "submit": plain(_SUBMIT[kind]),
        "close": plain("Cancel"),
        "blocks": blocks,
    }


def _reason(kind: Kind, typed: str) -> Block:
    element = {
        "type": "plain_text_input",
        "action_id": REASON,
        "multiline": True,
        "min_length": MIN_REASON,
        "max_length": MAX_REASON,
        "placeholder": plain(_WHY[kind]),
    }
    return {
        "type": "input",
        "block_id": REASON,
        "label": plain("Why? This stands in the record."),
        "element": element | ({"initial_value": typed} if typed else {}),
    }


def step_up_dialog(card: AskCard, console_url: str) -> Json:
    """What `Approve…` opens for a request that wants a security key: the way to the console and nothing else (SLK-19).

    The link carries no authority: behind it people sign in, read the plan, and confirm with their key.
    """
    text = (
        f"*{esc(cut(card.question, 800))}*\nApproving this needs your security key, for exactly this request. "
        f"Read and approve it in the console, before *{when(card.expires_at)}*."
    )
    there = link_button(OPEN, "Approve in the console", f"{console_url}/asks/{card.ask_id}")
    return _said(_TITLE["approve"], [section("step_up", text), actions("there", [there])])


def waiting_dialog() -> Json:
    """Shown while a decision is being recorded; people may close it, the decision goes on."""
    return _said("Recording…", [section("now", "*Recording your decision…*\nThis takes a few seconds.")])


def loading_dialog() -> Json:
    """Shown when reading the plan takes longer than Slack waits for a dialog (SLK-21)."""
    return _said("One moment…", [section("now", "*Reading the plan…*\nIt appears here in a few seconds.")])


def recorded_dialog(sentence: str, console_url: str, incident_id: str) -> Json:
    """The decision counted."""
    text = f"*Recorded.* {esc(sentence)}\nThe card in the channel follows in a moment."
    return _said("Recorded", [section("now", text), context("link", _link(console_url, incident_id))])


def refused_dialog(why: str, next_: str, console_url: str, incident_id: str) -> Json:
    """The decision did not count: why, and what to do."""
    text = f"*Not done.* {esc(cut(f'{why[:1].upper()}{why[1:]}', 1_000))}\n*What you can do:* {esc(cut(next_, 600))}"
    return _said("Not done", [section("now", text), context("link", _link(console_url, incident_id))])


def answer_blocks(sentence: str, next_: str, buttons: list[Json], console_url: str, ask_id: str) -> list[Block]:
    """An answer that only the person who clicked sees."""
    text = f"*{esc(cut(sentence, 1_200))}*" + (f"\n{esc(cut(next_, 600))}" if next_ else "")
    open_it = link_button(OPEN, "Open console", f"{console_url}/asks/{ask_id}")
    return [section("answer", text), actions("next", [*buttons, open_it])]


def _said(title: str, blocks: list[Block]) -> Json:
    return {"type": "modal", "callback_id": SHOWN, "title": plain(title), "close": plain("Close"), "blocks": blocks}


def _link(console_url: str, incident_id: str) -> str:
    return link(f"{console_url}/incidents/{incident_id}", "Open the incident")

"""The dialogs in which people start something out of order in Slack, and what they turn into (slack.md SLK-25)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from countermand.governance.approval import MIN_REASON
from countermand.governance.declaring import MAX_HARM
from countermand.messages.block_kit import Block, Json, context, cut, esc, link, plain, section
from countermand.messages.slack_dialog import MAX_REASON, REASON, SHOWN
from countermand.playbook.terms import Severity

#: Callback id of all of them.
START = "countermand_start"
RELEASE, SEVERITY, HARM = "release", "severity", "harm"
#: Slack shows no more options in one list.
MAX_OPTIONS = 100

Starts = Literal["emergency", "propose", "unfairness", "concern"]
STARTS: tuple[Starts, ...] = ("emergency", "propose", "unfairness", "concern")

_TITLE = {
    "emergency": "Declare an emergency",
    "propose": "Propose a rollback",
    "unfairness": "Report unfairness",
    "concern": "Raise a concern",
}
_SUBMIT = {"emergency": "Declare", "propose": "Propose", "unfairness": "Report", "concern": "Raise"}
_DOES = {
    "emergency": "Operators, all who decide and executives are told at once. The evidence is copied, then others are "
    "asked to approve a rollback. No user is moved by this.",
    "propose": "The evidence is copied, then others are asked to approve a rollback. You cannot approve it yourself.",
    "unfairness": "Some people are served worse than others. The rollout stays where it is, and a fairness reviewer is "
    "asked for a finding. Nobody is taken back before that.",
    "concern": "Your judgement stands in the record and on the page of the release, beside what is measured.",
}
_FIRST = {"emergency": Severity.sev1, "propose": Severity.sev2, "unfairness": Severity.sev2, "concern": Severity.sev3}


def start_dialog(kind: Starts, releases: Sequence[tuple[str, str]], channel: str | None) -> Json:
    """The form. `releases`: (id, name of the candidate) of those that are watched; at least one."""
    blocks: list[Block] = [section("does", esc(_DOES[kind])), _release(releases[:MAX_OPTIONS]), _severity(kind)]
    if kind != "concern":
        blocks.append(_text(HARM, "What goes wrong for whom?", MAX_HARM))
    blocks.append(_text(REASON, "Why? This stands in the record.", MAX_REASON))
    return {
        "type": "modal",
        "callback_id": START,
        "title": plain(_TITLE[kind]),
        "submit": plain(_SUBMIT[kind]),
        "close": plain("Cancel"),
        "blocks": blocks,
        "private_metadata": json.dumps({"kind": kind, "channel": channel}),
    }


def started_dialog(title: Literal["Recorded", "Not done", "Not known yet"], words: str, address: str) -> Json:
    """What came of it, and where to look."""
    blocks = [
        section("now", f"*{title}.* {esc(cut(words, 1_500))}"),
        context("link", link(address, "Open the console")),
    ]
    return {"type": "modal", "callback_id": SHOWN, "title": plain(title), "close": plain("Close"), "blocks": blocks}


def _release(releases: Sequence[tuple[str, str]]) -> Block:
    options = [_option(f"{release_id} ({name})", release_id) for release_id, name in releases]
    first = {"initial_option": options[0]} if len(options) == 1 else {}
    return _input(RELEASE, "Which release?", {"type": "static_select", "options": options} | first)


def _severity(kind: Starts) -> Block:
    options = [_option(one.value, one.value) for one in Severity]
    chosen = next(one for one in options if one["value"] == _FIRST[kind].value)
    return _input(
        SEVERITY, "How serious is it?", {"type": "static_select", "options": options, "initial_option": chosen}
    )


def _text(name: str, label: str, most: int) -> Block:
    element = {"type": "plain_text_input", "multiline": True, "min_length": MIN_REASON, "max_length": most}
    return _input(name, label, element)


def _input(name: str, label: str, element: Json) -> Block:
    return {"type": "input", "block_id": name, "label": plain(label), "element": element | {"action_id": name}}


def _option(text: str, value: str) -> Json:
    return {"text": plain(cut(text, 75)), "value": value}

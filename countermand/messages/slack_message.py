"""A message of a step as it is posted in Slack: the same words as by mail, in blocks that Slack does not interpret."""

from __future__ import annotations

import json
from collections.abc import Iterator

from countermand.messages.block_kit import (
    MAX_TEXT,
    Block,
    SlackMessage,
    actions,
    cut,
    esc,
    header,
    link_button,
    plain,
)
from countermand.messages.fencing import shown
from countermand.messages.slack_card import OPEN

#: Bytes of text in one message, as it is sent, and characters in one of its blocks.
_MOST, _PART = 7_500, 2_900


def slack_message(subject: str, text: str, url: str, about: str = "incident") -> SlackMessage:
    """Subject, text as plain text (it may hold what people typed), and the way to the incident or the release."""
    legible = "\n".join(shown(line) for line in text.strip().split("\n"))
    whole = len(legible)
    while (size := len(json.dumps(legible))) > _MOST:
        legible = legible[: len(legible) * _MOST // size]
    if len(legible) < whole:
        legible += "\n… the rest is in the console"
    blocks: list[Block] = [header(subject)]
    blocks += [_plain(f"text_{number}", part) for number, part in enumerate(_parts(legible), start=1)]
    blocks.append(actions("open", [link_button(OPEN, f"Open the {about}", url)]))
    return SlackMessage(text=cut(esc(subject), MAX_TEXT), blocks=tuple(blocks))


def _parts(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PART):
        yield text[start : start + _PART]


def _plain(block_id: str, text: str) -> Block:
    return {"type": "section", "block_id": block_id, "text": plain(text), "expand": True}

"""What is sent to Slack is checked before (slack.md §6): the SDK's models know many limits, the rest is here."""

from __future__ import annotations

import json
from collections.abc import Sequence

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block as SdkBlock
from slack_sdk.models.views import View as SdkView

from countermand.messages.block_kit import (
    LINE,
    MAX_BLOCKS,
    MAX_BYTES,
    MAX_CHARACTERS,
    MAX_TEXT,
    MAX_VIEW_BLOCKS,
    MAX_VIEW_BYTES,
    UNTRUSTED,
    Block,
    Json,
    SlackMessage,
    characters,
)

_TYPES = frozenset({"header", "section", "context", "divider", "actions", "input", "rich_text"})
_LINE_ONLY = frozenset({"context", "rich_text"})


def message_problems(message: SlackMessage) -> list[str]:
    """Why this message must not be sent; empty when it may."""
    blocks = list(message.blocks)
    found = _block_problems(blocks, MAX_BLOCKS)
    if not message.text.strip():
        found.append("there is no text for notifications and screen readers")
    if len(message.text) > MAX_TEXT + 200:  # the mentions of a note come on top
        found.append(f"the text has {len(message.text)} characters; up to {MAX_TEXT} are allowed")
    if (count := characters(blocks)) > MAX_CHARACTERS:
        found.append(f"the blocks hold {count} characters; up to {MAX_CHARACTERS} are allowed")
    if (size := len(json.dumps(blocks).encode())) > MAX_BYTES:
        found.append(f"the blocks are {size} bytes; up to {MAX_BYTES} are allowed")
    return found


def view_problems(view: Json) -> list[str]:
    """Why this view must not be opened; empty when it may."""
    found = _block_problems(list(view["blocks"]), MAX_VIEW_BLOCKS)
    if (size := len(json.dumps(view).encode())) > MAX_VIEW_BYTES:
        found.append(f"the view is {size} bytes; up to {MAX_VIEW_BYTES} are allowed")
    try:
        SdkView(**view).to_dict()
    except SlackObjectFormationError as error:
        found.append(str(error))
    return found


def _block_problems(blocks: Sequence[Block], most: int) -> list[str]:
    found = [] if 0 < len(blocks) <= most else [f"{len(blocks)} blocks; 1 to {most} are allowed"]
    found += [f"block type {block['type']!r} is not one of ours" for block in blocks if block["type"] not in _TYPES]
    ids = [block.get("block_id") for block in blocks]
    if None in ids or len(set(ids)) != len(ids):
        found.append("every block needs an id of its own")
    for block in blocks:
        found += _formation(block)
        actions = [element.get("action_id") for element in block.get("elements", ()) if block["type"] == "actions"]
        if len(set(actions)) != len(actions):
            found.append(f"block {block.get('block_id')!r}: two elements have one action id")
    return found + _fencing(blocks)


def _formation(block: Block) -> list[str]:
    if block["type"] not in _TYPES:
        return []
    try:
        parsed = SdkBlock.parse(block)
        if parsed is not None:
            parsed.to_dict()
    except SlackObjectFormationError as error:
        return [f"block {block.get('block_id')!r}: {error}"]
    return []


def _fencing(blocks: Sequence[Block]) -> list[str]:
    """Rich text, the only place for what others wrote, stands below the line and is plain preformatted text."""
    below = False
    found = []
    for block in blocks:
        below = below or block.get("block_id") == LINE
        if block["type"] == "rich_text" and not (below and block.get("block_id") == UNTRUSTED and _is_plain(block)):
            found.append("untrusted text stands outside its fence")
        if below and block["type"] not in {*_LINE_ONLY, "divider"}:
            found.append(f"a {block['type']} block stands below the line")
    return found


def _is_plain(block: Block) -> bool:
    return all(
        element["type"] == "rich_text_preformatted" and all(part["type"] == "text" for part in element["elements"])
        for element in block["elements"]
    )

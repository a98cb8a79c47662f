"""Parts of Slack messages and views (Block Kit), and the sizes we allow (slack.md §5). Pure: dicts in, dicts out.

Two kinds of text never mix. What our own code says goes through `esc` into mrkdwn, header or button texts; what others
wrote goes through `fence`, as plain preformatted text below the line, where Slack parses nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from countermand.messages.facts import utc
from countermand.messages.fencing import fenced, shown
from countermand.plan.target import Value

Block = dict[str, Any]
Json = dict[str, Any]

MAX_HEADER = 150
MAX_SECTION = 3_000
MAX_BUTTON = 75
MAX_TEXT = 500
#: Slack documents no limit of a whole message; refusals are known from about 11,000 characters (bolt-js#2867).
MAX_CHARACTERS = 8_000
MAX_BYTES = 10_000
MAX_BLOCKS = 25
MAX_VIEW_BLOCKS = 40
MAX_VIEW_BYTES = 250_000
#: Samples of untrusted text on one card.
MAX_SAMPLES = 3

#: The block that stands before untrusted text and the one that holds it.
LINE = "line"
UNTRUSTED = "untrusted"


class SlackMessage(Value):
    """What `chat.postMessage` and `chat.update` send: both always together (SLK-33)."""

    text: str
    blocks: tuple[Block, ...]


class Sample(Value):
    """Text that somebody else wrote, and who that is in our own words."""

    label: str
    text: str


def esc(text: str) -> str:
    """`&`, `<` and `>` escaped, always and only (COM-23); hidden characters made visible."""
    return shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, most: int) -> str:
    """The text, or its beginning with a mark that something is missing."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def when(at: datetime) -> str:
    """An instant in the reader's own time where Slack shows it; UTC stands beside it (COM-9)."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{utc(at)}>"


def mrkdwn(text: str) -> Json:
    """Formatted text in which Slack turns nothing into a link or a mention by itself."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}


def header(text: str, block_id: str = "title") -> Block:
    return {"type": "header", "block_id": block_id, "text": plain(cut(shown(text), MAX_HEADER))}


def section(block_id: str, text: str) -> Block:
    return {"type": "section", "block_id": block_id, "text": mrkdwn(text), "expand": True}


def context(block_id: str, *texts: str) -> Block:
    return {"type": "context", "block_id": block_id, "elements": [mrkdwn(text) for text in texts]}


def divider(block_id: str = LINE) -> Block:
    return {"type": "divider", "block_id": block_id}


def button(action_id: str, text: str, value: str, *, style: str = "", says: str = "") -> Json:
    """`value` is an opaque id: a button carries no authority (SLK-1). `says` is what a screen reader reads."""
    made = {"type": "button", "action_id": action_id, "text": plain(text), "value": value}
    return made | ({"style": style} if style else {}) | ({"accessibility_label": cut(says, MAX_BUTTON)} if says else {})


def link_button(action_id: str, text: str, url: str) -> Json:
    return {"type": "button", "action_id": action_id, "text": plain(text), "url": url}


def overflow(action_id: str, options: dict[str, str], *, says: str) -> Json:
    """The menu behind the three dots: each text with its value, an opaque id."""
    made = [{"text": plain(text), "value": value} for text, value in options.items()]
    return {"type": "overflow", "action_id": action_id, "options": made, "accessibility_label": cut(says, MAX_BUTTON)}


def actions(block_id: str, elements: Sequence[Json]) -> Block:
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def link(url: str, text: str) -> str:
    """A link of ours; the text is never another address."""
    return f"<{url}|{esc(text)}>"


def listed(title: str, lines: Iterable[str]) -> str:
    """A titled list in mrkdwn."""
    return "\n".join([f"*{esc(title)}*", *(f"• {esc(line)}" for line in lines)])


def fence(samples: Sequence[Sample]) -> list[Block]:
    """The line, the warning, and the samples as preformatted plain text (SLK row 9, THR-8)."""
    if not samples:
        return []
    elements = []
    for sample in samples[:MAX_SAMPLES]:
        said = [{"type": "text", "text": f"{shown(sample.label)}\n{fenced(sample.text)}"}]
        elements.append({"type": "rich_text_preformatted", "elements": said})
    more = len(samples) - MAX_SAMPLES
    rest = f" {more} more in the console." if more > 0 else ""
    warning = f"*Untrusted sample:* reasons as people typed them; nothing above depends on them.{rest}"
    return [
        divider(),
        context("untrusted_title", warning),
        {"type": "rich_text", "block_id": UNTRUSTED, "elements": elements},
    ]


def characters(blocks: Sequence[Block]) -> int:
    """Characters of every text in the blocks."""

    def count(value: object) -> int:
        match value:
            case {"type": "mrkdwn" | "plain_text" | "text", "text": str(text)}:
                return len(text)
            case dict():
                return sum(count(part) for part in value.values())
            case list() | tuple():
                return sum(count(part) for part in value)
            case _:
                return 0

    return count(list(blocks))


def fits(blocks: Sequence[Block]) -> bool:
    """Whether these blocks are within what we allow for one message."""
    return (
        len(blocks) <= MAX_BLOCKS
        and characters(blocks) <= MAX_CHARACTERS
        and len(json.dumps(list(blocks)).encode()) <= MAX_BYTES
        and all(len(block["text"]["text"]) <= MAX_SECTION for block in blocks if block["type"] == "section")
    )

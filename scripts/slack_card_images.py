"""Pictures of what people see in Slack, drawn from the snapshots of the tests: docs/images/slack-*.png.

    python -m scripts.slack_card_images

Slack's own look is not copied, only its layout: what stands where, what is bold, which buttons there are.
"""

from __future__ import annotations

import argparse
import html
import json
import re
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

SNAPSHOTS = Path("tests/slack/snapshots")

Json = dict[str, Any]

STYLE = """
body { margin: 0; padding: 20px; background: #fff; font: 15px/1.47 'DejaVu Sans', sans-serif; color: #1d1c1d; width: 640px; }
.app { display: flex; gap: 10px; margin-bottom: 6px; align-items: baseline; }
.app b { font-size: 15px; } .app i { font-style: normal; font-size: 10px; background: #ddd; padding: 1px 4px; border-radius: 3px; }
.app span { color: #616061; font-size: 12px; }
h1 { font-size: 18px; line-height: 1.3; margin: 8px 0 4px; overflow-wrap: anywhere; }
.section { margin: 8px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.context { margin: 8px 0; color: #616061; font-size: 13px; } .context div { margin: 2px 0; overflow-wrap: anywhere; }
hr { border: 0; border-top: 1px solid #ddd; margin: 14px 0; }
.actions { display: flex; flex-wrap: wrap; gap: 8px; margin: 10px 0; }
button { font: 700 13px 'DejaVu Sans', sans-serif; padding: 7px 12px; border: 1px solid #bbb; border-radius: 4px; background: #fff; color: #1d1c1d; }
button.primary { background: #007a5a; border-color: #007a5a; color: #fff; }
button.danger { background: #e01e5a; border-color: #e01e5a; color: #fff; }
pre { font: 12px/1.5 'DejaVu Sans Mono', monospace; background: #f8f8f8; border: 1px solid #ddd; border-radius: 4px; padding: 8px; white-space: pre-wrap; margin: 6px 0; }
code { font: 12px 'DejaVu Sans Mono', monospace; background: #f8f8f8; border: 1px solid #ddd; border-radius: 3px; padding: 1px 3px; color: #c01343; overflow-wrap: anywhere; }
a { color: #1264a3; text-decoration: none; } mark { background: #e8f5fa; color: #1264a3; }
textarea { width: 100%; height: 76px; box-sizing: border-box; font: inherit; color: #868686; border: 1px solid #868686; border-radius: 4px; padding: 8px; }
.view { border: 1px solid #ccc; border-radius: 8px; padding: 16px 20px; box-shadow: 0 6px 24px #0002; }
.view > .title { font-size: 20px; font-weight: 700; border-bottom: 1px solid #ddd; padding-bottom: 10px; margin-bottom: 8px; }
.view > .foot { display: flex; justify-content: flex-end; gap: 8px; border-top: 1px solid #ddd; padding-top: 12px; margin-top: 12px; }
"""  # noqa: E501


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    out = parser.parse_args().out
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium found; install one and try again", file=sys.stderr)
        return 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 680, "height": 400}, device_scale_factor=1)
        for path in sorted(SNAPSHOTS.glob("*.json")):
            page.set_content(drawn(json.loads(path.read_text(encoding="utf-8"))))
            target = out / f"slack-{path.stem.replace('_', '-')}.png"
            page.screenshot(path=target, full_page=True)
            Image.open(target).quantize(64).save(target, optimize=True)
            print(target)
        browser.close()
    return 0


def drawn(state: Json) -> str:
    """A message or a view as an HTML page."""
    blocks = "".join(_block(block) for block in state["blocks"])
    if state.get("type") in ("modal", "home"):
        title = state["title"]["text"] if "title" in state else "Home"
        foot = "".join(
            f'<button class="{style}">{html.escape(state[part]["text"])}</button>'
            for part, style in (("close", ""), ("submit", "primary"))
            if part in state
        )
        inner = f'<div class="title">{html.escape(title)}</div>{blocks}'
        body = f'<div class="view">{inner}<div class="foot">{foot}</div></div>'
    else:
        body = f'<div class="app"><b>Countermand</b><i>APP</i><span>3:20 AM</span></div>{blocks}'
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style><body>{body}</body>'


def _block(block: Json) -> str:
    match block["type"]:
        case "header":
            return f"<h1>{html.escape(block['text']['text'])}</h1>"
        case "section":
            return f'<div class="section">{_mrkdwn(block["text"]["text"])}</div>'
        case "context":
            texts = "".join(f"<div>{_mrkdwn(part['text'])}</div>" for part in block["elements"])
            return f'<div class="context">{texts}</div>'
        case "divider":
            return "<hr>"
        case "actions":
            buttons = "".join(map(_button, block["elements"]))
            return f'<div class="actions">{buttons}</div>'
        case "input":
            hint = html.escape(block["element"]["placeholder"]["text"])
            return f"<b>{html.escape(block['label']['text'])}</b><textarea>{hint}</textarea>"
        case "rich_text":
            return "".join(
                f"<pre>{html.escape(''.join(part['text'] for part in element['elements']))}</pre>"
                for element in block["elements"]
            )
    raise ValueError(f"no picture for block type {block['type']!r}")


def _button(element: Json) -> str:
    """A button, or the three dots of a menu with its entries beside them."""
    if element["type"] == "overflow":
        entries = ", ".join(html.escape(option["text"]["text"]) for option in element["options"])
        return f"<button>⋯</button><small>{entries}</small>"
    return f'<button class="{element.get("style", "")}">{html.escape(element["text"]["text"])}</button>'


def _mrkdwn(text: str) -> str:
    """Slack's formatting: the text is escaped already, tokens in angle brackets are ours."""
    text = re.sub(r"<!date\^(\d+)\^[^|]*\|[^>]*>", lambda found: _local(int(found[1])), text)
    text = re.sub(r"<@(\w+)>", r"<mark>@\1</mark>", text)
    text = re.sub(r"<(https?:[^|>]+)\|([^>]+)>", r'<a href="\1">\2</a>', text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\*([^*\n]+)\*", r"<b>\1</b>", text)


def _local(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%b %-d at %-I:%M %p}"


if __name__ == "__main__":
    sys.exit(main())

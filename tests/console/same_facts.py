"""One request for approval as Slack, the web page and the command line show it; snapshots of the last two.

`python -m tests.console.same_facts` writes tests/console/snapshots anew; Slack's are those of tests/slack/states.py.
"""

from __future__ import annotations

import asyncio
import html
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from console.api import ask_body
from console.render import fragment
from countermand.cli.ask_commands import card_lines
from countermand.messages.ask_card import AskCard, ask_card
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import slack_card
from tests.console.world import Story, World, make_template
from tests.slack import states
from tests.slack.human import words

SNAPSHOTS = Path(__file__).parent / "snapshots"
#: A plan no Slack card can hold, beside the moments of the cards.
LONGEST = "too_long"
STATES = (*states.MOMENTS, LONGEST)

Tell = Callable[[Callable[[Story], Awaitable[None]]], Awaitable[World]]
Asked = tuple[IncidentView, AskView]


async def asked_in(tell: Tell, state: str) -> Asked:
    """The request in this state."""
    view, ask = await states.view_of(await tell(states.MOMENTS.get(state, Story.asked)))
    return states.longest(view, ask) if state == LONGEST else (view, ask)


def web(view: IncidentView, ask: AskView) -> str:
    """The part of the page whose exact bytes are signed."""
    return str(fragment("ask_card.html", card=ask_card(view, ask)))


def terminal(view: IncidentView, ask: AskView) -> str:
    """What `ask show` prints from what the API answers."""
    return "\n".join(str(line) for line in card_lines(ask_body(ask, ask_card(view, ask), "sha256:view"))) + "\n"


def slack(view: IncidentView, ask: AskView) -> list[dict[str, Any]]:
    return list(slack_card(view, ask, states.CONSOLE).blocks)


def texts(view: IncidentView, ask: AskView) -> dict[str, str]:
    """What a person reads in each of the three, markup and escapes taken away."""
    page = html.unescape(re.sub(r"<[^>]+>", "", web(view, ask)))
    return {"slack": html.unescape(words(slack(view, ask))), "web": page, "terminal": terminal(view, ask)}


def facts_of(card: AskCard) -> dict[str, tuple[str, ...]]:
    """Every fact by id in the order of communications.md §8, and what has to be read of it."""
    facts = {"question": (card.question,), "deadline": (card.deadline,)}
    facts |= {fact.id: (fact.title, *fact.lines) for fact in card.facts}
    facts |= {"otherwise": (card.if_nobody_decides,), "people": (card.people,)}
    return facts | {"digest": (card.approval_digest.removeprefix("sha256:")[:12],)}


async def written(tell: Tell) -> dict[str, str]:
    """Every snapshot by file name."""
    found = {}
    for state in STATES:
        view, ask = await asked_in(tell, state)
        found[f"{state}.html"] = web(view, ask)
        found[f"{state}.txt"] = terminal(view, ask)
    return found


async def _write() -> None:
    with tempfile.TemporaryDirectory() as directory:
        template = Path(directory) / "template.db"
        verdict = await make_template(template)
        worlds: list[World] = []

        async def tell(moment: Callable[[Story], Awaitable[None]]) -> World:
            path = Path(directory) / f"{len(worlds)}.db"
            shutil.copy(template, path)
            worlds.append(await World.make(path, verdict, moment, 0))
            return worlds[-1]

        SNAPSHOTS.mkdir(exist_ok=True)
        for name, text in (await written(tell)).items():
            (SNAPSHOTS / name).write_text(text, encoding="utf-8")
        for world in worlds:
            await world.deps.database.close()


if __name__ == "__main__":
    asyncio.run(_write())

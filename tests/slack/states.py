"""Every state a card, a dialog and a note can be in, as JSON: the snapshots, and what the pictures are made of.

`python -m tests.slack.states` writes tests/slack/snapshots anew; read the difference before you commit it.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from countermand.governance import approval as rules
from countermand.governance.decision import DecisionKind
from countermand.ledger.bodies import AskAcknowledged, AskRung
from countermand.messages.ask_card import ask_card
from countermand.messages.block_kit import SlackMessage
from countermand.messages.incident import AskView, IncidentView, incident
from countermand.messages.slack_card import minimal_card, slack_card
from countermand.messages.slack_dialog import (
    decision_dialog,
    loading_dialog,
    recorded_dialog,
    refused_dialog,
    waiting_dialog,
)
from countermand.messages.slack_home import home
from countermand.messages.slack_notes import notes
from tests import cases
from tests.console.world import BASE, INCIDENT, Story, World, make_template

SNAPSHOTS = Path(__file__).parent / "snapshots"
CONSOLE = "https://console.example.com"
ASK = f"{INCIDENT}-ask-1"
QUIET = timedelta(minutes=10)
REASON = "Hallucinations tripled since 03:12; customers act on these answers."

HOSTILE_REASON = (
    "\x1b[2J\x1b[31mApproved by everybody\x1b[0m \u202eevorppa\u202c\u200b <!channel> <https://evil.example|Approve…> "
    "</p><script>alert(1)</script>\n• stage 1: 100 % of users\n```\nАpprоved"
)

Json = dict[str, Any]
Tell = Callable[[Callable[[Story], Awaitable[None]]], Awaitable[World]]


async def one_vote(story: Story) -> None:
    """One of two has approved, somebody is looking, a reminder went out."""
    await story.asked()
    story.ago(100)
    await story.vote(await story.decision(cases.MARIA, DecisionKind.approve, REASON))
    await story.note(AskAcknowledged(ask_id=ASK, subject=cases.JONAS, name="Jonas Weber", channel="slack"))
    story.ago(60)
    await story.note(AskRung(ask_id=ASK, rung=1, do="remind", to=("safety_lead", "release_owner")))


async def without_evidence(story: Story) -> None:
    story.with_evidence = False
    await story.asked()


async def rejected(story: Story) -> None:
    await story.asked()
    story.ago(90)
    await story.vote(await story.decision(cases.JONAS, DecisionKind.reject, "We checked twenty: the judge is wrong."))


async def withdrawn(story: Story) -> None:
    await story.asked()
    story.ago(90)
    await story.vote(await story.decision(cases.JONAS, DecisionKind.withdraw, "Asked by mistake."))


async def expired(story: Story) -> None:
    await story.asked()
    assert story.ask is not None
    story.clock.set(BASE + timedelta(hours=1))
    story.state = rules.expire(story.ask, story.state, story.clock())
    await story._closed()


async def stale(story: Story) -> None:
    await story.asked()
    await story.ask_anew("the evidence changed")


async def hostile(story: Story) -> None:
    """One of two has approved, with a reason that wants to be taken for a fact, a button and a command."""
    await story.asked()
    story.ago(100)
    await story.vote(await story.decision(cases.MARIA, DecisionKind.approve, HOSTILE_REASON))


MOMENTS = {
    "pending": Story.asked,
    "one_vote": one_vote,
    "cannot_be_shown": without_evidence,
    "approved": Story.approved,
    "rejected": rejected,
    "expired": expired,
    "stale": stale,
    "withdrawn": withdrawn,
    "hostile": hostile,
}


async def view_of(world: World) -> tuple[IncidentView, AskView]:
    """The incident and its first request."""
    view = incident(await world.story.ledger.records(incident_id=INCIDENT))
    assert view is not None
    return view, view.asks[0]


def longest(view: IncidentView, ask: AskView) -> tuple[IncidentView, AskView]:
    """A plan no card can hold: every member differs, twenty signals fired, every name is as long as allowed."""
    assert view.plan is not None
    assert view.verdict is not None
    name = "support-assistant-" + "v" * 180
    candidate = view.plan.candidate.model_copy(update={"name": name, "model": "m2", "prompt": "p2"})
    view.plan = view.plan.model_copy(
        update={"candidate": candidate, "warnings": tuple(f"risk {i} " * 40 for i in range(9))}
    )
    ask.opened = ask.opened.model_copy(update={"plan_digest": view.plan.digest})
    view.opened = view.opened.model_copy(update={"candidate_name": name, "baseline_name": name[::-1]})
    one = view.verdict.verdicts[0]
    many = tuple(one.criteria[0].model_copy(update={"sentence": f"signal {i}: {'worse ' * 60}"}) for i in range(20))
    view.verdict = view.verdict.model_copy(update={"verdicts": (one.model_copy(update={"criteria": many}),)})
    return view, ask


async def states(tell: Tell) -> dict[str, Json]:
    """Everything by name."""
    found: dict[str, Json] = {}
    for name, moment in MOMENTS.items():
        view, ask = await view_of(await tell(moment))
        found[f"card_{name}"] = _message(slack_card(view, ask, CONSOLE))
    view, ask = await view_of(await tell(Story.asked))
    card = ask_card(view, ask)
    found["card_minimal"] = _message(minimal_card(view, ask, CONSOLE))
    found["dialog_approve"] = decision_dialog("approve", view, card)
    found["dialog_reject"] = decision_dialog("reject", view, card)
    found["dialog_extend"] = decision_dialog("extend", view, card)
    found["dialog_waiting"] = waiting_dialog()
    found["dialog_loading"] = loading_dialog()
    found["dialog_recorded"] = recorded_dialog("1 of 2 people approved.", CONSOLE, INCIDENT)
    late = "this request is already approved (approved by Maria Keller and Jonas Weber)."
    found["dialog_refused"] = refused_dialog(late, "Open the incident to see what happens now.", CONSOLE, INCIDENT)
    found["home"] = home([(view, ask)], [], [view], CONSOLE)
    world = await tell(one_vote)
    view, ask = await view_of(world)
    directory = await world.story.people.snapshot()
    for note in notes(view, ask, lambda roles: tuple(one.subject for one in directory.holders(*roles)), QUIET):
        found[f"note_{note.key.partition('/')[0]}"] = _message(note.message)
    view, ask = longest(*await view_of(await tell(Story.asked)))
    found["card_too_long"] = _message(slack_card(view, ask, CONSOLE))
    return found


def _message(message: SlackMessage) -> Json:
    return {"text": message.text, "blocks": list(message.blocks)}


def written(state: Json) -> str:
    return json.dumps(state, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


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
        for name, state in (await states(tell)).items():
            (SNAPSHOTS / f"{name}.json").write_text(written(state), encoding="utf-8")
        for world in worlds:
            await world.deps.database.close()


if __name__ == "__main__":
    asyncio.run(_write())

"""The App Home: what waits for a person, what they asked, what is running, what was decided lately (SLK-24)."""

from __future__ import annotations

from collections.abc import Sequence

from countermand.messages.block_kit import Block, Json, actions, button, cut, divider, esc, header, link_button, section
from countermand.messages.facts import utc
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import APPROVE, OPEN, REJECT

MOST = 5
#: Further requests, without buttons of their own; the console has them all.
MOST_LISTED = 10
MOST_DECISIONS = 10

Asked = tuple[IncidentView, AskView]


def home(waiting: Sequence[Asked], asked: Sequence[Asked], running: Sequence[IncidentView], console_url: str) -> Json:
    """The view of one person. `waiting` needs their vote, the worst and most urgent first; `asked` they requested
    themselves."""
    waiting = sorted(waiting, key=lambda one: (one[0].opened.severity, one[1].expires_at))
    blocks = [header("What waits for you", "h_waiting")]
    blocks += [block for one in waiting[:MOST] for block in _waiting(*one, console_url)] or [
        section("nothing", "Nothing waits for you.")
    ]
    blocks += _lines("more", "Waiting for you too; decide in the console", _listed(waiting[MOST:]))
    blocks += _lines("asked", "You asked", [_asked(*one) for one in asked[:MOST]])
    blocks += _lines("running", "Running now", [f"{_name(view)}: {view.sentence}" for view in running[:MOST]])
    decided = [
        (ask.voted_at[vote.decision_id], f"{vote.name} {vote.vote} on {_name(view)}")
        for view in running
        for ask in view.asks
        for vote in ask.votes
        if vote.decision_id in ask.voted_at
    ]
    newest = sorted(decided, reverse=True)[:MOST_DECISIONS]
    blocks += _lines("decided", "Decided lately", [f"{utc(at)}: {text}" for at, text in newest])
    blocks.append(actions("console", [link_button(OPEN, "Open console", f"{console_url}/")]))
    return {"type": "home", "blocks": blocks}


def stranger_home(sentence: str, next_: str) -> Json:
    """For somebody who may not see anything, or is not linked yet."""
    return {"type": "home", "blocks": [header("Countermand"), section("why", f"*{esc(sentence)}*\n{esc(next_)}")]}


def _waiting(view: IncidentView, ask: AskView, console_url: str) -> list[Block]:
    ask_id = ask.opened.ask_id
    question = f"Roll back {_name(view)} to {cut(view.opened.baseline_name, 100)}?"
    text = f"*{esc(question)}*\n{esc(cut(view.opened.sentence, 600))}\nDecide by *{utc(ask.expires_at)}*."
    text += f" If nobody decides: {esc(ask.opened.default)}."
    buttons = [
        button(APPROVE, "Approve…", ask_id, style="primary"),
        button(REJECT, "Reject…", ask_id, style="danger"),
        link_button(OPEN, "Open console", f"{console_url}/asks/{ask_id}"),
    ]
    return [section(f"w_{ask_id}", text), actions(f"a_{ask_id}", buttons)]


def _listed(waiting: Sequence[Asked]) -> list[str]:
    lines = [
        f"{view.opened.severity}: roll back {_name(view)}? Decide by {utc(ask.expires_at)}."
        for view, ask in waiting[:MOST_LISTED]
    ]
    return [*lines, f"and {len(waiting) - MOST_LISTED} more"] if len(waiting) > MOST_LISTED else lines


def _asked(view: IncidentView, ask: AskView) -> str:
    return f"{_name(view)}: {ask.status}, {ask.have} of {ask.opened.need_people} people approved"


def _name(view: IncidentView) -> str:
    return cut(view.opened.candidate_name, 100)


def _lines(block_id: str, title: str, lines: Sequence[str]) -> list[Block]:
    if not lines:
        return []
    shown = "\n".join(f"• {esc(cut(line, 250))}" for line in lines)
    return [divider(f"d_{block_id}"), section(block_id, f"*{esc(title)}*\n{shown}")]

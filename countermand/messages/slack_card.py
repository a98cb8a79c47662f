"""The card of one request for approval in Slack, for every state it can be in (slack.md §3, communications.md §8).

Facts, order and words are those of `ask_card`. The same Ledger gives the same card, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence

from countermand.ledger.bodies import AskVote
from countermand.messages.ask_card import AskCard, Fact, ask_card
from countermand.messages.block_kit import (
    MAX_SECTION,
    MAX_TEXT,
    Block,
    Json,
    Sample,
    SlackMessage,
    actions,
    button,
    context,
    cut,
    esc,
    fence,
    fits,
    header,
    link,
    link_button,
    listed,
    overflow,
    section,
    when,
)
from countermand.messages.facts import default_words, spoken, utc
from countermand.messages.incident import AskView, IncidentView

#: Names of the buttons; the value of each is the id of the request and nothing else (SLK-1).
ACKNOWLEDGE, APPROVE, REJECT, HOLD, OPEN = "acknowledge", "approve", "reject", "hold", "open_console"
ASK_AGAIN, EXTEND = "ask_again", "extend"

_CLOSED = {
    "approved": ("Approved", "The rollback starts by itself, stage by stage. Nothing more is needed from you."),
    "rejected": ("Rejected", "Nothing was changed. The incident is closed and reviewed."),
    "expired": ("Nobody decided in time", ""),
    "stale": ("Out of date", "What was asked has changed, so no vote on this card counts. A newer request follows."),
    "withdrawn": ("Withdrawn", "The request was taken back. Nothing was changed."),
}
_VOTED = {"approve": "approved", "reject": "rejected"}
_CHANNEL = {"web": "in the console", "cli": "on the command line", "api": "over the API", "slack": "in Slack"}


def slack_card(view: IncidentView, ask: AskView, console_url: str) -> SlackMessage:
    """The card as it has to look now."""
    card = ask_card(view, ask)
    return _pending(view, ask, card, console_url) if ask.closed is None else _closed(view, ask, card, console_url)


def minimal_card(view: IncidentView, ask: AskView, console_url: str) -> SlackMessage:
    """What is sent when the card cannot be: the question, the time limit and the way to the console (slack.md §6)."""
    card = ask_card(view, ask)
    blocks: list[Block] = [header(card.title), section("question", question_of(card))]
    if ask.closed is None:
        blocks.append(section("lacks", "*This card cannot be shown completely.* Read and decide in the console."))
        blocks.append(actions("decide", _buttons(view, ask, console_url, approve=False)))
    else:
        word, then = _closed_words(ask)
        blocks[1:] = [section("outcome", f"*{word}.* {esc(then)}"), context("link", _incident_link(view, console_url))]
    return SlackMessage(text=fallback(ask, card), blocks=tuple(blocks))


def fallback(ask: AskView, card: AskCard) -> str:
    """What notifications and screen readers say: one or two sentences, no untrusted text (SLK-16)."""
    if ask.closed is not None:
        word, then = _closed_words(ask)
        return cut(f"{word}: {esc(card.title)} {esc(then)}", MAX_TEXT)
    return cut(f"Your decision is asked: {esc(card.question)} Decide by {utc(card.expires_at)}.", MAX_TEXT)


def complete_in_slack(view: IncidentView, ask: AskView, console_url: str) -> bool:
    """Whether everything a person must know before approving is on the card (SLK-18)."""
    card = ask_card(view, ask)
    return card.complete and fits(_whole(view, ask, card, console_url))


def fact_blocks(card: AskCard, *, whole: bool = True) -> list[Block]:
    """Rows 3 to 6, one section per group of facts; only their beginning when the plan is too long for Slack."""
    facts = card.facts if whole else [_begin(fact) for fact in card.facts[:4]]
    return [section(f"fact_{fact.id}", _fact(fact)) for fact in facts]


def samples_of(ask: AskView) -> list[Sample]:
    """What people typed as their reasons, the newest first."""
    return [
        Sample(label=f"{vote.name} {_VOTED[vote.vote]}:", text=vote.reason)
        for vote in reversed(ask.standing_votes)
        if vote.reason
    ]


def _pending(view: IncidentView, ask: AskView, card: AskCard, console_url: str) -> SlackMessage:
    blocks = _whole(view, ask, card, console_url)
    if not fits(blocks):
        blocks = _shortened(view, ask, card, console_url)
    return SlackMessage(text=fallback(ask, card), blocks=_with_samples(blocks, ask))


def _whole(view: IncidentView, ask: AskView, card: AskCard, console_url: str) -> list[Block]:
    blocks = [*_top(view, ask, card), *fact_blocks(card)]
    if not card.complete:
        lacking = spoken(card.incomplete_because)
        blocks.append(
            section("lacks", f"*Approving is not offered:* {esc(lacking)} cannot be shown. You can still reject.")
        )
    buttons = _buttons(view, ask, console_url, approve=card.complete)
    return [*blocks, *_bottom(ask, card), actions("decide", buttons)]


def _shortened(view: IncidentView, ask: AskView, card: AskCard, console_url: str) -> list[Block]:
    """A plan that is too long for Slack: its beginning, and the way to read it all. Nobody approves half a plan."""
    short = fact_blocks(card, whole=False)
    lacks = "*Approving is not offered here:* the plan is too long for Slack. Read and approve it in the console."
    buttons = _buttons(view, ask, console_url, approve=False)
    top, bottom = _top(view, ask, card), _bottom(ask, card)
    return [*top, *short, section("lacks", lacks), *bottom, actions("decide", buttons)]


def _begin(fact: Fact) -> Fact:
    lines = [cut(line, 200) for line in fact.lines[:3]]
    more = len(fact.lines) - 3
    return Fact(title=cut(fact.title, 80), lines=(*lines, *((f"… {more} more in the console",) if more > 0 else ())))


def _top(view: IncidentView, ask: AskView, card: AskCard) -> list[Block]:
    question = f"{question_of(card)}\n{_what_to_do(ask)}"
    return [header(card.title), context("where", where(view)), section("question", question)]


def where(view: IncidentView) -> str:
    """Environment, severity, incident and playbook in one line."""
    parts = [view.opened.environment, view.opened.severity, view.incident_id]
    if view.plan is not None:
        parts.append(f"playbook {view.plan.playbook_digest.removeprefix('sha256:')[:12]}")
    return esc(" · ".join(parts))


def question_of(card: AskCard) -> str:
    """The decision asked and its time limit."""
    return f"*{esc(cut(card.question, 800))}*\nDecide by *{when(card.expires_at)}* ({card.deadline})."


def _what_to_do(ask: AskView) -> str:
    """For somebody who sees such a card for the first time."""
    people = "One person decides" if ask.opened.need_people == 1 else f"{ask.opened.need_people} people decide"
    return f"{people}: {esc(spoken(ask.opened.need_roles))}. Read this, then press a button at the end."


def _fact(fact: Fact) -> str:
    return cut(listed(fact.title, fact.lines), MAX_SECTION + 1)


def _bottom(ask: AskView, card: AskCard) -> list[Block]:
    """Row 7: what happens otherwise, who has voted, and what exactly is decided on."""
    people = [f"*Votes:* {esc(cut(card.people, 600))}"]
    looking = [name for name, _ in ask.acknowledged.values()]
    if looking:
        people.append(f"*Looking at it:* {esc(cut(spoken(looking), 300))}")
    digest = f"You decide on `{card.approval_digest.removeprefix('sha256:')[:12]}`"
    otherwise = section("otherwise", f"*If nobody decides:* {esc(card.if_nobody_decides)}")
    return [otherwise, context("people", *people, digest)]


def _buttons(view: IncidentView, ask: AskView, console_url: str, *, approve: bool) -> list[Json]:
    ask_id = ask.opened.ask_id
    found = [button(ACKNOWLEDGE, "I'm on it", ask_id, says="I'm on it. Tells the others; it is not a vote.")]
    if approve:
        found.append(button(APPROVE, "Approve…", ask_id, style="primary", says="Approve: opens the plan and a reason"))
    found.append(button(REJECT, "Reject…", ask_id, style="danger", says="Reject: opens the plan and a reason"))
    if view.phase is not None and HOLD in view.phase.commands:
        found.append(button(HOLD, "Hold ramp…", ask_id, says="Hold the ramp: asks for a reason"))
    found.append(link_button(OPEN, "Open console", f"{console_url}/asks/{ask_id}"))
    if ask.extended is None:
        found.append(overflow(EXTEND, {"Extend…": ask_id}, says="More: take more time to decide, once"))
    return found


def _with_samples(blocks: Sequence[Block], ask: AskView) -> tuple[Block, ...]:
    """Samples are what goes first when room is short: they can never push a fact or a button away."""
    whole = [*blocks, *fence(samples_of(ask))]
    return tuple(whole if fits(whole) else blocks)


# --- after the decision -----------------------------------------------------------------------------------------


def _closed(view: IncidentView, ask: AskView, card: AskCard, console_url: str) -> SlackMessage:
    """Who, role, when, how many, for what; no buttons (SLK-4, SLK-23)."""
    word, then = _closed_words(ask)
    because = ask.closed.because if ask.closed else ""
    blocks = [
        header(f"{word}: {card.title[:1].lower()}{card.title[1:].removesuffix('?')}"),
        context("where", where(view)),
        section("outcome", f"*{esc(cut(_sentence(because), 600))}*\n{esc(then)}"),
    ]
    if ask.standing_votes:
        votes = [_vote(ask, vote) for vote in ask.standing_votes]
        blocks.append(section("votes", cut(listed("Who decided", votes), MAX_SECTION)))
    blocks.append(
        section(f"fact_{card.facts[0].id}", cut(listed("What was asked", card.facts[0].lines[:3]), MAX_SECTION))
    )
    closed = f"Closed {when(ask.closed_at)} ({utc(ask.closed_at)})" if ask.closed_at else "Closed"
    count = f"{ask.have} of {ask.opened.need_people} people approved"
    decided_on = f"Decided on `{card.approval_digest.removeprefix('sha256:')[:12]}`"
    blocks.append(context("record", f"{closed} · {count} · {decided_on}", _incident_link(view, console_url)))
    return SlackMessage(text=fallback(ask, card), blocks=_with_samples(blocks, ask))


def _closed_words(ask: AskView) -> tuple[str, str]:
    word, then = _CLOSED[ask.status]
    if ask.status == "expired":
        then = f"So, as declared: {default_words(ask)}."
    return word, then


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _vote(ask: AskView, vote: AskVote) -> str:
    at = ask.voted_at.get(vote.decision_id)
    how = _CHANNEL.get(vote.channel, vote.channel)
    return f"{vote.name} ({spoken(vote.roles)}) {_VOTED[vote.vote]} {how}" + (f", {utc(at)}" if at else "")


def _incident_link(view: IncidentView, console_url: str) -> str:
    return link(f"{console_url}/incidents/{view.incident_id}", "Open the incident")

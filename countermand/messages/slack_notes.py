"""What is said in the thread of a card: one note per reminder, escalation, vote, stage and end (SLK-10, SLK-24).

No note carries a button: there is one card, and the notes point at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from countermand.ledger.bodies import AskRung, AskVote
from countermand.messages.ask_card import ask_card
from countermand.messages.block_kit import MAX_TEXT, Sample, SlackMessage, cut, esc, fence, section, when
from countermand.messages.facts import spoken, utc
from countermand.messages.incident import AskView, IncidentView, StageView
from countermand.messages.slack_card import fallback
from countermand.plan.target import Value

_VERB = {"approve": "approved", "reject": "rejected", "retract": "took back their vote"}
_STAGE = {"completed": "is done", "stopped": "stopped", "aborted": "was aborted", "reversed": "was reversed"}
_STAGE |= {"partial": "left the bundle divided", "compensated": "was taken back"}


class Note(Value):
    """One note. `key` names it once and for all below its request; `to` are subjects it calls by mention."""

    key: str
    message: SlackMessage
    to: tuple[str, ...] = ()


def notes(
    view: IncidentView,
    ask: AskView,
    people: Callable[[tuple[str, ...]], tuple[str, ...]],
    ack_quiet: timedelta,
) -> Iterator[Note]:
    """Every note the thread has to hold now, oldest kind first. `people` gives the subjects who hold one of the roles.

    `ack_quiet`: how long somebody who said "I'm on it" is called by no reminder (GOV-25).
    A reminder or an escalation of a request that is over is not said any more: terminal states cancel all of it.
    """
    if ask.closed is None:
        yield from (_rung(ask, rung, people, ack_quiet) for rung in ask.rungs if rung.do in ("remind", "escalate"))
    yield from (_vote(vote) for vote in ask.votes)
    if ask.closed is not None:
        card = ask_card(view, ask)
        yield Note(key="closed", message=_said(fallback(ask, card)))
    if ask is view.ask and ask.status == "approved":
        yield from (_stage(stage, view) for stage in view.stages if stage.state in _STAGE)


def _rung(
    ask: AskView, rung: AskRung, people: Callable[[tuple[str, ...]], tuple[str, ...]], ack_quiet: timedelta
) -> Note:
    voted = {vote.subject for vote in ask.standing_votes}
    at = ask.rung_at.get(rung.rung, ask.opened.opened_at)
    to = tuple(
        one
        for one in people(rung.to)
        if one not in voted and not _quiet(ask, one, at, ack_quiet) and ask.lanes.get(one) != "batch"
    )
    missing = f"Missing: {esc(spoken(ask.missing))}." if ask.missing else ""
    word = "Reminder" if rung.do == "remind" else f"Escalated to {esc(spoken(rung.to))}"
    limit = f"Decide by {when(ask.expires_at)} ({utc(ask.expires_at)})."
    text = f"*{word}.* {ask.have} of {ask.opened.need_people} people approved. {missing} "
    return Note(key=f"rung/{rung.rung}", message=_said(text + limit), to=to)


def _quiet(ask: AskView, subject: str, at: datetime, ack_quiet: timedelta) -> bool:
    """Whether this person said "I'm on it" so lately that they are not called at `at`."""
    said = ask.acknowledged.get(subject)
    return said is not None and said[1] <= at < said[1] + ack_quiet


def _vote(vote: AskVote) -> Note:
    count = f"{vote.have} of {vote.need} people approved"
    text = f"*{esc(vote.name)}* ({esc(spoken(vote.roles))}) {_VERB[vote.vote]}. {count}."
    said = (Sample(label="Reason:", text=vote.reason),) if vote.reason else ()
    blocks = (section("note", text), *fence(said))
    return Note(key=f"vote/{vote.decision_id}", message=SlackMessage(text=cut(text, MAX_TEXT), blocks=blocks))


def _stage(stage: StageView, view: IncidentView) -> Note:
    text = f"*Stage {stage.number} of {len(view.stages)} {_STAGE[stage.state]}:* {esc(cut(stage.sentence, 600))}"
    return Note(key=f"stage/{view.revert}/{stage.number}/{stage.state}", message=_said(text))


def _said(text: str) -> SlackMessage:
    return SlackMessage(text=cut(text, MAX_TEXT), blocks=(section("note", text),))


def calling(message: SlackMessage, users: tuple[str, ...]) -> SlackMessage:
    """The note with a mention of these Slack users before it; ids come from our own links, never from a text."""
    if not users:
        return message
    mentions = " ".join(f"<@{user}>" for user in users)
    first, *rest = message.blocks
    called = section("note", f"{mentions} {first['text']['text']}")
    return SlackMessage(text=f"{mentions} {message.text}", blocks=(called, *rest))

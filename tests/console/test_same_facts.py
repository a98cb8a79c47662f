"""Slack, the page and the command line show the same facts of a request in the same order, whatever others type."""

from __future__ import annotations

import re

import pytest

from countermand.messages.ask_card import ask_card
from countermand.messages.slack_card import APPROVE
from tests.console import same_facts
from tests.console.conftest import tell, template
from tests.console.same_facts import LONGEST, STATES, Tell, asked_in, facts_of
from tests.slack import states
from tests.slack.corpus import HOSTILE
from tests.slack.human import buttons, words

__all__ = ["tell", "template"]

OPEN = [state for state in STATES if state in ("pending", "one_vote", "hostile", "cannot_be_shown")]
CLOSED = [state for state in STATES if state not in (*OPEN, LONGEST)]
each_place = pytest.mark.parametrize("place", ["slack", "web", "terminal"])


@pytest.mark.parametrize("state", STATES)
async def test_every_rendering_looks_as_it_did_when_somebody_last_looked(tell: Tell, state: str) -> None:
    """Changed on purpose? `python -m tests.console.same_facts`, read the difference, commit it."""
    view, ask = await asked_in(tell, state)
    for name, text in ((f"{state}.html", same_facts.web(view, ask)), (f"{state}.txt", same_facts.terminal(view, ask))):
        assert text == (same_facts.SNAPSHOTS / name).read_text(encoding="utf-8"), name
    kept = (states.SNAPSHOTS / f"card_{state}.json").read_text(encoding="utf-8")
    message = same_facts.slack_card(view, ask, states.CONSOLE)
    assert states.written({"text": message.text, "blocks": list(message.blocks)}) == kept


@each_place
@pytest.mark.parametrize("state", [*OPEN, LONGEST])
async def test_an_open_request_shows_every_fact_in_the_fixed_order(tell: Tell, state: str, place: str) -> None:
    view, ask = await asked_in(tell, state)
    text = same_facts.texts(view, ask)[place]
    at = 0
    for name, parts in facts_of(ask_card(view, ask)).items():
        if (place, state) == ("slack", LONGEST) and name not in ("question", "deadline", "what", "otherwise", "digest"):
            continue  # only the beginning of the facts has room
        for part in parts[:2] if (place, state) == ("slack", LONGEST) else parts:
            found = text.find(part[:190] if place == "slack" else part, at)
            assert found >= 0, f"{place} does not show {name!r} after what comes before it: {part!r}"
            at = found


async def test_the_fact_ids_of_page_and_card_are_those_of_the_builder(tell: Tell) -> None:
    view, ask = await asked_in(tell, "pending")
    ids = list(facts_of(ask_card(view, ask)))
    assert ids == ["question", "deadline", "what", "why", "plan", "checked_before_between_and_after",
                   "what_is_not_known", "risks_of_going_back", "otherwise", "people", "digest"]  # fmt: skip
    on_page = re.findall(r'data-fact="(\w+)"', same_facts.web(view, ask))
    assert on_page == [one for one in ids if one != "deadline"], "the deadline stands with the question"
    blocks = [block["block_id"].removeprefix("fact_") for block in same_facts.slack(view, ask)]
    assert [one for one in blocks if one in ids] == [one for one in ids if one not in ("deadline", "digest")]


@each_place
@pytest.mark.parametrize("state", CLOSED)
async def test_a_request_that_is_over_says_how_it_ended_what_it_was_about_and_who_decided(
    tell: Tell, state: str, place: str
) -> None:
    view, ask = await asked_in(tell, state)
    card, text = ask_card(view, ask), same_facts.texts(view, ask)[place]
    assert ask.closed is not None
    for part in (ask.closed.because, *card.facts[0].lines[:3], f"{ask.have} of {ask.opened.need_people} people"):
        assert part.lower() in text.lower(), part
    assert card.approval_digest.removeprefix("sha256:")[:12] in text
    for vote in ask.standing_votes if place != "web" else ():  # on the page the votes stand beside the card
        assert vote.name in text
    assert "countermand approve" not in text


@pytest.mark.parametrize("state", ["cannot_be_shown", LONGEST])
async def test_what_cannot_be_shown_whole_offers_no_approval_and_says_so(tell: Tell, state: str) -> None:
    view, ask = await asked_in(tell, state)
    texts = same_facts.texts(view, ask)
    assert APPROVE not in buttons({"blocks": same_facts.slack(view, ask)})
    assert "Approving is not offered" in texts["slack"]
    if state == "cannot_be_shown":
        assert "countermand approve" not in texts["terminal"]
        assert "the evidence cannot be shown" in texts["terminal"]
        assert "the evidence cannot be shown, so it cannot be approved" in texts["web"]


def above(place: str, text: str) -> str:
    """What stands above the line under which others have their say; the card of the page holds no such part."""
    line = {"slack": "*Untrusted sample:*", "terminal": "────────", "web": "\0"}[place]
    return text.partition(line)[0]


@each_place
async def test_hostile_reasons_change_nothing_above_the_line(tell: Tell, place: str) -> None:
    """THR-11, for all three: the same characters with and without them, and nothing below that a screen obeys."""
    view, ask = await asked_in(tell, "one_vote")
    plain = above(place, same_facts.texts(view, ask)[place])
    vote = ask.votes[0]
    for reason in HOSTILE:
        ask.votes[0] = vote.model_copy(update={"reason": reason})
        text = same_facts.texts(view, ask)[place]
        assert above(place, text) == plain
        unseen = [char for char in text if not char.isprintable() and char != "\n"]
        assert unseen == [], reason
    assert place == "web" or len(text) < len(plain) + 1_000, "a sample is cut"


@each_place
async def test_hostile_names_are_shown_and_not_obeyed(tell: Tell, place: str) -> None:
    """Names come from people who register releases; no screen runs, hides or turns them around."""
    view, ask = await asked_in(tell, "pending")
    for name in HOSTILE:
        view.opened = view.opened.model_copy(update={"candidate_name": name[:200]})
        rendered = {
            "slack": words([block for block in same_facts.slack(view, ask) if block["type"] != "header"]),
            "web": same_facts.web(view, ask),
            "terminal": same_facts.terminal(view, ask),
        }[place]
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", rendered)
        assert "<script>" not in rendered or place == "terminal"
        assert not re.search(r"<!(channel|here|everyone)>|<https://evil", rendered) or place == "terminal"

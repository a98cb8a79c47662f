"""What cards look like in every state, that they fit, and that nobody's text can change a fact (SLK-16 to SLK-18)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest

from adapters.slack_check import message_problems, view_problems
from countermand.governance.decision import DecisionKind
from countermand.messages.ask_card import ask_card
from countermand.messages.block_kit import (
    LINE,
    UNTRUSTED,
    Block,
    SlackMessage,
    actions,
    button,
    divider,
    header,
    section,
)
from countermand.messages.incident import AskView, IncidentView
from countermand.messages.slack_card import minimal_card, slack_card
from countermand.messages.slack_dialog import decision_dialog
from countermand.messages.slack_notes import notes
from tests import cases
from tests.console.conftest import tell, template
from tests.console.world import Story, World
from tests.slack import states
from tests.slack.corpus import HOSTILE
from tests.slack.human import buttons, words

__all__ = ["tell", "template"]

Tell = Callable[..., Awaitable[World]]
Asked = tuple[IncidentView, AskView]
CONSOLE = states.CONSOLE


@pytest.fixture
async def asked(tell: Tell) -> Asked:
    return await states.view_of(await tell(Story.asked))


async def test_every_state_looks_as_it_did_when_somebody_last_looked(tell: Tell) -> None:
    """Changed on purpose? `python -m tests.slack.states`, look at docs/images, commit the difference."""
    now = {name: states.written(state) for name, state in (await states.states(tell)).items()}
    kept = {path.stem: path.read_text(encoding="utf-8") for path in states.SNAPSHOTS.glob("*.json")}
    assert now == kept


def test_every_state_passes_the_checks_before_sending() -> None:
    for path in states.SNAPSHOTS.glob("*.json"):
        state = json.loads(path.read_text(encoding="utf-8"))
        if path.stem.startswith(("dialog", "home")):
            assert view_problems(state) == [], path.stem
        else:
            message = SlackMessage(text=state["text"], blocks=tuple(state["blocks"]))
            assert message_problems(message) == [], path.stem


def test_what_a_screen_reader_says_is_a_sentence_with_the_question_and_the_time() -> None:
    state = json.loads((states.SNAPSHOTS / "card_pending.json").read_text(encoding="utf-8"))
    assert state["text"].startswith("Your decision is asked: May the users of support-assistant v7 go back")
    assert state["text"].endswith("Decide by 2026-11-20 03:22:15 UTC.")
    assert "*" not in state["text"]


@pytest.mark.parametrize("name", ["approved", "rejected", "expired", "stale", "withdrawn"])
def test_no_terminal_card_has_a_button(name: str) -> None:
    state = json.loads((states.SNAPSHOTS / f"card_{name}.json").read_text(encoding="utf-8"))
    assert buttons(state) == []
    assert "Open the incident" in words(state["blocks"])


def test_buttons_hold_nothing_but_the_id_of_the_request() -> None:
    state = json.loads((states.SNAPSHOTS / "card_pending.json").read_text(encoding="utf-8"))
    elements = [one for block in state["blocks"] if block["type"] == "actions" for one in block["elements"]]
    elements += [option for one in elements for option in one.get("options", ())]
    assert {one.get("value", states.ASK) for one in elements} == {states.ASK}


async def test_card_and_dialog_show_the_facts_of_the_one_builder_in_its_order(
    asked: Asked,
) -> None:
    view, ask = asked
    card = ask_card(view, ask)
    for shown in (
        words(list(slack_card(view, ask, CONSOLE).blocks)),
        words(decision_dialog("approve", view, card)["blocks"]),
    ):
        places = [shown.index(line) for fact in card.facts for line in fact.lines]
        assert places == sorted(places)
        assert card.approval_digest.removeprefix("sha256:")[:12] in shown
        assert "If nobody decides" in shown


async def test_evidence_that_cannot_be_shown_takes_approve_away_and_leaves_reject(tell: Tell) -> None:
    view, ask = await states.view_of(await tell(states.without_evidence))
    message = slack_card(view, ask, CONSOLE)
    assert buttons({"blocks": message.blocks}) == ["acknowledge", "reject", "open_console", "extend"]
    assert "the evidence cannot be shown" in words(list(message.blocks))


async def test_the_longest_plan_is_shortened_and_cannot_be_approved_in_slack(
    asked: Asked,
) -> None:
    view, ask = states.longest(*asked)
    message = slack_card(view, ask, CONSOLE)
    assert message_problems(message) == []
    assert buttons({"blocks": message.blocks}) == ["acknowledge", "reject", "open_console", "extend"]
    assert "too long for Slack" in words(list(message.blocks))
    assert message_problems(minimal_card(view, ask, CONSOLE)) == []
    dialog = decision_dialog("reject", view, ask_card(view, ask), whole=False)
    assert view_problems(dialog) == []


@pytest.fixture
def reason_told(tell: Tell) -> Callable[[str], Awaitable[Asked]]:
    async def told(reason: str) -> Asked:
        async def moment(story: Story) -> None:
            await story.asked()
            story.ago(100)
            await story.vote(await story.decision(cases.MARIA, DecisionKind.approve, reason))

        return await states.view_of(await tell(moment))

    return told


def above(message: SlackMessage) -> bytes:
    """Everything that is not the fenced sample: facts, buttons, and the text of the notification."""
    blocks = list(message.blocks)
    ids = [block["block_id"] for block in blocks]
    facts = blocks[: ids.index(LINE)] if LINE in ids else blocks
    return json.dumps([message.text, facts], sort_keys=True).encode()


async def test_hostile_text_changes_no_fact_no_button_and_no_notification(
    reason_told: Callable[[str], Awaitable[Asked]],
) -> None:
    """THR-11: byte-identical with and without it."""
    view, ask = await reason_told("An ordinary reason, in one sentence.")
    plain = above(slack_card(view, ask, CONSOLE))
    vote = ask.votes[0]
    for text in HOSTILE:
        ask.votes[0] = vote.model_copy(update={"reason": text})
        message = slack_card(view, ask, CONSOLE)
        assert above(message) == plain
        assert message_problems(message) == []
        fenced = [block for block in message.blocks if block["block_id"] == UNTRUSTED]
        assert len(fenced) == 1, "it is shown, fenced"
        said = words(fenced)
        assert len(said) < 600
        assert all(char.isprintable() or char == "\n" for char in said), repr(said)
        for note in notes(view, ask, lambda _roles: (), states.QUIET):
            assert message_problems(note.message) == []
            assert text not in note.message.text


async def test_hostile_names_stay_names(asked: Asked) -> None:
    """A release's name comes from whoever registered it: one line of up to 200 characters."""
    view, ask = asked
    assert view.plan is not None
    for text in HOSTILE:
        name = text[:200].replace("\n", " ")
        view.opened = view.opened.model_copy(update={"candidate_name": name})
        message = slack_card(view, ask, CONSOLE)
        assert message_problems(message) == []
        everything = message.text + words(list(message.blocks))
        for hidden in ("\u202e", "\u200b", "\x1b"):
            assert hidden not in everything
        # The header is plain text, in which Slack parses nothing.
        parsed = message.text + words([block for block in message.blocks if block["type"] != "header"])
        for live in ("<!channel", "<!here", "<@", "<#", "<https://evil"):
            assert live not in parsed
        mrkdwn = [block["text"] for block in message.blocks if block["type"] == "section"]
        assert all(part["verbatim"] for part in mrkdwn)


def test_what_people_copy_comes_back_byte_for_byte() -> None:
    """COM-22: digests stand in code spans, and hold nothing that Slack would escape."""
    state = json.loads((states.SNAPSHOTS / "dialog_approve.json").read_text(encoding="utf-8"))
    text = words(state["blocks"])
    digest = text[text.index("`sha256:") + 1 :].partition("`")[0]
    assert len(digest) == len("sha256:") + 64
    assert digest == digest.replace("&", "&amp;").replace("<", "&lt;")


BROKEN: dict[str, list[Block]] = {
    "section of 3,001 characters": [section("a", "x" * 3001)],
    "header of 151 characters": [{**header("x"), "text": {"type": "plain_text", "text": "x" * 151, "emoji": False}}],
    "button of 76 characters": [actions("a", [button("b", "x" * 76, "v")])],
    "button value of 2,001 characters": [actions("a", [button("b", "x", "v" * 2001)])],
    "26 elements": [actions("a", [button(f"b{i}", "x", "v") for i in range(26)])],
    "51 blocks": [divider(f"d{i}") for i in range(51)],
    "no block": [],
    "unknown type": [{"type": "hologram", "block_id": "a"}],
    "two blocks with one id": [divider("a"), divider("a")],
    "block without an id": [{"type": "divider"}],
    "two buttons with one action": [actions("a", [button("b", "x", "v"), button("b", "y", "v")])],
    "too many characters": [section(f"s{i}", "x" * 2900) for i in range(3)],
    "too many bytes": [section(f"s{i}", "é" * 900) for i in range(2)],
    "rich text above the line": [{"type": "rich_text", "block_id": UNTRUSTED, "elements": []}],
    "a button below the line": [divider(), actions("a", [button("b", "x", "v")])],
    "a link in the fence": [
        divider(),
        {
            "type": "rich_text",
            "block_id": UNTRUSTED,
            "elements": [
                {"type": "rich_text_preformatted", "elements": [{"type": "link", "url": "https://evil.example"}]}
            ],
        },
    ],
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_slack_would_refuse_or_misread_is_found_before_it_is_sent(name: str) -> None:
    assert message_problems(SlackMessage(text="text", blocks=tuple(BROKEN[name])))


def test_a_message_without_text_is_not_sent() -> None:
    assert message_problems(SlackMessage(text=" ", blocks=(divider("a"),)))


@pytest.mark.parametrize(
    "change",
    [
        {"title": {"type": "plain_text", "text": "x" * 25}},
        {"private_metadata": "x" * 3001},
        {"blocks": [divider(f"d{i}") for i in range(41)]},
    ],
)
async def test_views_that_slack_would_refuse_are_found(asked: Asked, change: dict[str, object]) -> None:
    view, ask = asked
    assert view_problems(decision_dialog("approve", view, ask_card(view, ask)) | change)


async def test_a_card_that_fails_the_check_is_replaced_by_the_smallest_one(
    asked: Asked,
) -> None:
    message = minimal_card(*asked, CONSOLE)
    assert message_problems(message) == []
    assert buttons({"blocks": message.blocks}) == ["acknowledge", "reject", "open_console", "extend"]
    assert "Decide by" in words(list(message.blocks))


def test_the_snapshots_hold_no_address_but_the_consoles() -> None:
    for path in states.SNAPSHOTS.glob("*.json"):
        state = json.loads(path.read_text(encoding="utf-8"))
        ours = [block for block in state["blocks"] if block["block_id"] != UNTRUSTED]
        assert "http" not in json.dumps(ours).replace(CONSOLE, ""), path.stem

"""The small parts on their own: signatures, fencing, and the tables on both databases."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.database import Database
from adapters.slack_copies import Copy, SlackCopies
from adapters.slack_inbox import ABANDONED, KEEP, TOO_OLD, Inbound, SlackInbox
from adapters.slack_links import CODE_LIFE, SlackLinks, SlackUser
from console.slack_signature import genuine
from countermand.messages.block_kit import esc
from countermand.messages.fencing import MAX_SAMPLE, fenced, mixed_words
from tests.adapters.storage.conftest import db, postgres, sqlite_template, store
from tests.slack.corpus import HOSTILE

__all__ = ["db", "postgres", "sqlite_template", "store"]

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
AT = datetime(2026, 11, 20, 3, 14, tzinfo=UTC)


def test_the_example_of_slacks_documentation_is_genuine() -> None:
    """docs.slack.dev, "Verifying requests from Slack"."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    now = datetime.fromtimestamp(1531420618, UTC)
    assert genuine([SECRET], "1531420618", signature, body, now)
    assert genuine(["another", SECRET], "1531420618", signature, body, now)
    assert not genuine([], "1531420618", signature, body, now)
    assert not genuine([SECRET], "1531420619", signature, body, now)
    assert not genuine([SECRET], "1531420618", signature, body + b"&", now)


@given(timestamp=st.text(max_size=20), signature=st.text(max_size=80), body=st.binary(max_size=200))
def test_no_made_up_signature_is_genuine_and_none_raises(timestamp: str, signature: str, body: bytes) -> None:
    assert not genuine([SECRET], timestamp, signature, body, AT)


@given(st.text(max_size=2_000))
def test_fenced_text_is_one_short_line_in_which_every_character_is_seen(text: str) -> None:
    shown = fenced(text)
    assert "\n" not in shown
    assert len(shown) < MAX_SAMPLE + 600
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert not [char for char in shown if unicodedata.category(char) in unseen and not char.isprintable()]


@pytest.mark.parametrize("text", HOSTILE)
def test_the_cut_is_seen_and_says_how_much_there_was(text: str) -> None:
    whole = fenced(text, 10**6)
    assert ("… [cut, " in fenced(text)) == (len(whole.partition(" [looks like")[0]) > MAX_SAMPLE)
    if len(text) > MAX_SAMPLE * 4:
        assert f"[cut, {len(text):,} characters in all]" in fenced(text)


def test_words_that_mix_alphabets_are_named() -> None:
    assert mixed_words("Аpprоved by the team") == ["Аpprоved"]
    assert mixed_words("привет Grüße Ελλάδα plain") == []
    assert "looks like other letters: Аpprоved" in fenced("Аpprоved")


@given(st.text(max_size=300))
def test_escaping_leaves_nothing_that_slack_would_parse(text: str) -> None:
    escaped = esc(text)
    assert "<" not in escaped
    assert ">" not in escaped
    assert escaped.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").count("&") == 0


class Clock:
    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


USER = SlackUser(team_id="T1", user_id="U1")


async def test_a_link_is_made_once_and_a_person_may_have_two_slack_users(db: Database) -> None:
    clock = Clock()
    links = SlackLinks(db, clock)
    code = await links.offer(USER)
    assert await links.subject(USER) is None
    assert await links.confirm(code, "local|maria") == USER
    assert await links.confirm(code, "local|jonas") is None
    other = SlackUser(team_id="T2", user_id="U1")
    await links.confirm(await links.offer(other), "local|maria")
    assert await links.users("local|maria") == [USER, other]
    late = await links.offer(USER)
    assert await links.subject(USER) == "local|maria", "a new code takes nothing away"
    clock.now += CODE_LIFE
    assert await links.confirm(late, "local|jonas") is None


def inbound(key: str) -> Inbound:
    return Inbound(key=key, what="click", user=USER, home_team="T1", action="approve", ask_id="inc-1-ask-1")


async def test_the_inbox_knows_a_repetition_and_gives_back_what_was_left(db: Database) -> None:
    clock = Clock()
    inbox = SlackInbox(db, clock)
    assert await inbox.put(inbound("a"))
    assert not await inbox.put(inbound("a"))
    assert await inbox.put(inbound("b"))
    await inbox.done("b")
    assert await inbox.take_abandoned() == []
    clock.now += ABANDONED
    assert await inbox.take_abandoned() == [inbound("a")]
    assert await inbox.take_abandoned() == [], "taken by one"
    clock.now += TOO_OLD
    assert await inbox.take_abandoned() == []
    clock.now += KEEP
    await inbox.take_abandoned()
    assert await inbox.put(inbound("a")), "forgotten after a day"


async def test_a_copy_is_attempted_by_one_and_its_revision_only_grows(db: Database) -> None:
    copies = SlackCopies(db, Clock())
    copy = await copies.plan(Copy(card_id="ask-1/channel", ask_id="ask-1", place="channel C1", channel="C1"))
    assert await copies.claim(copy, 3)
    assert not await copies.claim(copy, 2)
    attempt = await copies.attempt(copy)
    assert attempt is not None
    assert await copies.attempt(copy) is None, "another one was quicker"
    posted = await copies.was_posted(attempt, "1.1", "sha256:a")
    assert (await copies.of("ask-1"))["ask-1/channel"].ts == "1.1"
    assert await copies.attempt(posted) is None, "it is there"
    await copies.was_edited(posted, 2, "sha256:old")
    assert (await copies.of("ask-1"))["ask-1/channel"].shown == "sha256:a", "not the newest revision"
    await copies.was_edited(posted, 3, "sha256:b")
    found = (await copies.of("ask-1"))["ask-1/channel"]
    assert (found.shown, found.posted) == ("sha256:b", "sha256:a")
    again = await copies.plan(Copy(card_id="ask-1/channel", ask_id="ask-1", place="elsewhere", channel="C2"))
    assert again.channel == "C1"


def test_waits_are_shorter_than_what_they_wait_for() -> None:
    assert ABANDONED < TOO_OLD < KEEP
    assert timedelta(minutes=5) < KEEP, "a repetition within the window of signatures is always known"

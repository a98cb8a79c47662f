"""What counts as a request of Slack, and what happens when it comes again (T1, T2, T3; SLK-12 to SLK-14)."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from adapters import slack_inbox
from console import slack_desk
from countermand.ledger.record import Kind
from tests.slack.conftest import Start
from tests.slack.human import Human
from tests.waiting import until

REASON = "Answers about prices are wrong; three transcripts confirm it."


async def test_forged_stale_and_changed_requests_are_turned_away_before_anything_is_read(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    body = urlencode({"payload": json.dumps(maria.click(bench.card(), "approve"))})
    forger = Human(bench, "maria", maria.user, secret="not the secret")
    assert (await forger.deliver(body)).status_code == 401
    assert (await maria.deliver(body, age=400)).status_code == 401
    assert (await maria.deliver(body, age=-400)).status_code == 401
    for headers in (
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "now"},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "٣"},
        {"X-Slack-Signature": "v0=" + "0" * 64},
    ):
        encoded = {name: value.encode() for name, value in headers.items()}
        assert (await maria.deliver(body, **encoded)).status_code == 401, headers  # type: ignore[arg-type]
    # One byte more is another body: what was signed for one does not count for the other.
    signed = await maria.deliver(body)
    assert signed.status_code == 200
    headers = {name: value for name, value in signed.request.headers.items() if name != "content-length"}
    again = await bench.http.post(f"{bench.url}/slack/events", content=body + " ", headers=headers)
    assert again.status_code == 401


async def test_the_window_for_old_and_early_requests_is_five_minutes(slack: Start) -> None:
    bench = await slack()
    bench.world.deps.clock.set(bench.world.deps.clock().replace(microsecond=0))  # type: ignore[attr-defined]
    await bench.show()
    maria = bench.human("maria")
    body = urlencode({"payload": json.dumps(maria.click(bench.card(), "acknowledge"))})
    statuses = {age: (await maria.deliver(body, age=age)).status_code for age in (299, 300, 301, -299, -300, -301)}
    assert statuses == {299: 200, 300: 200, 301: 401, -299: 200, -300: 200, -301: 401}


async def test_two_secrets_are_good_while_they_are_changed(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    newer = bench.settings.signing_secret_files[0].with_name("newer")
    newer.write_text("the next secret")
    settings = bench.settings.model_copy(update={"signing_secret_files": (*bench.settings.signing_secret_files, newer)})
    bench.inbound.settings = settings
    maria = bench.human("maria")
    for secret in (maria.secret, "the next secret"):
        human = Human(bench, "maria", maria.user, secret=secret)
        assert (await human.press(bench.card(), "acknowledge")).status_code == 200
    human = Human(bench, "maria", maria.user, secret="a third one")
    assert (await human.press(bench.card(), "acknowledge")).status_code == 401


async def test_without_a_secret_no_request_is_genuine(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    bench.inbound.settings = bench.settings.model_copy(update={"signing_secret_files": ()})
    maria = Human(bench, "maria", bench.workspace.users["maria"], secret="x")
    assert (await maria.press(bench.card(), "approve")).status_code == 401


async def test_the_same_request_a_hundred_times_is_one_click_and_one_decision(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    click = urlencode({"payload": json.dumps(maria.click(bench.card(), "approve"))})
    answers = await asyncio.gather(*[maria.deliver(click) for _ in range(100)])
    assert {answer.status_code for answer in answers} == {200}
    view = await maria.dialog()
    assert len(bench.proxy.of("views.open")) == 1
    submission = urlencode({"payload": json.dumps(maria.submission(view, REASON))})
    # Retry headers decide nothing: the first delivery may be the one that was lost (SLK-13).
    answers = await asyncio.gather(
        *[maria.deliver(submission, **({"X-Slack-Retry-Num": str(i)} if i else {})) for i in range(100)]
    )
    assert {answer.status_code for answer in answers} == {200}
    assert "1 of 2" in await maria.result(view)
    assert len(await bench.bodies(Kind.decision)) == 1
    assert len(await bench.bodies(Kind.ask_vote)) == 1
    assert await bench.codes() == []


async def test_a_retry_whose_original_was_lost_is_carried_out(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    body = urlencode({"payload": json.dumps(maria.click(bench.card(), "approve"))})
    await maria.deliver(body, **{"X-Slack-Retry-Num": "3", "X-Slack-Retry-Reason": "http_timeout"})
    assert (await maria.dialog())["type"] == "modal"


async def test_a_second_press_opens_a_second_dialog_and_the_first_vote_still_counts_once(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria, card = bench.human("maria"), bench.card()
    await maria.press(card, "approve")
    first = await maria.dialog()
    await maria.press(card, "approve")
    second = await maria.dialog()
    await asyncio.gather(maria.submit(first, REASON), maria.submit(second, REASON))
    said = {await maria.result(first), await maria.result(second)}
    assert sum("Recorded" in one for one in said) == 1
    assert sum("already voted" in one for one in said) == 1
    assert len(bench.world.story.state.votes) == 1


async def test_slack_is_answered_before_a_slow_workflow_answers(slack: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    real = bench.world.story.vote

    async def slow(decision: object) -> object:
        await asyncio.sleep(4)
        return await real(decision)  # type: ignore[arg-type]

    monkeypatch.setattr(bench.world.story, "vote", slow)
    begun = time.monotonic()
    answer = await maria.submit(view, REASON)
    assert time.monotonic() - begun < 3
    assert "Recording your decision" in json.dumps(answer.json())
    assert "Recorded" in await maria.result(view)


async def test_a_decision_left_behind_by_a_console_that_died_is_carried_out_once(
    slack: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    desk = bench.inbound.desk

    async def dies(inbound: object) -> None:
        return

    with monkeypatch.context() as died:
        died.setattr(desk, "carry_out", dies)
        await maria.submit(view, REASON)
    assert await bench.bodies(Kind.decision) == []
    await desk.sweep()
    assert await bench.bodies(Kind.decision) == [], "somebody may still be at it"
    clock = bench.world.deps.clock
    clock.set(clock() + slack_inbox.ABANDONED + timedelta(seconds=1))  # type: ignore[attr-defined]
    await desk.sweep()
    assert "1 of 2" in await maria.result(view)
    await desk.sweep()
    assert len(await bench.bodies(Kind.decision)) == 1


async def test_a_click_left_behind_is_answered_because_its_dialog_cannot_open_any_more(
    slack: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await slack()
    await bench.show()
    maria, desk = bench.human("maria"), bench.inbound.desk

    async def dies(inbound: object) -> None:
        return

    with monkeypatch.context() as died:
        died.setattr(desk, "carry_out", dies)
        await maria.press(bench.card(), "approve")
    clock = bench.world.deps.clock
    clock.set(clock() + slack_inbox.ABANDONED + timedelta(seconds=1))  # type: ignore[attr-defined]
    await desk.sweep()
    assert "Click again" in await maria.hears("Your click was lost")


async def test_approve_and_reject_in_one_instant_end_in_one_state(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria, jonas, card = bench.human("maria"), bench.human("jonas"), bench.card()
    await maria.press(card, "approve")
    await jonas.press(card, "reject")
    yes, no = await maria.dialog(), await jonas.dialog()
    await asyncio.gather(maria.submit(yes, REASON), jonas.submit(no, "The judge is wrong, we checked by hand."))
    await asyncio.gather(maria.result(yes), jonas.result(no))
    assert bench.world.story.state.status.value == "rejected"
    assert len(await bench.bodies(Kind.ask_closed)) == 1


async def test_a_slow_read_opens_the_dialog_at_once_and_fills_it(slack: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    monkeypatch.setattr(slack_desk, "OPEN_WITHIN", 0.2)
    bench.proxy.fail("users.info", "slow 0.6")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    assert view["title"]["text"] == "One moment…"

    async def filled() -> bool:
        updates = bench.proxy.of("views.update")
        return bool(updates) and updates[-1].arguments["view"]["title"]["text"] == "Approve the rollback"

    await until(filled, "the dialog shows the plan", within=20)


async def test_a_dialog_that_slack_does_not_open_is_answered(slack: Start) -> None:
    bench = await slack()
    await bench.show()
    maria = bench.human("maria")
    bench.proxy.fail("views.open", "error expired_trigger_id")
    await maria.press(bench.card(), "approve")
    assert "Click again" in await maria.hears("Slack did not open the dialog")


async def test_a_body_that_is_too_long_or_no_text_is_turned_away(slack: Start) -> None:
    bench = await slack()
    maria = bench.human("maria")
    assert (await maria.deliver("x" * (1024 * 1024 + 1))).status_code == 413
    assert (await maria.deliver("{}", content_type="application/json")).status_code in (200, 404)


async def test_slack_can_check_the_address_of_events(slack: Start) -> None:
    bench = await slack()
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a", "token": "unused"})
    answer = await bench.human("maria").deliver(body, content_type="application/json")
    assert answer.status_code == 200
    assert "3eZbrw1a" in answer.text

"""SLK-19: what wants a security key is approved in the console; Slack only leads there."""

from __future__ import annotations

import json

from countermand.ledger.record import Kind
from tests.console.world import Story
from tests.slack.conftest import ASK, Start, text_of
from tests.slack.human import words

REASON = "Answers about prices are wrong; three transcripts confirm it."


async def test_approve_opens_the_way_to_the_console_and_nothing_else(slack: Start) -> None:
    bench = await slack(Story.asked_for_keys)
    await bench.show()
    assert "approving needs your security key" in text_of(bench.card())
    maria = bench.human("maria")
    await maria.press(bench.card(), "approve")
    view = await maria.dialog()
    assert not view.get("submit")
    assert "needs your security key" in words(view["blocks"])
    (there,) = [element for block in view["blocks"] for element in block.get("elements", ())]
    assert there["url"] == f"{bench.world.deps.settings.console_url}/asks/{ASK}"
    assert await bench.bodies(Kind.decision) == []


async def test_an_approval_forged_out_of_the_dialog_for_rejecting_is_refused(slack: Start) -> None:
    bench = await slack(Story.asked_for_keys)
    await bench.show()
    maria = bench.human("maria")
    await maria.press(bench.card(), "reject")
    view = await maria.dialog()
    kept = json.loads(view["private_metadata"]) | {"action": "approve"}
    await maria.submit(view | {"private_metadata": json.dumps(kept)}, REASON)
    assert "needs a signature of class 'step_up'" in await maria.result(view)
    assert [body["code"] for body in await bench.bodies(Kind.decision_refused)] == ["step_up_required"]
    assert bench.world.story.state.votes == ()


async def test_rejecting_stays_possible_in_slack(slack: Start) -> None:
    bench = await slack(Story.asked_for_keys)
    await bench.show()
    said = await bench.human("maria").decides(bench.card(), "reject", "The judge is wrong, we checked twenty by hand.")
    assert "Recorded" in said
    assert bench.world.story.state.status.value == "rejected"

"""A rollback asks for a signed head before its first effect and at its end, and never depends on getting one."""

from __future__ import annotations

import asyncio
import logging

import pytest
from temporalio.testing import ActivityEnvironment

from activities import evidence_ports
from activities.evidence_ports import CheckpointFailed
from activities.recording import RecordingActivities, RecordRequest
from activities.staging import StagingActivities
from countermand.ledger.bodies import IncidentClosed, IncidentPhase
from countermand.ledger.note import Checkpoint
from tests import fakes
from tests.activities.test_staging_by_hand import KEYS, Hand


class FakeHeads:
    """Remembers how many records there were at each call; can fail, or never answer."""

    def __init__(self, ledger: fakes.FakeLedger, target: fakes.FakeTarget | None = None) -> None:
        self.ledger = ledger
        self.target = target
        self.asked: list[tuple[int, int]] = []
        self.error: Exception | None = None
        self.silent = False

    async def now(self) -> Checkpoint | None:
        self.asked.append((len(self.ledger.lines), len(self.target.effects) if self.target else 0))
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return None


@pytest.fixture
def hand() -> Hand:
    made = Hand()
    made.heads = FakeHeads(made.ledger, made.target)
    made.staging = StagingActivities(made.target, made.ledger, made.people, KEYS, fakes.now, made.heads)
    return made


async def test_the_head_is_signed_after_the_first_intent_and_before_the_first_effect_and_only_then(hand: Hand) -> None:
    plan = await hand.approved()
    before = len(hand.ledger.lines)
    for stage in (1, 2, 3):
        await hand.set(plan, stage)
    assert hand.heads.asked == [(before + 1, 0)]


@pytest.mark.parametrize("trouble", ["refused", "silent", "broken"])
async def test_a_head_that_cannot_be_signed_stops_and_delays_no_stage(
    trouble: str, hand: Hand, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(evidence_ports, "PATIENCE", 0.05)
    hand.heads.silent = trouble == "silent"
    hand.heads.error = {"refused": CheckpointFailed("no key"), "broken": RuntimeError("boom")}.get(trouble)
    plan = await hand.approved()
    with caplog.at_level(logging.WARNING):
        async with asyncio.timeout(5):
            assert (await hand.set(plan, 1)).result == "applied"
    assert "no checkpoint of the ledger was made" in caplog.text


async def test_the_head_is_signed_when_an_incident_is_closed_and_not_at_every_phase() -> None:
    ledger = fakes.FakeLedger()
    heads = FakeHeads(ledger)
    recording = RecordingActivities(ledger, heads)
    phase = IncidentPhase(phase="freezing", sentence="Copying.", until=fakes.now(), commands_to="", commands=())
    closed = IncidentClosed(outcome="reverted", sentence="Done.")
    for number, body in enumerate((phase, closed)):
        entry = body.entry(f"k{number}", "worker", incident_id="inc-1")
        await ActivityEnvironment().run(recording.record, RecordRequest(entries=(entry,)))
    assert heads.asked == [(2, 0)]

"""kill -9 of the worker in the middle of a stage: the next worker goes on, and each effect happened exactly once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.stack import SERVICE, running
from tests.waiting import until

PLAYBOOK = Path(__file__).parents[2] / "examples" / "demo" / "playbook.yaml"


@pytest.mark.timeout(240)
async def test_a_worker_killed_in_the_middle_of_a_stage_is_replaced_and_each_effect_happens_once(
    tmp_path: Path,
) -> None:
    async with running(tmp_path / "data") as stack:
        await stack.register(PLAYBOOK.read_bytes())
        await stack.users(shift_after=6)
        ask_id = await stack.pending_ask()
        before = await stack.splits()
        # The service applies the first write and then answers late: the worker dies knowing nothing of it.
        await stack.service("POST", "/faults", json={"delay_after_apply": 8})
        for who in ("local|maria", "local|jonas"):
            await stack.approve(ask_id, who)

        async def applied() -> bool:
            return len(await stack.splits()) > len(before)

        await until(applied, "the first stage is applied at the service", within=30)
        killed = stack.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        async def closed() -> dict[str, object] | None:
            incident = await stack.incident_of()
            return incident if incident and incident["closed_at"] else None

        incident = await until(closed, "the incident is closed", within=120)
        assert incident["status"] == "reverted"
        assert stack.worker.pid != killed
        assert any("starting it again" in note for note in stack.notes)
        assert (await stack.splits())[len(before) :] == [4_500, 2_500, 0]
        keys = [entry["idempotency_key"] for entry in await stack.service("GET", f"/control/splits/{SERVICE}/history")]
        assert len(keys[len(before) :]) == len(set(keys[len(before) :])) == 3
        view = await stack.call("GET", f"/api/v1/incidents/{incident['incident_id']}")
        assert view["stages"][0]["outcome"]["recovered"] is True
        verified = await stack.call("GET", "/api/v1/ledger/verify")
        assert verified["ok"] is True

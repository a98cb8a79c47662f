"""kill -9 of the worker while a guard looks: whoever brings the bad version back meanwhile is found all the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.stack import RELEASE, SERVICE, running
from tests.waiting import until

PLAYBOOK = Path(__file__).parents[3] / "examples" / "demo" / "playbook.yaml"


@pytest.mark.timeout(300)
async def test_a_breach_while_the_worker_is_dead_opens_an_incident_when_the_next_worker_is_up(tmp_path: Path) -> None:
    async with running(tmp_path / "data") as stack:
        await stack.register(PLAYBOOK.read_bytes())
        await stack.users(shift_after=6)
        ask_id = await stack.pending_ask()
        for who in ("local|maria", "local|jonas"):
            await stack.approve(ask_id, who)

        async def records(kind: str) -> list[dict[str, Any]] | None:
            found = await stack.call("GET", "/api/v1/ledger/records?limit=1000")
            return [one for one in found["items"] if one["kind"] == kind] or None

        await until(lambda: records("guard.state"), "the guard looks after the rollback", within=150)
        (looked, *_) = await until(lambda: records("destination.checked"), "the way back was looked at")
        assert looked["body"]["ready"] is True
        killed = stack.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        now = await stack.service("GET", f"/control/splits/{SERVICE}")
        wanted = {"candidate_bp": 700, "baseline_bp": 9_300, "idempotency_key": "sync/1", "fence": now["fence"]}
        headers = {"Authorization": f"Bearer {stack.write_token}", "If-Match": f'"{now["generation"]}"'}
        url = f"{stack.service_url}/control/splits/{SERVICE}"
        (await stack.client.put(url, json=wanted, headers=headers)).raise_for_status()
        (breach,) = await until(lambda: records("requarantine.breach"), "the breach is on record", within=90)
        assert (breach["body"]["candidate_bp"], breach["body"]["by"]) == (700, "a writer with the key 'sync/1'")

        async def opened() -> list[dict[str, Any]] | None:
            found = await records("incident.opened") or []
            return [one for one in found if one["body"]["trigger"] == "requarantine_breach"] or None

        assert len(await until(opened, "an incident is open for the breach", within=60)) == 1
        found = await stack.call("GET", f"/api/v1/releases/{RELEASE}")
        assert found["way_back"]["word"] == "ready"

"""A sandbox on the real demo service: it ends with the state from before, also when its worker is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.stack import RELEASE, SERVICE, Stack, running
from tests.waiting import until

PLAYBOOK = Path(__file__).parents[2] / "examples" / "demo" / "playbook.yaml"
SPLIT = f"/control/splits/{SERVICE}"


async def nobody_has_it(stack: Stack) -> None:
    """Bring the candidate to 0 %, as before a first release."""
    now = await stack.service("GET", SPLIT)
    wanted = {"candidate_bp": 0, "baseline_bp": 10_000, "idempotency_key": "before", "fence": now["fence"]}
    headers = {"Authorization": f"Bearer {stack.write_token}", "If-Match": f'"{now["generation"]}"'}
    (await stack.client.put(f"{stack.service_url}{SPLIT}", json=wanted, headers=headers)).raise_for_status()


async def served(stack: Stack) -> tuple[int, dict[str, str]]:
    """The candidate's share, and the digest of each arm."""
    arms = await stack.service("GET", "/control/arms")
    share = (await stack.service("GET", SPLIT))["candidate_bp"]
    return share, {arm: found["digest"] for arm, found in arms.items()}


async def over(stack: Stack, rollout_id: str = "") -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        view = await stack.call("GET", f"/api/v1/releases/{RELEASE}/rollout")
        return view if view["restored"] is not None and view["rollout_id"] != rollout_id else None

    return await until(there, "the rollout is over", within=120)


@pytest.mark.timeout(420)
async def test_a_sandbox_goes_back_by_itself_when_its_worker_is_killed_and_the_next_one_shows_health(
    tmp_path: Path,
) -> None:
    playbook = PLAYBOOK.read_bytes().replace(b"lease: 4s", b"lease: 3s")
    assert b"lease: 3s" in playbook
    async with running(tmp_path / "data") as stack:
        await nobody_has_it(stack)
        await stack.register(playbook)
        await stack.users(shift_after=100_000)
        before = await served(stack)
        began = len(await stack.splits())
        url = f"/api/v1/releases/{RELEASE}/rollout"
        answer = await stack.call("POST", url, "local|jonas", json={"kind": "sandbox"})
        assert answer["status"] == "started", answer

        async def watched() -> bool:
            return (await stack.call("GET", url))["steps"][0]["state"] == "watched"

        await until(watched, "the sandbox has its share and is watched", within=60)
        assert (await stack.splits())[began:] == [1_000]
        killed = stack.worker.pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)

        async def back() -> bool:
            return (await served(stack)) == before

        await until(back, "the service went back by itself", within=20)
        history = await stack.service("GET", f"{SPLIT}/history")
        first = await over(stack)
        assert history[-1]["idempotency_key"] == f"lease/{first['rollout_id']}/expired"
        assert (first["status"], first["restored"]) == ("lost", True), first["sentence"]
        assert first["state_wanted"] == first["state_seen"]

        async def started() -> dict[str, Any] | None:
            try:
                return await stack.call("POST", url, "local|jonas", json={"kind": "sandbox"})
            except httpx.HTTPStatusError as error:  # the first one is still telling people how it ended
                if "under way already" not in error.response.text:
                    raise
                return None

        answer = await until(started, "the next sandbox is planned", within=60)
        assert answer["status"] == "started", "its cleanup was verified, so that no person has to start the next one"
        second = await over(stack, first["rollout_id"])
        assert (second["status"], second["restored"]) == ("done", True), second["sentence"]
        assert second["state_seen"] == first["state_seen"]
        assert await served(stack) == before
        assert (await stack.splits())[began:] == [1_000, 0, 1_000, 0]
        assert (await stack.call("GET", "/api/v1/ledger/verify"))["ok"] is True

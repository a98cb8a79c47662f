"""A target that does not answer is told by name and kind before a rollback needs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.console.conftest import Served
from tests.console.world import Story


async def targets(served: Served, written: str) -> list[dict[str, Any]]:
    served.world.deps.settings.targets.write_text(written)
    async with httpx.AsyncClient(base_url=served.url, timeout=60) as http:
        said = (await http.get("/readyz")).json()
    return [one for one in said["checks"] if one["name"].startswith("target")]


async def test_each_target_has_one_line_and_a_broken_file_says_where(
    serve: Callable[..., Awaitable[Served]],
) -> None:
    served = await serve(Story.asked)
    entry = "targets: {registry: {kind: mlflow, url: 'http://127.0.0.1:9', members: {model: {model: m, alias: live}}}}"
    assert await targets(served, entry) == [
        {"name": "target registry", "ok": False, "sentence": "mlflow: does not answer (Connection refused)"}
    ]
    (broken,) = await targets(served, "targets: {registry: {kind: nobody}}")
    assert (broken["name"], broken["ok"]) == ("targets", False)
    assert "'nobody'" in broken["sentence"]

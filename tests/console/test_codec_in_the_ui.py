"""The real Temporal UI in a real browser: content for who is signed in to the console, ciphertext for who is not."""

from __future__ import annotations

import dataclasses
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from temporalio.client import Client

from console.auth import COOKIE
from countermand.cli.environment import Place, temporal_server
from countermand.cli.processes import Supervisor
from runtime import plugin
from tests import cases
from tests.console.conftest import Served
from tests.console.world import Story
from tests.payloads import codec

CANARY = "the answer about the dose is wrong"


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def ui(serve: Callable[..., Awaitable[Served]], tmp_path: Path) -> AsyncIterator[tuple[Served, str]]:
    """A console, and a Temporal server started as `countermand up` starts it, with one workflow in it."""
    served = await serve(Story.asked)
    place = Place(
        checkout=Path(__file__).parents[2],
        data=tmp_path,
        temporal_port=free(),
        ui_port=free(),
        console_port=int(served.url.rpartition(":")[2]),
    )
    deps = served.world.deps
    settings = deps.settings.model_copy(update={"temporal_ui_url": place.ui_url})
    served.server.config.app.state.console = dataclasses.replace(deps, settings=settings)  # type: ignore[union-attr]
    supervisor = Supervisor(print)
    try:
        await supervisor.start(temporal_server(place))
        client = await Client.connect(f"127.0.0.1:{place.temporal_port}", plugins=[plugin(codec())])
        await client.start_workflow("Nobody", CANARY, id="w1", task_queue="nobody")
        yield served, place.ui_url
    finally:
        await supervisor.stop()


async def test_the_ui_shows_content_to_a_signed_in_person_and_only_to_them(
    ui: tuple[Served, str], chromium: Browser
) -> None:
    served, url = ui
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    # What the UI keeps when a person opens its codec dialog and ticks "include cross-origin credentials".
    kept = {"endpoint": f"{served.url}/codec", "includeCredentials": True, "overrideRemoteCodecConfiguration": True}
    for name, value in kept.items():
        await context.add_init_script(f"localStorage.setItem({name!r}, {json.dumps(json.dumps(value))})")
    page = await context.new_page()
    async with page.expect_response("**/codec/decode*") as refused:
        await page.goto(f"{url}/namespaces/default/workflows/w1", timeout=30_000)
    assert (await refused.value).status == 401
    text = page.locator("body")
    await expect(text).to_contain_text("Codec Server could not connect", timeout=20_000)
    await expect(text).not_to_contain_text(CANARY)
    token = await served.world.deps.accounts.start_session(cases.JONAS)
    await context.add_cookies(
        [{"name": COOKIE, "value": token, "url": served.url, "httpOnly": True, "sameSite": "Strict"}]
    )
    await page.reload()
    await expect(text).to_contain_text(CANARY, timeout=20_000)
    await context.close()

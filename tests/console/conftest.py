"""Consoles told up to a moment, served for real; browsers that watch their console for complaints."""

from __future__ import annotations

import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from console import live
from console.app import create_app
from console.auth import COOKIE
from console.live import Hub
from countermand.detection.models import WatchVerdict
from tests.console.world import Story, World, make_template

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

expect.set_options(timeout=30_000)

Moment = Callable[[Story], Awaitable[None]]


@dataclass
class Served:
    """A running console."""

    world: World
    url: str
    server: uvicorn.Server

    async def stop(self) -> None:
        """End the server as a crash would look to the browser: every connection is cut."""
        for listener in self.server.servers:
            listener.close()
        for connection in tuple(self.server.server_state.connections):
            connection.transport.abort()  # type: ignore[union-attr]  # every HTTP protocol has one
        hub: Hub | None = getattr(self.server.config.app.state, "hub", None)  # type: ignore[union-attr]
        if hub is not None and hub._reader is not None:
            await hub._reader  # ends by itself when nobody listens; the database is closed after that


@pytest.fixture(scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, WatchVerdict]:
    path = tmp_path_factory.mktemp("console") / "template.db"
    return path, await make_template(path)


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "POLL_SECONDS", 0.1)


@pytest.fixture
async def tell(template: tuple[Path, WatchVerdict], tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[World]]]:
    """`await tell(Story.asked)`: everything behind a console at that moment, without the console."""
    told: list[World] = []

    async def start(moment: Moment) -> World:
        path = tmp_path / f"told-{len(told)}.db"
        shutil.copy(template[0], path)
        told.append(await World.make(path, template[1], moment, 0))
        return told[-1]

    yield start
    for world in told:
        await world.deps.database.close()


@pytest.fixture
async def serve(template: tuple[Path, WatchVerdict], tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Served]]]:
    """`await serve(Story.asked)`: a console at that moment on a port of its own."""
    running: list[Served] = []

    async def start(moment: Moment | None = None) -> Served:
        path = tmp_path / f"{len(running)}.db"
        shutil.copy(template[0], path)
        # With the protocol spelled out asyncio sets TCP_NODELAY; without, every answer in two parts takes 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        world = await World.make(path, template[1], moment, port)
        config = uvicorn.Config(create_app(world.deps), log_level="error", lifespan="off", ws="none")
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[listener])
        running.append(Served(world, f"http://127.0.0.1:{port}", server))
        return running[-1]

    yield start
    for served in running:
        await served.stop()
        await served.world.deps.database.close()


@dataclass
class Person:
    """A signed-in browser and everything it complained about."""

    served: Served
    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.served.url + path)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the pages are not tested in a browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def sign_in(chromium: Browser) -> AsyncIterator[Callable[..., Awaitable[Person]]]:
    """`await sign_in(served, cases.MARIA)`: a browser of that person, with a session but no page open.

    At the end no browser may have reported a script error or a violation of the content security policy.
    """
    people: list[Person] = []
    async with AsyncExitStack() as stack:

        async def start(served: Served, subject: str | None, **options: object) -> Person:
            context = await stack.enter_async_context(_context(chromium, **options))
            if subject is not None:
                token = await served.world.deps.accounts.start_session(subject)
                await context.add_cookies(
                    [{"name": COOKIE, "value": token, "url": served.url, "httpOnly": True, "sameSite": "Strict"}]
                )
            page = await context.new_page()
            person = Person(served, context, page)
            page.on("console", lambda said: person.complaints.append(said.text) if said.type == "error" else None)
            page.on("pageerror", lambda error: person.complaints.append(str(error)))
            people.append(person)
            return person

        yield start
        complaints = [text for person in people for text in person.complaints if not _expected(text)]
    assert complaints == []


def _expected(text: str) -> bool:
    """Browsers report every answer of 4xx and every cut connection; that is what some tests are about."""
    return "Failed to load resource" in text or "net::ERR" in text or "[object Event]" in text


@asynccontextmanager
async def _context(chromium: Browser, **options: object) -> AsyncIterator[BrowserContext]:
    context = await chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(30_000)  # only a failing test waits so long
    yield context
    await context.close()

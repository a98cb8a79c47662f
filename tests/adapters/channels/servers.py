"""A mail server and a webhook receiver on loopback that do what a test says, and remember what they took."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


@asynccontextmanager
async def silent_server() -> AsyncIterator[int]:
    """The port of a server that accepts connections and says nothing."""
    over = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    over.set()
    server.close()
    await server.wait_closed()


#: An SMTP answer, or what becomes of the connection around the moment at which the text is taken.
MailAnswer = Literal["take", "take and vanish", "vanish", "take and hang"] | str


@dataclass
class MailServer:
    """What it takes is in `mails`. `script` holds answers to the next texts, `refuse` answers to recipients."""

    tls: ssl.SSLContext | None = None
    implicit: bool = False
    script: list[MailAnswer] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)
    mails: list[Envelope] = field(default_factory=list)
    connections: int = 0
    texts: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self._open: list[SMTP] = []
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, "127.0.0.1", 0, ssl=self.tls if self.implicit else None
        )
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        for protocol in self._open:
            if protocol.transport is not None:
                protocol.transport.abort()
        await asyncio.sleep(0.05)  # its handlers see the end of their connections

    def _protocol(self) -> SMTP:
        self.connections += 1
        starttls = None if self.implicit else self.tls
        protocol = SMTP(self, hostname="mail.test", tls_context=starttls, require_starttls=starttls is not None)
        self._open.append(protocol)
        return protocol

    async def handle_RCPT(  # noqa: N802, the name is aiosmtpd's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802, as above
        answer = self.script.pop(0) if self.script else "take"
        if answer.startswith("take"):
            self.mails.append(envelope)
        self.texts.set()
        if answer.endswith("hang"):
            await asyncio.sleep(30)
        if answer.endswith("vanish"):
            server.transport.abort()
        return "250 OK" if answer.startswith(("take", "vanish")) else answer


#: A status with headers, or what becomes of the connection around the moment at which the message is taken.
HookAnswer = tuple[int, dict[str, str]] | Literal["take", "take and vanish", "vanish", "take and hang"]


class Receiver:
    """A webhook receiver that keeps `Idempotency-Key`: `shown` counts what people see, `bodies` what came for a key."""

    def __init__(self) -> None:
        self.answer: Callable[[int], HookAnswer] = lambda _number: "take"
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.shown: Counter[str] = Counter()
        self.order: list[str] = []
        self.bodies: dict[str, set[bytes]] = {}
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.take(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks/countermand?team=1"
        return self

    def __exit__(self, *_error: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            self.requests.append((headers, body))
            answer = self.answer(len(self.requests))
            key = headers["idempotency-key"]
            self.bodies.setdefault(key, set()).add(body)
            if isinstance(answer, str) and answer.startswith("take") and key not in self.shown:
                self.shown[key] += 1
                self.order.append(key)
        if isinstance(answer, str) and answer.endswith("hang"):
            self.closing.wait(30)
        if isinstance(answer, str) and answer.endswith(("vanish", "hang")):
            request.close_connection = True
            return
        status, more = (204, {}) if isinstance(answer, str) else answer
        request.send_response(status)
        for name, value in {"content-length": "0", **more}.items():
            request.send_header(name, value)
        request.end_headers()

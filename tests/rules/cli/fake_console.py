"""A console made of fixed answers: speaks HTTP on loopback, remembers what it was sent, can be told to fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass
class Sent:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)


@dataclass
class FakeConsole:
    """`answers` holds per `METHOD /path` a list of (status, body); the last one is given again and again."""

    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)

    def on(self, request: str, *answers: tuple[int, Any]) -> None:
        self.answers[request] = list(answers)

    def of(self, request: str) -> list[Sent]:
        """What was sent to `METHOD /path`."""
        return [one for one in self.sent if f"{one.method} {one.path}" == request]

    def __enter__(self) -> Self:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                parts = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                fake.sent.append(Sent(self.command, parts.path, parse_qs(parts.query), headers, raw))
                known = fake.answers.get(f"{self.command} {parts.path}", [(404, {"detail": "not here"})])
                status, body = known.pop(0) if len(known) > 1 else known[0]
                content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                stream = isinstance(body, str)
                self.send_header("Content-Type", "text/event-stream" if stream else "application/problem+json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  # the names http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

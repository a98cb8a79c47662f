"""One line per configured target: its kind, and whether it answers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.target_reach import reached
from adapters.target_settings import target_settings
from tests.adapters.targets.embedded import free_port
from tests.adapters.targets.test_target_settings import FILE


def entries(folder: Path, *changes: tuple[str, str]) -> Path:
    (folder / "token").write_text("secret")
    text = FILE.format(folder=folder)
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "targets.yaml"
    path.write_text(text)
    return path


async def test_every_kind_says_whether_it_answers_where_the_file_says() -> None:
    with TemporaryDirectory() as folder:  # short enough for the name of a socket
        here = Path(folder)
        async with await asyncio.start_server(lambda _r, writer: writer.close(), "127.0.0.1", 0) as server:
            port, closed = server.sockets[0].getsockname()[1], free_port()
            (here / "flags.json").write_text("{}")
            path = entries(
                here,
                (":8890", f":{port}"),
                ("/run/haproxy/read.sock", str(here / "read.sock")),
                (":9901", f":{closed}"),
                ("/etc/flagd/flags.json", str(here / "flags.json")),
                (":5001", f":{port}"),
                (":4242", f":{port}"),
                (":6443", f":{closed}"),
            )
            found = {one.name: (one.ok, one.sentence) for one in await reached(target_settings(path))}
            balancer = await asyncio.start_unix_server(lambda _r, writer: writer.close(), here / "read.sock")
            async with balancer:
                again = {one.name: one.ok for one in await reached(target_settings(path))}
    assert found == {
        "balancer": (False, "haproxy: does not answer (No such file or directory)"),
        "cluster": (False, "kubernetes_httproute: does not answer (Connection refused)"),
        "demo": (True, "embedded: answers"),
        "flags": (True, "flagd: its file can be read"),
        "mesh": (False, "envoy: does not answer (Connection refused)"),
        "registry": (True, "mlflow: answers"),
        "toggles": (True, "unleash: answers"),
    }
    assert again["balancer"] is True


async def test_no_targets_are_no_lines() -> None:
    assert await reached({}) == []

"""A small witness for tests, written from the protocol's text alone (c2sp.org/tlog-witness, tlog-cosignature).

It shares no code with the product: tree, notes and signatures are its own.
"""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def _id(name: str, algorithm: bytes, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public).digest()[:4]


class Witness:
    """Cosigns checkpoints of the logs it was told about. `answers`: status codes to give instead, first one first."""

    def __init__(self, name: str = "witness.example/w1") -> None:
        self.name = name
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()
        self.logs: dict[str, bytes] = {}
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.answers: list[int] = []
        self.asked: list[int] = []
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, text = witness.add_checkpoint(body) if self.path == "/add-checkpoint" else (404, "")
                self.send_response(status)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def vkey(self) -> str:
        encoded = base64.b64encode(b"\x04" + self.public).decode()
        return f"{self.name}+{_id(self.name, bytes([4]), self.public).hex()}+{encoded}"

    def knows(self, log_vkey: str) -> None:
        """Cosign this log from now on."""
        name, _, encoded = log_vkey.split("+", 2)
        self.logs[name] = base64.b64decode(encoded)[1:]

    def add_checkpoint(self, body: str) -> tuple[int, str]:
        head, _, note = body.partition("\n\n")
        first, *proof_lines = head.split("\n")
        old = int(first.removeprefix("old "))
        self.asked.append(old)
        if self.answers:
            return self.answers.pop(0), ""
        text, _, signatures = note.partition("\n\n")
        origin, size_line, root_line = text.split("\n")
        size, root = int(size_line), base64.b64decode(root_line)
        if origin not in self.logs:
            return 404, "unknown log"
        if not self._signed(text + "\n", signatures, origin):
            return 403, "bad signature"
        if old > size:
            return 400, ""
        known_size, known_root = self.heads.get(origin, (0, b""))
        if old != known_size:
            return 409, f"{known_size}\n"
        if old == size and known_size:
            if root != known_root:
                return 409, f"{known_size}\n"
        elif old and not _grown(old, size, known_root, root, [base64.b64decode(one) for one in proof_lines]):
            return 422, "inconsistent"
        self.heads[origin] = (size, root)
        seconds = int(time.time())
        signature = self._key.sign(f"cosignature/v1\ntime {seconds}\n{text}\n".encode())
        raw = _id(self.name, b"\x04", self.public) + seconds.to_bytes(8, "big") + signature
        return 200, f"— {self.name} {base64.b64encode(raw).decode()}\n"

    def _signed(self, text: str, signatures: str, origin: str) -> bool:
        public = self.logs[origin]
        for line in signatures.strip().split("\n"):
            _, name, encoded = line.split(" ")
            raw = base64.b64decode(encoded)
            if name == origin and raw[:4] == _id(origin, b"\x01", public):
                try:
                    Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], text.encode())
                except InvalidSignature:
                    return False
                return True
        return False


def _grown(old: int, new: int, old_root: bytes, new_root: bytes, proof: list[bytes]) -> bool:
    """RFC 9162 §2.1.4.2, as it is written there."""
    if old & (old - 1) == 0:
        proof = [old_root, *proof]
    if not proof:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = proof[0]
    for c in proof[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr = hashlib.sha256(b"\x01" + c + fr).digest()
            sr = hashlib.sha256(b"\x01" + c + sr).digest()
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = hashlib.sha256(b"\x01" + sr + c).digest()
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (old_root, new_root, 0)

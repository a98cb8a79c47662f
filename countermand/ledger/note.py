"""Signed notes and checkpoints as C2SP defines them (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A checkpoint says how far the Ledger goes and what its root is: origin, size, base64 root, an empty line, then one
signature line per key: `— <name> base64(key id ‖ signature)`.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Protocol

from countermand.plan.target import Value

ED25519 = b"\x01"


class Signer(Protocol):
    """An Ed25519 key that signs; where it is kept is its own matter."""

    @property
    def public(self) -> bytes:
        """32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        ...


class Checkpoint(Value):
    """How far the Ledger goes, its root, and the note that says so with its signatures.

    origin: names the deployment and the Ledger; also the name of the key. root: 64 hex digits.
    """

    origin: str
    size: int
    root: str
    note: str

    @property
    def text(self) -> str:
        """What is signed: everything up to the empty line, with its own newline."""
        return self.note.split("\n\n", 1)[0] + "\n"


def key_id(name: str, public: bytes, algorithm: bytes = ED25519) -> bytes:
    """4 bytes that name a key in a signature line."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm + public).digest()[:4]


def vkey(name: str, public: bytes) -> str:
    """The public key as a line: `<name>+<hex id>+base64(0x01 ‖ key)`."""
    return f"{name}+{key_id(name, public).hex()}+{base64.b64encode(ED25519 + public).decode()}"


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The three lines that are signed."""
    return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"


def signed_note(text: str, name: str, signer: Signer) -> str:
    """The text with one signature line. `text` ends with a newline."""
    signature = base64.b64encode(key_id(name, signer.public) + signer.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n"


def signed_checkpoint(origin: str, size: int, root: bytes, signer: Signer) -> Checkpoint:
    """A checkpoint under the log's own key."""
    note = signed_note(checkpoint_text(origin, size, root), origin, signer)
    return Checkpoint(origin=origin, size=size, root=root.hex(), note=note)

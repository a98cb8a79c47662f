"""Signed notes: what is written is read, and nothing that was touched is."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.ledger.note import key_id, signed_checkpoint, vkey
from countermand.ledger.note_reading import (
    COSIGNATURE,
    NoteInvalid,
    cosigned_at,
    read_checkpoint,
    read_vkey,
    verify_note,
)

ORIGIN = "countermand/test/1"
#: The note and key of golang.org/x/mod/sumdb/note's documentation.
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


class Key:
    """Signs as a log, and as a witness."""

    def __init__(self, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def cosigns(self, text: str, seconds: int) -> str:
        signature = self.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        raw = key_id("w", self.public, COSIGNATURE) + seconds.to_bytes(8) + signature
        return f"— w {base64.b64encode(raw).decode()}\n"


LOG, WITNESS = Key(1), Key(2)
MADE = signed_checkpoint(ORIGIN, 7, b"r" * 32, LOG)
LOG_KEY = read_vkey(vkey(ORIGIN, LOG.public))
WITNESS_KEY = read_vkey(
    f"w+{key_id('w', WITNESS.public, COSIGNATURE).hex()}+{base64.b64encode(COSIGNATURE + WITNESS.public).decode()}"
)


def test_the_published_vector_of_signed_notes_verifies_and_no_other_text_does() -> None:
    key = read_vkey(GO_VKEY)
    verify_note(GO_NOTE, key)
    with pytest.raises(NoteInvalid, match="does not hold"):
        verify_note(GO_NOTE.replace("answer", "Answer"), key)


def test_a_checkpoint_is_read_as_it_was_written() -> None:
    assert read_checkpoint(MADE.note) == MADE
    verify_note(MADE.note, LOG_KEY)


@pytest.mark.parametrize(
    "note",
    [
        "",
        MADE.note.replace("\n7\n", "\n07\n"),
        MADE.note.replace("\n7\n", "\n-7\n"),
        MADE.note.replace("\n7\n", "\n7"),
        MADE.note.rstrip("\n"),
        MADE.note.replace("\n\n", "\n"),
        MADE.note.replace("cnJy", "cnJ!"),
        "\n" + MADE.note,
    ],
)
def test_what_is_no_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(NoteInvalid):
        read_checkpoint(note)


@pytest.mark.parametrize(
    "line", ["", "a", "a+b+c", f"{GO_VKEY}AA", GO_VKEY.replace("c74f20a3", "c74f20a4"), "a b+1+AA"]
)
def test_what_is_no_key_line_is_refused(line: str) -> None:
    with pytest.raises(NoteInvalid):
        read_vkey(line)


def test_a_cosignature_names_its_time_and_covers_the_checkpoint() -> None:
    line = WITNESS.cosigns(MADE.text, 1_795_000_000)
    assert cosigned_at(MADE, line, WITNESS_KEY).timestamp() == 1_795_000_000
    other = signed_checkpoint(ORIGIN, 8, b"r" * 32, LOG)
    for checkpoint, said in ((other, line), (MADE, _log_line()), (MADE, line.replace("— w", "— v"))):
        with pytest.raises(NoteInvalid):
            cosigned_at(checkpoint, said, WITNESS_KEY)


def _log_line() -> str:
    return MADE.note.partition("\n\n")[2]


def verified(note: str) -> None:
    verify_note(note, LOG_KEY)
    read_checkpoint(note)


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(MADE.note.encode()) - 1), bit=st.integers(0, 7))
def test_no_note_with_one_bit_changed_verifies(at: int, bit: int) -> None:
    raw = bytearray(MADE.note.encode())
    raw[at] ^= 1 << bit
    try:
        note = raw.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(NoteInvalid):
        verified(note)


@settings(max_examples=150, deadline=None)
@given(text=st.text())
def test_any_text_is_read_or_refused_and_nothing_else_happens(text: str) -> None:
    for read in (read_checkpoint, read_vkey):
        try:
            read(text)
        except NoteInvalid:
            continue

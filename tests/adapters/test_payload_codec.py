"""Payloads are encrypted, old keys keep reading, and what cannot be read says which key it needs (T14, THR-16)."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from temporalio.api.common.v1 import Payload

from adapters.payload_codec import KEY_ID, CodecKeyInvalid, CodecKeys, EncryptingCodec, Undecodable
from tests.payloads import codec

CANARY = b"Maria Keller said the model insulted a customer"
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=CANARY)


async def test_a_payload_leaves_encrypted_and_comes_back_as_it_was() -> None:
    one = codec()
    [sealed] = await one.encode([PLAIN])
    assert CANARY not in sealed.SerializeToString()
    assert b"json/plain" not in sealed.SerializeToString()
    assert await one.decode([sealed]) == [PLAIN]


async def test_the_same_payload_never_looks_the_same_twice() -> None:
    first, second = await codec().encode([PLAIN, PLAIN])
    assert first.data != second.data


async def test_a_payload_that_was_never_encrypted_is_read_as_it_is() -> None:
    assert await codec().decode([PLAIN]) == [PLAIN]


async def test_every_flipped_bit_is_noticed() -> None:
    one = codec()
    [sealed] = await one.encode([PLAIN])
    for index in range(len(sealed.data)):
        changed = Payload()
        changed.CopyFrom(sealed)
        changed.data = sealed.data[:index] + bytes([sealed.data[index] ^ 1]) + sealed.data[index + 1 :]
        with pytest.raises(Undecodable, match="was changed or cut"):
            one.decoded(changed)


async def test_a_payload_moved_under_another_key_id_is_noticed() -> None:
    one = codec("0001-00000000000000aa", "0002-00000000000000aa")
    [sealed] = await one.encode([PLAIN])
    sealed.metadata[KEY_ID] = b"0001-00000000000000aa"
    with pytest.raises(Undecodable):
        one.decoded(sealed)


@pytest.mark.parametrize("length", [0, 1, 11, 12, 27])
def test_a_payload_cut_short_is_unreadable_and_nothing_worse(length: int) -> None:
    cut = Payload(metadata={"encoding": b"binary/encrypted", KEY_ID: b"0001-00000000000000aa"}, data=b"x" * length)
    with pytest.raises(Undecodable):
        codec().decoded(cut)


async def test_a_process_without_the_key_names_it() -> None:
    [sealed] = await codec("0007-00000000000000aa").encode([PLAIN])
    with pytest.raises(Undecodable, match=r"'0007-00000000000000aa' is not here; this process has 0001-"):
        codec().decoded(sealed)


async def test_rotation_drill_new_payloads_get_the_new_key_and_old_ones_stay_readable(tmp_path: Path) -> None:
    keys = CodecKeys(tmp_path / "codec")
    keys.create_if_missing()
    keys.create_if_missing()
    before = EncryptingCodec(keys)
    [old] = await before.encode([PLAIN])
    second = keys.add()
    after = EncryptingCodec(keys)
    [new] = await after.encode([PLAIN])
    assert (before.key_id[:5], after.key_id) == ("0001-", second)
    assert await after.decode([old, new]) == [PLAIN, PLAIN]
    assert await before.decode([new]) == [PLAIN], "a process from before the rotation finds the new file by itself"


def test_a_key_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    keys = CodecKeys(tmp_path / "codec")
    file = tmp_path / "codec" / f"{keys.add()}.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    with pytest.raises(CodecKeyInvalid, match="0600"):
        keys.read()


def test_no_key_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(CodecKeyInvalid, match=r"console\.admin init"):
        EncryptingCodec(CodecKeys(tmp_path / "codec"))


@pytest.mark.parametrize(
    ("name", "text", "wrong"),
    [
        ("mine.key", "x", "no name of a payload key"),
        ("0001-00000000000000aa.key", "not base64!", "not base64"),
        ("0001-00000000000000aa.key", "A" * 43 + "=", "does not hold the key"),
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, name: str, text: str, wrong: str) -> None:
    file = tmp_path / name
    file.touch(mode=0o600)
    file.write_text(text)
    with pytest.raises(CodecKeyInvalid, match=wrong):
        CodecKeys(tmp_path).read()

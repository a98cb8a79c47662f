"""The verifier's own Ed25519 says what other people's says, and refuses what is not canonical (RFC 8032)."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from countermand.evidence.verify import L, P, signed
from tests.rules.evidence.ledgers import Key

#: RFC 8032 §7.1: TEST 1, 2, 3 and SHA(abc).
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)
SMALL_ORDER = tuple(
    bytes.fromhex(text)
    for text in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)


def oracle(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_the_standard_hold_and_no_other_message_does(public: str, message: str, signature: str) -> None:
    key, said, sig = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
    assert signed(key, said, sig)
    assert oracle(key, said, sig)
    assert not signed(key, said + b"\x00", sig)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 511), st.booleans())
def test_it_agrees_with_cryptography_on_right_and_bent_signatures(
    seed: bytes, message: bytes, bit: int, bent: bool
) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = bytearray(private.sign(message))
    if bent:
        signature[bit // 8] ^= 1 << bit % 8
    assert signed(public, message, bytes(signature)) is (not bent)
    assert oracle(public, message, bytes(signature)) is (not bent)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_random_keys_and_signatures_are_never_accepted(public: bytes, signature: bytes) -> None:
    assert not signed(public, b"message", signature)


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    key = Key("lg", "log")
    assert not signed(key.public, b"m", (key.sign(b"m") + b"\x00")[:length])


@pytest.mark.parametrize("multiple", [1, 2, 7])
def test_s_that_is_not_reduced_is_refused_although_it_fits_the_equation(multiple: int) -> None:
    key = Key("lg", "log")
    signature = key.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + multiple * L
    assert not signed(key.public, b"m", signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("public", SMALL_ORDER)
def test_a_key_of_small_order_is_refused_although_it_fits_any_message(public: bytes) -> None:
    everything_zero = b"\x01" + bytes(31) + bytes(32)
    assert not signed(public, b"any message", everything_zero)


@pytest.mark.parametrize("y", [P, P + 1, 2**255 - 1])
def test_a_key_that_is_not_in_canonical_form_is_refused(y: int) -> None:
    for sign in (0, 1 << 255):
        assert not signed((y | sign).to_bytes(32, "little"), b"m", b"\x01" + bytes(63))


def test_a_point_r_that_is_not_in_canonical_form_is_refused() -> None:
    key = Key("lg", "log")
    assert not signed(key.public, b"m", (P + 1).to_bytes(32, "little") + bytes(32))


# --- Classes of bent signatures, as the vectors of Wycheproof have them -----------------------------------------------

KEY = Key("lg", "log")
RIGHT = KEY.sign(b"m")
R, S = RIGHT[:32], int.from_bytes(RIGHT[32:], "little")


def with_s(number: int) -> bytes:
    return R + (number % 2**256).to_bytes(32, "little")


BENT = {
    "nothing": b"",
    "cut by one byte": RIGHT[:-1],
    "cut at the front": RIGHT[1:],
    "R alone": R,
    "S alone": RIGHT[32:],
    "a byte before": b"\x00" + RIGHT,
    "a byte after": RIGHT + b"\x00",
    "twice": RIGHT * 2,
    "halves exchanged": RIGHT[32:] + R,
    "all zero": bytes(64),
    "all ones": b"\xff" * 64,
    "S is zero": with_s(0),
    "S is one": with_s(1),
    "S is L": with_s(L),
    "S is L - 1": with_s(L - 1),
    "S + 1": with_s(S + 1),
    "S + L": with_s(S + L),
    "S + 8 L": with_s(S + 8 * L),
    "minus S": with_s(L - S),
    "the highest bit of S": with_s(S | 1 << 255),
    "R with the other sign": R[:31] + bytes([R[31] ^ 0x80]) + RIGHT[32:],
    "R is the neutral point": SMALL_ORDER[0] + RIGHT[32:],
    "R is of order two": SMALL_ORDER[1] + RIGHT[32:],
    "R is y = P": P.to_bytes(32, "little") + RIGHT[32:],
    "R is y = P + 1": (P + 1).to_bytes(32, "little") + RIGHT[32:],
    "R is no point": (2).to_bytes(32, "little") + RIGHT[32:],
}


@pytest.mark.parametrize("name", sorted(BENT))
def test_a_bent_signature_of_each_known_class_is_refused_here_and_by_cryptography(name: str) -> None:
    assert signed(KEY.public, b"m", RIGHT)
    assert not signed(KEY.public, b"m", BENT[name])
    assert not oracle(KEY.public, b"m", BENT[name])


@pytest.mark.parametrize("public", [b"", KEY.public[:-1], KEY.public + b"\x00", (2).to_bytes(32, "little"), bytes(33)])
def test_a_key_of_another_length_or_off_the_curve_is_refused_here_and_by_cryptography(public: bytes) -> None:
    assert not signed(public, b"m", RIGHT)
    assert not oracle(public, b"m", RIGHT)

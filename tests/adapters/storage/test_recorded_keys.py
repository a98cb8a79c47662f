"""A line in the record alone makes no key: only the first one, and each that its predecessor signed (EVD-10)."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.keys import recorded_keys
from adapters.signing import raw_public
from countermand.ledger.bodies import Body, KeyAdded, KeyRotated
from countermand.ledger.record import GENESIS_PREV, Record, build_line, parse_line

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class Key:
    def __init__(self, number: int) -> None:
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.raw = raw_public(self.private.public_key())
        self.key_id = f"ad-{hashlib.sha256(self.raw).hexdigest()[:12]}"
        self.text = base64.b64encode(self.raw).decode()

    def added(self) -> KeyAdded:
        return KeyAdded(purpose="adoption", key_id=self.key_id, public=self.text, key_origin="provided")

    def follows(self, old: Key, signer: Key | None = None) -> KeyRotated:
        said = KeyRotated.signed_bytes("adoption", old.key_id, self.key_id, self.text)
        by_old, by_new = (base64.b64encode(key.private.sign(said)).decode() for key in (signer or old, self))
        return KeyRotated(
            purpose="adoption", old_key_id=old.key_id, key_id=self.key_id, public=self.text,
            signed_by_old=by_old, signed_by_new=by_new,
        )  # fmt: skip


def known(*bodies: Body) -> list[str]:
    lines = [
        build_line(body.entry(f"k/{seq}", "countermand"), seq=seq, prev=GENESIS_PREV, at=NOW)
        for seq, body in enumerate(bodies)
    ]
    records: list[Record] = [parse_line(line) for line in lines]
    return list(recorded_keys(records, "adoption"))


ONE, TWO, MINE = Key(1), Key(2), Key(3)


def test_keys_that_signed_each_other_are_known_in_their_order() -> None:
    assert known(ONE.added(), TWO.follows(ONE), MINE.follows(TWO)) == [ONE.key_id, TWO.key_id, MINE.key_id]


@pytest.mark.parametrize(
    "forged",
    [
        MINE.added(),
        MINE.follows(ONE, signer=MINE),
        MINE.follows(TWO),
        MINE.follows(ONE).model_copy(update={"public": TWO.text}),
        MINE.follows(ONE).model_copy(update={"signed_by_old": "no base64"}),
        MINE.follows(ONE).model_copy(update={"key_id": "ad-000000000000"}),
    ],
    ids=["a second first key", "signed by himself", "an unknown key", "another public half", "garbage", "another id"],
)
def test_who_writes_a_line_into_the_database_adds_no_key(forged: Body) -> None:
    assert known(ONE.added(), forged) == [ONE.key_id]

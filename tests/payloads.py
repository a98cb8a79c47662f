"""Payloads of tests: encrypted with one fixed key, or plain where a recorded history must stay readable."""

from __future__ import annotations

from collections.abc import Sequence

from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from adapters.payload_codec import EncryptingCodec


class FixedKeys:
    """Implements PayloadKeys."""

    def __init__(self, *key_ids: str) -> None:
        self.key_ids = key_ids

    def read(self) -> dict[str, bytes]:
        return {key_id: key_id.encode().ljust(32, b".")[:32] for key_id in self.key_ids}


def codec(*key_ids: str) -> EncryptingCodec:
    """The codec of tests."""
    return EncryptingCodec(FixedKeys(*key_ids or ("0001-00000000000000aa",)))


class Plain(PayloadCodec):
    """Leaves payloads as they are."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

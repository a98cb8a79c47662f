"""Timestamps of checkpoints by an authority (RFC 3161): verified against the configured CA before they are kept."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import httpx
import rfc3161_client as rfc3161
from cryptography import x509

from adapters.anchor_settings import TimestampSettings
from adapters.anchors import AnchorFailed, AnchorMisconfigured, Taken
from adapters.checkpoints import SqlCheckpoints
from countermand.ledger.note import Checkpoint

MEDIA_TYPE = "application/timestamp-reply"
_SECONDS = 10.0
_LONGEST = 256 * 1024


class TimestampAnchor:
    """Implements the port `Anchor`."""

    kind: Literal["rfc3161"] = "rfc3161"

    def __init__(self, place: str, settings: TimestampSettings) -> None:
        self.place = place
        self._settings = settings

    async def take(self, checkpoint: Checkpoint, _checkpoints: SqlCheckpoints) -> Taken:
        """See the port."""
        message = checkpoint.note.encode()
        request = rfc3161.TimestampRequestBuilder().data(message).build()
        headers = {"Content-Type": "application/timestamp-query"}
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False, follow_redirects=False) as client:
                answer = await client.post(self._settings.url, content=request.as_bytes(), headers=headers)
        except httpx.HTTPError as error:
            raise AnchorFailed(f"the authority {self.place} does not answer ({type(error).__name__})") from error
        if answer.status_code in (401, 403, 404):
            raise AnchorMisconfigured(f"the authority {self.place} answered {answer.status_code}; correct its url")
        if answer.status_code != 200 or len(answer.content) > _LONGEST:
            raise AnchorFailed(f"the authority {self.place} answered {answer.status_code}")
        stamped_at(answer.content, message, self._settings, request.nonce)
        return Taken(answer=answer.content, media_type=MEDIA_TYPE)

    async def seen(self, _checkpoint: Checkpoint) -> int:
        """An authority remembers nothing."""
        return 0


def stamped_at(response: bytes, message: bytes, settings: TimestampSettings, nonce: int | None = None) -> datetime:
    """When the authority says that it saw `message`. Raises AnchorMisconfigured unless its CA stands behind it."""
    try:
        roots = x509.load_pem_x509_certificates(settings.ca.read_bytes())
        builder = rfc3161.VerifierBuilder(nonce=nonce)
        for root in roots:
            builder = builder.add_root_certificate(root)
        decoded = rfc3161.decode_timestamp_response(response)
        builder.build().verify_message(decoded, message)
        return decoded.tst_info.gen_time
    except (OSError, ValueError, rfc3161.VerificationError) as error:
        raise AnchorMisconfigured(f"the token of {settings.url} does not hold under {settings.ca}: {error}") from error

"""A witness that cosigns checkpoints only while the Ledger grows (c2sp.org/tlog-witness, `add-checkpoint`)."""

from __future__ import annotations

import base64
from typing import Literal

import httpx

from adapters.anchor_settings import WitnessSettings
from adapters.anchors import AnchorFailed, AnchorMisconfigured, AnchorStore, Forked, Taken
from adapters.checkpoints import SqlCheckpoints
from countermand.ledger.note import Checkpoint
from countermand.ledger.note_reading import NoteInvalid, cosigned_at, signature_lines

_SECONDS = 10.0
_LONGEST = 64 * 1024


class WitnessAnchor:
    """Implements the port `Anchor`."""

    kind: Literal["witness"] = "witness"

    def __init__(self, place: str, settings: WitnessSettings, store: AnchorStore) -> None:
        self.place = place
        self._settings = settings
        self._store = store

    async def take(self, checkpoint: Checkpoint, checkpoints: SqlCheckpoints) -> Taken:
        """See the port. 409 names the witness's size: it is asked again from there, once."""
        old = await self._store.anchored(self.kind, self.place)
        answer = await self._add(checkpoint, old, checkpoints)
        if answer.status_code == 409:
            size = _size(answer)
            if size == old:
                raise Forked(
                    f"The witness {self.place} knows another history: for {size} records it has another root.",
                    answer.content,
                )
            if size > checkpoint.size:
                raise Forked(
                    f"The witness {self.place} has seen {size} records, this ledger has {checkpoint.size} under its "
                    "newest checkpoint: records were cut off, or an old copy was restored.",
                    answer.content,
                )
            answer = await self._add(checkpoint, size, checkpoints)
        if answer.status_code == 422:
            raise Forked(
                f"The witness {self.place} says that this ledger's history was changed since it last looked.",
                answer.content,
            )
        if answer.status_code in (403, 404):
            raise AnchorMisconfigured(
                f"the witness {self.place} answered {answer.status_code}: it does not know {checkpoint.origin!r} or "
                "its key; register both there"
            )
        if answer.status_code != 200:
            raise AnchorFailed(f"the witness {self.place} answered {answer.status_code}")
        try:
            cosigned_at(checkpoint, answer.text, self._settings.key)
            line = signature_lines(answer.text, self._settings.key)[0]
        except NoteInvalid as error:
            raise AnchorMisconfigured(
                f"the witness {self.place} answered with a signature that its key line does not verify: {error}"
            ) from error
        return Taken(answer=answer.content, media_type="text/plain", cosignature=line)

    async def seen(self, checkpoint: Checkpoint) -> int:
        """See the port. A witness tells its size only when it is asked with another one."""
        answer = await self._post(f"old 0\n\n{checkpoint.note}")
        return _size(answer) if answer.status_code == 409 else 0

    async def _add(self, checkpoint: Checkpoint, old: int, checkpoints: SqlCheckpoints) -> httpx.Response:
        try:
            proof = await checkpoints.consistency(old, checkpoint.size) if old else ()
        except ValueError as error:
            raise AnchorFailed(str(error)) from error
        lines = "".join(f"{base64.b64encode(one).decode()}\n" for one in proof)
        return await self._post(f"old {old}\n{lines}\n{checkpoint.note}")

    async def _post(self, body: str) -> httpx.Response:
        try:
            async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False, follow_redirects=False) as client:
                answer = await client.post(f"{self._settings.url.rstrip('/')}/add-checkpoint", content=body.encode())
        except httpx.HTTPError as error:
            raise AnchorFailed(f"the witness {self.place} does not answer ({type(error).__name__})") from error
        if len(answer.content) > _LONGEST:
            raise AnchorFailed(f"the witness {self.place} answered with {len(answer.content)} bytes")
        return answer


def _size(answer: httpx.Response) -> int:
    text = answer.text.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise AnchorFailed(f"a witness answered 409 with {text[:40]!r}; its size is needed")
    return int(text)

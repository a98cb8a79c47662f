"""A run as a sandbox leaves it behind: one chain of records, every one of a rehearsal, sealed by the sandbox's key."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from countermand.canonical import digest_bytes
from countermand.ledger.bodies import KeyAdded, ReleaseRegistered
from countermand.ledger.record import GENESIS_PREV, Entry, Kind, Record, build_line, parse_line
from countermand.rehearsal.rendition import rendition
from countermand.rehearsal.run import Run
from countermand.rehearsal.seal import sealed
from tests.rules.rehearsal import played

PLAYBOOK = (played.ROOT / "playbooks/conversational-agent.yaml").read_bytes()
SCENARIO = (played.ROOT / "rehearsals/injection-campaign.yaml").read_bytes()
SCALE = 240
RENDITION = digest_bytes(rendition(PLAYBOOK, SCALE))


class Key:
    """The ledger key of a sandbox."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def added(self) -> Entry:
        """The record that names it."""
        public = base64.b64encode(self._private.public_key().public_bytes_raw()).decode()
        body = KeyAdded(purpose="ledger", key_id="lg-1", public=public, key_origin="auto")
        return body.entry("key/added/ledger", "countermand")


def registered(playbook_digest: str = RENDITION) -> Entry:
    body = ReleaseRegistered(
        environment="rehearsal", service="chat-assistant", candidate_name="v7", candidate_digest="sha256:c",
        baseline_name="v6", baseline_digest="sha256:b", playbook_digest=playbook_digest, registered_by="b", owner="r",
    )  # fmt: skip
    return body.entry("release/1", "bot", release_id="candidate")


def chained(entries: Sequence[tuple[Entry, datetime]], *, rehearsal: bool = True) -> tuple[Record, ...]:
    """Records with `seq` and `prev` as a Ledger gives them."""
    found: list[Record] = []
    for seq, (entry, at) in enumerate(entries):
        prev = found[-1].hash if found else GENESIS_PREV
        found.append(parse_line(build_line(entry, seq=seq, prev=prev, at=at, rehearsal=rehearsal)))
    return tuple(found)


def entry_of(record: Record) -> Entry:
    return Entry(
        kind=Kind(record.kind), idem_key=record.idem_key, actor=record.actor, body=record.body,
        incident_id=record.incident_id, release_id=record.release_id,
    )  # fmt: skip


def told(ended: datetime, *, minutes: float = 8, playbook: str = RENDITION, rehearsal: bool = True) -> Run:
    """The attack of the scenario as it should be met (minutes: until somebody rejects), ended then; without a seal."""
    story = played.rejected_after(minutes)
    key = KEY
    begin = [(key.added(), played.BEGIN), (registered(playbook), played.BEGIN)]
    entries = [*begin, *((entry_of(one), one.at) for one in story)]
    shift = ended - entries[-1][1]
    real = chained([(entry, at + shift) for entry, at in entries], rehearsal=rehearsal)
    records = tuple(record.model_copy(update={"at": at}) for record, (_, at) in zip(real, entries, strict=True))
    return played.run(
        records=records,
        ledger_head=records[-1].hash,
        playbook_digest=digest_bytes(PLAYBOOK),
        rendition_digest=RENDITION,
        time_scale=SCALE,
        started=played.BEGIN,
        ended=played.BEGIN + timedelta(minutes=30),
    )


KEY = Key()


def a_run(ended: datetime, **changes: Any) -> Run:
    """A run that may be recorded, with changes that were made before it was sealed."""
    return sealed(told(ended).model_copy(update=changes), KEY)

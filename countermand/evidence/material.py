"""What a pack is made from: records, the bytes they name, and what opens their commitments. No section reads anything
else, so that the same material gives the same bytes (EVD-16)."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from countermand.evidence.manifest import Profile, Scope
from countermand.ledger.commitment import committed
from countermand.ledger.private import Opened
from countermand.ledger.private import commitments as commitments_in
from countermand.ledger.record import Kind, Record

#: What stands where a redacted pack does not show what somebody typed.
REDACTED = "[redacted]"
#: Frozen items that hold no words of people or models, by the beginning of their name.
PLAIN_ITEMS = ("release.json", "bundles.json", "playbook.yaml", "target_state", "signals.jsonl", "cursors.json")
#: Kinds without an incident that every pack rests on.
FOUNDATIONS = (Kind.genesis.value, "key.", "playbook.", "threshold.")
#: Kinds without an incident that a pack rests on when they name something that is in it.
_NAMING = ("standing.", "consent.", "hold.", "purge.", "erasure.", "retention.", "obligation.", "profile.")


class Blob(NamedTuple):
    """Stored bytes and their media type."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class Material:
    """Everything the sections of one pack are made from.

    records: in `seq` order, with the words that the profile may show. said: one sentence per `seq`. blobs: by
    `sha256:<hex>`, those of `wanted` that are stored. rows: sealed rows up to the verdict, by release. openings: by
    commitment. since, until: the days of a period pack, as asked.
    """

    scope: Scope
    profile: Profile
    records: Sequence[Record]
    said: Mapping[int, str]
    blobs: Mapping[str, Blob] = field(default_factory=dict)
    rows: Mapping[str, Sequence[str]] = field(default_factory=dict)
    playbooks: Mapping[str, bytes] = field(default_factory=dict)
    openings: Mapping[str, Opened] = field(default_factory=dict)
    reconciliation: Mapping[str, Any] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of(self, *kinds: str) -> list[Record]:
        """Records of these kinds; a kind that ends with a dot stands for all that begin with it."""
        return [record for record in self.records if of_kind(record, kinds)]

    @property
    def in_range(self) -> list[Record]:
        """Records of the scope itself, without older ones that it rests on."""
        return [one for one in self.records if self.scope.first_seq <= one.seq <= self.scope.last_seq]

    @property
    def incidents(self) -> list[str]:
        """Ids of the incidents in scope, in the order of their first record."""
        return list(dict.fromkeys(record.incident_id for record in self.records if record.incident_id is not None))


def of_kind(record: Record, kinds: Collection[str]) -> bool:
    """Whether a record is of one of these kinds; a kind that ends with a dot is the beginning of one."""
    kind = record.kind.value
    return any(kind.startswith(one) if one.endswith(".") else kind == one for one in kinds)


def of_incident(records: Sequence[Record], incident_id: str) -> list[Record]:
    """The incident's records and those without an incident that it rests on, up to its newest one (EVD-13).

    Raises KeyError when no record is about this incident.
    """
    mine = [record for record in records if record.incident_id == incident_id]
    if not mine:
        raise KeyError(f"no record is about an incident {incident_id!r}")
    last = mine[-1].seq
    releases = {record.release_id for record in mine} - {None}
    before = [one for one in records if one.incident_id is None and one.seq <= last]
    own = [*mine, *(one for one in before if one.release_id in releases)]
    digests = {text for one in own for text in _texts(one.body) if text.startswith("sha256:")}
    names = {incident_id, *releases} | {
        one.body[name] for one in own for name in ("authorisation_id", "consent_id") if one.body.get(name)
    }

    def rests_on(record: Record) -> bool:
        if of_kind(record, FOUNDATIONS) or record.release_id in releases:
            return True
        if of_kind(record, _NAMING):
            return not names.isdisjoint(_texts(record.body))
        about = {record.body.get(name) for name in ("digest", "bundle_digest", "playbook_digest")} - {None}
        return not about.isdisjoint(digests)

    return sorted([*mine, *filter(rests_on, before)], key=lambda record: record.seq)


def redacted(record: Record) -> Record:
    """The record without what people typed: `[redacted]` stands where its line has a commitment."""
    return record.model_copy(update={"body": _covered(json.loads(record.line)["body"])})


def commitments(record: Record) -> Iterator[tuple[str, str]]:
    """(JSON pointer into the body, commitment) of everything that the record's line commits to."""
    yield from commitments_in(json.loads(record.line)["body"])


def wanted(records: Sequence[Record], profile: Profile) -> set[str]:
    """Digests of stored bytes that the pack shows. A redacted one shows none that may hold what somebody wrote."""
    found: set[str] = set()
    for record in records:
        match record.kind:
            case Kind.freeze_completed | Kind.freeze_incomplete:
                found.add(record.body["inventory_sha256"])
                found |= {item["sha256"] for item in record.body["items"] if item["sha256"] and shows(item, profile)}
            case Kind.bundle_described:
                found.add(record.body["manifest_digest"])
            case Kind.decision if profile == "full":
                found.add(record.body["decision"]["view_sha256"])
            case Kind.comms_sent if profile == "full":
                found.add(record.body["text_sha256"])
            case Kind.review_drafted if profile == "full":
                found.add(record.body["draft_sha256"])
            case _:
                pass
    return found - {None, ""}


def shows(item: Mapping[str, Any], profile: Profile) -> bool:
    """Whether the bytes of a frozen item stand in a pack of this profile."""
    return profile == "full" or str(item["name"]).startswith(PLAIN_ITEMS)


def of_period(records: Sequence[Record], first_seq: int, last_seq: int) -> list[Record]:
    """All records of the range, after the older ones that every pack rests on. Raises KeyError for an empty range."""
    found = [one for one in records if first_seq <= one.seq <= last_seq]
    if not found:
        raise KeyError(f"there is no record from {first_seq} to {last_seq}")
    return [one for one in records if one.seq < first_seq and of_kind(one, FOUNDATIONS)] + found


def _texts(body: Any) -> Iterator[str]:
    match body:
        case str():
            yield body
        case dict():
            for item in body.values():
                yield from _texts(item)
        case list():
            for item in body:
                yield from _texts(item)
        case _:
            pass


def _covered(value: Any) -> Any:
    if committed(value) is not None:
        return REDACTED
    match value:
        case dict():
            return {key: _covered(item) for key, item in value.items()}
        case list():
            return [_covered(item) for item in value]
        case _:
            return value

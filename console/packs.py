"""Evidence packs are made here: records up to a checkpoint → files → manifest → seal → one ZIP (EVD-13…EVD-17).

Everything is a function of the Ledger up to a checkpoint and of bytes that are stored by digest, so that a pack can be
made again at any time and is the same. A crash at any step leaves at most a record that the next try finds.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from activities.evidence_ports import Checkpoints
from activities.ports import Catalogue, Ledger
from activities.signal_ports import SignalStore
from activities.vault_ports import Vault
from adapters.evidence_pdf import PdfUnavailable, render_pdf
from adapters.evidence_summary import render_summary
from adapters.outbox import Outbox
from console.summaries import summary as sentence_of
from countermand.canonical import digest_bytes
from countermand.evidence import container, manifest, seal, sign
from countermand.evidence.manifest import Profile, Scope
from countermand.evidence.material import (
    Blob,
    Material,
    commitments,
    of_incident,
    of_period,
    redacted,
    wanted,
)
from countermand.evidence.pack import assemble
from countermand.evidence.sections import Section, sections
from countermand.evidence.summary import summary
from countermand.ledger.bodies import EvidenceSealed, PopulationReconciled, VerdictChanged, parse_body
from countermand.ledger.note import Checkpoint, Signer, vkey
from countermand.ledger.record import Kind, Record

_PAGE = 1_000


class NothingToShow(ValueError):
    """No record is in the scope that was asked for."""


class SealingStopped(Exception):
    """A place outside holds another history than this Ledger: nothing is sealed until that is resolved (EVD-11)."""


class Sealed(NamedTuple):
    """A finished pack: its bytes, and the record that binds its manifest into the tree."""

    content: bytes
    manifest_sha256: str
    record: Record


class _Unsealed(NamedTuple):
    files: dict[str, bytes]
    manifest: bytes


@dataclass
class Packs:
    """Makes packs, one at a time for each scope. `directory` keeps redacted ones; an unredacted one is never kept, so
    that what is erased later does not survive in a file of ours."""

    ledger: Ledger
    catalogue: Catalogue
    signals: SignalStore
    outbox: Outbox
    vault: Vault
    checkpoints: Checkpoints
    key: Signer
    directory: Path
    templates: Path
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def incident_scope(self, incident_id: str) -> Scope:
        """The scope of an incident as it stands now. Raises NothingToShow."""
        mine = await self.ledger.records(incident_id=incident_id)
        if not mine:
            raise NothingToShow(f"no record is about an incident {incident_id!r}")
        return Scope(kind="incident", incident_id=incident_id, first_seq=mine[0].seq, last_seq=mine[-1].seq)

    async def period_scope(self, since: datetime, until: datetime) -> Scope:
        """The records with `since` ≤ time < `until`. Raises NothingToShow."""
        found = [record.seq for record in await self._all() if since <= record.at < until]
        if not found:
            raise NothingToShow(f"no record was made from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC")
        return Scope(kind="period", incident_id=None, first_seq=found[0], last_seq=found[-1])

    async def build(
        self, scope: Scope, profile: Profile, since: datetime | None = None, until: datetime | None = None
    ) -> Sealed:
        """The sealed pack of this scope; a second call gives the same bytes and adds nothing to the Ledger.

        since, until: the days of a period, for its title and for which comparison with the targets it shows.
        Raises SealingStopped, CheckpointFailed.
        """
        if why := await self.checkpoints.forked():
            raise SealingStopped(why)
        async with self._turns[f"{scope.model_dump_json()} {profile}"]:
            checkpoint = await self.checkpoints.at_least(scope.last_seq + 1)
            known = await self._sealed_before(scope, profile, checkpoint.size, since, until)
            if known is not None and (kept := await asyncio.to_thread(self._kept, known.body["manifest_sha256"])):
                return Sealed(kept, known.body["manifest_sha256"], known)
            unsealed = await self._unsealed(scope, profile, checkpoint, since, until)
            return await self._seal(unsealed, scope, profile, checkpoint, since, until)

    async def again(self, sealed: Record) -> Sealed | None:
        """The pack of this seal: kept, or made again; None when it cannot have the same bytes any more."""
        body = EvidenceSealed.model_validate(sealed.body)
        if kept := await asyncio.to_thread(self._kept, body.manifest_sha256):
            return Sealed(kept, body.manifest_sha256, sealed)
        scope = Scope.model_validate(body.scope)
        async with self._turns[f"{scope.model_dump_json()} {body.profile}"]:
            checkpoint = await self.checkpoints.at_least(body.tree_size)
            unsealed = await self._unsealed(scope, body.profile, checkpoint, body.since, body.until)
            if hashlib.sha256(unsealed.manifest).hexdigest() != body.manifest_sha256:
                return None
            return await self._seal(unsealed, scope, body.profile, checkpoint, body.since, body.until)

    async def _unsealed(
        self, scope: Scope, profile: Profile, checkpoint: Checkpoint, since: datetime | None, until: datetime | None
    ) -> _Unsealed:
        material = await self._material(scope, profile, since, until)
        leaves = await self.checkpoints.leaves(checkpoint.size)
        return await asyncio.to_thread(self._make, material, checkpoint, leaves)

    async def _seal(
        self,
        unsealed: _Unsealed,
        scope: Scope,
        profile: Profile,
        checkpoint: Checkpoint,
        since: datetime | None,
        until: datetime | None,
    ) -> Sealed:
        """Record, later checkpoint, proofs, container (EVD-15). Each step may be repeated."""
        sha256 = hashlib.sha256(unsealed.manifest).hexdigest()
        body = EvidenceSealed(
            scope=scope.model_dump(mode="json"),
            profile=profile,
            manifest_sha256=sha256,
            tree_size=checkpoint.size,
            root=checkpoint.root,
            since=since,
            until=until,
        )
        [record] = await self.ledger.append(body.entry(f"evidence/sealed/{sha256}", "console"))
        later = await self.checkpoints.at_least(record.seq + 1)
        files = unsealed.files | seal.build(
            record.line,
            record.seq,
            later,
            await self.checkpoints.inclusion(record.seq, later.size),
            await self.checkpoints.consistency(checkpoint.size, later.size),
            await self.checkpoints.cosignatures(later.size),
            await self.checkpoints.timestamp(later.size),
            self.key,
        )
        content = await asyncio.to_thread(container.zip_bytes, files)
        if profile == "redacted":
            await asyncio.to_thread(self._keep, sha256, content)
        return Sealed(content, sha256, record)

    async def _sealed_before(
        self, scope: Scope, profile: Profile, size: int, since: datetime | None, until: datetime | None
    ) -> Record | None:
        said = (scope.model_dump(mode="json"), profile, size, since, until)
        for record in reversed(await self.ledger.records(kinds=(Kind.evidence_sealed,))):
            body = EvidenceSealed.model_validate(record.body)
            if (body.scope, body.profile, body.tree_size, body.since, body.until) == said:
                return record
        return None

    def _make(self, material: Material, checkpoint: Checkpoint, leaves: bytes) -> _Unsealed:
        """Everything under the manifest and beside it. Runs in a thread."""
        made = sections(material)
        facts = summary(
            material, origin=checkpoint.origin, tree_size=checkpoint.size, root=checkpoint.root, missing=made.missing
        )
        drawn = {"SUMMARY.html": render_summary(self.templates, facts).encode()}
        undrawn = {}
        try:
            drawn["SUMMARY.pdf"] = render_pdf(self.templates, facts, at=material.records[-1].at)
        except PdfUnavailable as error:
            undrawn["SUMMARY.pdf"] = str(error)
        files, missing = assemble(
            material,
            made,
            checkpoint=checkpoint,
            leaves=leaves,
            signer=self.key,
            summaries=Section(drawn, undrawn),
        )
        listing = manifest.build(
            files,
            scope=material.scope,
            profile=material.profile,
            checkpoint=checkpoint,
            log_vkey=vkey(checkpoint.origin, self.key.public),
            not_applicable=missing,
        )
        beside = sign.signatures(listing, self.key, checkpoint.origin)
        return _Unsealed(files | beside | {"manifest.json": listing}, listing)

    async def _material(
        self, scope: Scope, profile: Profile, since: datetime | None, until: datetime | None
    ) -> Material:
        every = await self._all(scope.last_seq)
        if scope.incident_id is not None:
            records: Sequence[Record] = of_incident(every, scope.incident_id)
        else:
            records = of_period(every, scope.first_seq, scope.last_seq)
        closed = [commit for record in records for _, commit in commitments(record)]
        shown = [redacted(record) for record in records] if profile == "redacted" else records
        material = Material(
            scope=scope,
            profile=profile,
            records=shown,
            said={record.seq: sentence_of(record) for record in shown},
            openings=await self.vault.open(closed) if profile == "full" else {},
            since=since,
            until=until,
        )
        return replace(
            material,
            blobs=await self._blobs(records, profile),
            rows=await self._rows(records),
            playbooks=await self._playbooks(records),
            reconciliation=await self._reconciliation(since, until) if since and until else None,
        )

    async def _all(self, last_seq: int | None = None) -> list[Record]:
        """Records up to `last_seq`, page by page, so that the console answers others meanwhile.

        The Ledger only grows: whoever stops at a number reads one snapshot, however many are written (STO-10).
        """
        found: list[Record] = []
        while page := await self.ledger.records(after_seq=found[-1].seq if found else -1, limit=_PAGE):
            found += [record for record in page if last_seq is None or record.seq <= last_seq]
            if len(page) < _PAGE or (last_seq is not None and page[-1].seq >= last_seq):
                break
        return found

    async def _blobs(self, records: Sequence[Record], profile: Profile) -> dict[str, Blob]:
        """What the records name by digest. A text of the outbox counts when it has the digest that was recorded."""
        asked = wanted(records, profile)
        found = {}
        for sha256 in sorted(asked):
            if (blob := await self.ledger.get_blob(sha256)) is not None:
                found[sha256] = Blob(*blob)
        for incident_id in sorted({one.incident_id or "" for one in records if one.kind is Kind.comms_sent}):
            for sent in await self.outbox.list(incident_id):
                raw = sent.message.text.encode()
                if (sha256 := digest_bytes(raw)) in asked:
                    found[sha256] = Blob(raw, "text/plain")
        return found

    async def _rows(self, records: Sequence[Record]) -> dict[str, list[str]]:
        """Sealed rows of each release up to its newest verdict: later ones are still coming in."""
        newest: dict[str, int] = {}
        for record in records:
            body = parse_body(record)
            if isinstance(body, VerdictChanged) and body.verdicts and record.release_id is not None:
                newest[record.release_id] = max(body.row, newest.get(record.release_id, -1))
        found: dict[str, list[str]] = {}
        for release_id, last in sorted(newest.items()):
            rows = await self.signals.rows(release_id, limit=last + 1)
            until = max((place for place, row in enumerate(rows) if row.late_of is None), default=-1)
            found[release_id] = [row.model_dump_json() for row in rows[: until + 1]]
        return found

    async def _playbooks(self, records: Sequence[Record]) -> dict[str, bytes]:
        bodies = [record.body for record in records]
        bodies += [record.body["plan"] for record in records if record.kind is Kind.plan]
        digests = {str(body["playbook_digest"]) for body in bodies if body.get("playbook_digest")}
        return {one: await self.catalogue.playbook_bytes(one) for one in sorted(digests)}

    async def _reconciliation(self, since: datetime, until: datetime) -> dict[str, object] | None:
        """The first comparison of exactly this period, so that a later one does not change a pack."""
        for record in await self.ledger.records(kinds=(Kind.population_reconciled,)):
            body = PopulationReconciled.model_validate(record.body)
            if (body.since, body.until) == (since, until):
                return {"seq": record.seq, **body.result}
        return None

    def _path(self, manifest_sha256: str) -> Path:
        return self.directory / f"{manifest_sha256}.zip"

    def _kept(self, manifest_sha256: str) -> bytes | None:
        try:
            return self._path(manifest_sha256).read_bytes()
        except FileNotFoundError:
            return None

    def _keep(self, manifest_sha256: str, content: bytes) -> None:
        """The whole file or none: a reader never sees half of a pack."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        unfinished = self._path(f".{secrets.token_hex(8)}")
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path(manifest_sha256))

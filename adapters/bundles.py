"""Manifests of bundles and the bytes of their small parts, on SQL; every read is checked against its digest (R71)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlmodel import col, select

from adapters.database import Database, insert_new
from adapters.tables import BlobTable, BundleManifestTable
from countermand.canonical import digest_bytes
from countermand.compare.manifest import Manifest
from countermand.plan.target import Value


class Described(Value):
    """What is kept about a bundle: its newest manifest, who gave it when, and which parts can be had from here."""

    manifest: Manifest
    manifest_digest: str
    stored: tuple[str, ...]
    by: str
    at: datetime


class SqlBundles:
    """Finds manifests by the digest of their bundle. Manifests and parts themselves are blobs of the Ledger's store."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def point(self, manifest: Manifest, stored: Collection[str], by: str, at: datetime) -> None:
        """Make a manifest, which is stored already, the newest of its bundle; parts stored before stay so."""
        values = {"manifest_sha256": manifest.digest, "described_by": by, "described_at": at}
        digest = manifest.bundle.digest
        async with self._db.writing() as session:
            await insert_new(session, BundleManifestTable, bundle_digest=digest, stored=[], **values)
            row = await session.get_one(BundleManifestTable, digest, with_for_update=True)
            row.sqlmodel_update(values | {"stored": sorted({*row.stored, *stored})})
            session.add(row)

    async def find(self, digests: Collection[str]) -> dict[str, Described]:
        """What is kept about each of these bundles, in one query; a bundle nobody described is left out.

        Raises ValueError when a stored manifest is not what was stored.
        """
        query = (
            select(BundleManifestTable, BlobTable.content)
            .join(BlobTable, col(BlobTable.sha256) == col(BundleManifestTable.manifest_sha256))
            .where(col(BundleManifestTable.bundle_digest).in_(digests))
        )
        async with self._db.reading() as session:
            found = (await session.exec(query)).all()
        return {
            row.bundle_digest: Described(
                manifest=Manifest.model_validate_json(_unchanged(row.manifest_sha256, content)),
                manifest_digest=row.manifest_sha256,
                stored=tuple(row.stored),
                by=row.described_by,
                at=row.described_at,
            )
            for row, content in found
        }

    async def contents(self, digests: Collection[str]) -> dict[str, bytes]:
        """Bytes by digest, in one query. Raises ValueError when stored bytes are not what was stored."""
        query = select(BlobTable.sha256, BlobTable.content).where(col(BlobTable.sha256).in_(digests))
        async with self._db.reading() as session:
            return {sha256: _unchanged(sha256, content) for sha256, content in await session.exec(query)}


def _unchanged(sha256: str, content: bytes) -> bytes:
    if (found := digest_bytes(content)) != sha256:
        raise ValueError(f"the bytes stored as {sha256!r} have the digest {found!r}: somebody changed the store")
    return content

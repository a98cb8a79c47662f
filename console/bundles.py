"""What versions are made of: putting a manifest beside a bundle, finding it again, reading parts (R70, R71)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import uuid4

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from adapters.bundles import Described, SqlBundles
from console.decide import Person
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.compare.manifest import MEDIA_TYPE, PARTS, Manifest, ManifestRefused, PartName, agreed, check_contents
from countermand.ledger.bodies import BundleDescribed
from countermand.plan.model import Bundle

SCHEMA = "countermand.bundle_view/v1"


class Sent(BaseModel):
    """A manifest (`countermand.bundle/v1`) and, by part, bytes in base64 to be kept with it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: Manifest
    contents: dict[PartName, Base64Bytes] = Field(default_factory=dict)


def checked(sent: Sent) -> Sent:
    """The same. Raises Problem when a content is not what the manifest names."""
    try:
        check_contents(sent.manifest, sent.contents)
    except ManifestRefused as error:
        raise _disagrees(error) from error
    return sent


async def put(deps: Console, person: Person, digest: str, sent: Sent) -> dict[str, Any]:
    """Keep a manifest and these parts beside the bundle. The same again changes nothing. Raises Problem."""
    directory = await deps.people.snapshot()
    if not directory.roles_of(person.subject):
        raise Problem(403, "not_your_role", f"{person.subject!r} holds no role here.", "Ask somebody who holds one.")
    manifest, contents = checked(sent).manifest, sent.contents
    try:
        agreed(manifest, digest, (await known_bundles(deps)).get(digest))
    except ManifestRefused as error:
        raise _disagrees(error) from error
    before = (await found(deps, [digest])).get(digest)
    new = set(contents) - set(before.stored if before else ())
    if before is None or before.manifest_digest != manifest.digest or new:
        await _keep(deps, person, manifest, contents)
    return await view(deps, digest)


async def _keep(deps: Console, person: Person, manifest: Manifest, contents: Mapping[PartName, bytes]) -> None:
    """Bytes first, then the record that names them, then the way to find them."""
    await deps.ledger.put_blob(manifest.raw, MEDIA_TYPE)
    for part, raw in contents.items():
        await deps.ledger.put_blob(raw, manifest.parts[part].media_type)
    body = BundleDescribed(
        bundle_digest=manifest.bundle.digest,
        name=manifest.name,
        manifest_digest=manifest.digest,
        stored={part: getattr(manifest.bundle, part) for part in contents},
        by=person.name,
    )
    await deps.ledger.append(body.entry(f"bundle/{manifest.bundle.digest}/{uuid4()}", person.subject))
    await SqlBundles(deps.database).point(manifest, tuple(contents), person.name, deps.clock())


async def found(deps: Console, digests: Collection[str]) -> dict[str, Described]:
    """What is kept about these bundles. Raises Problem when the store was changed."""
    try:
        return await SqlBundles(deps.database).find(digests)
    except ValueError as error:
        raise _changed(error) from error


async def contents(deps: Console, digests: Collection[str]) -> dict[str, bytes]:
    """Kept bytes by digest. Raises Problem when the store was changed."""
    try:
        return await SqlBundles(deps.database).contents(digests)
    except ValueError as error:
        raise _changed(error) from error


async def known_bundles(deps: Console) -> dict[str, Bundle]:
    """Every bundle that a release names, by digest."""
    releases = [status.release for status in await deps.catalogue.releases()]
    return {bundle.digest: bundle for release in releases for bundle in (release.candidate, release.baseline)}


async def view(deps: Console, digest: str) -> dict[str, Any]:
    """`countermand.bundle_view/v1`; `manifest` null: nobody described it. Raises Problem for an unknown bundle."""
    described = (await found(deps, [digest])).get(digest)
    bundle = described.manifest.bundle if described else (await known_bundles(deps)).get(digest)
    if bundle is None:
        raise Problem(
            404,
            "unknown_bundle",
            f"no release names the bundle {digest!r}, and nobody described it",
            "See the digests with `countermand release show`.",
        )
    return {
        "schema": SCHEMA,
        "digest": digest,
        "name": bundle.name,
        "parts": {part: getattr(bundle, part) for part in PARTS},
        "manifest": described.manifest.document if described else None,
        "manifest_digest": described.manifest_digest if described else None,
        "stored": list(described.stored) if described else [],
        "described_by": described.by if described else None,
        "described_at": instant(described.at) if described else None,
    }


async def part(deps: Console, digest: str, name: str) -> bytes:
    """The bytes of one part, checked against the bundle. Raises Problem."""
    shown = await view(deps, digest)
    if name not in shown["stored"]:
        kept = ", ".join(shown["stored"]) or "none"
        raise Problem(
            404,
            "part_not_kept",
            f"the bytes of {name!r} are not kept here; kept parts of {digest!r}: {kept}",
            "The manifest may say where it can be had: `countermand bundle show`.",
        )
    kept_as = shown["parts"][name]
    bytes_of = await contents(deps, [kept_as])
    if kept_as not in bytes_of:
        raise _changed(f"the bytes of {kept_as!r} are gone")
    return bytes_of[kept_as]


def _disagrees(error: ManifestRefused) -> Problem:
    return Problem(
        422, "manifest_disagrees", str(error), "Put the manifest of exactly this bundle.", parts=list(error.parts)
    )


def _changed(error: object) -> Problem:
    next_ = "Do not trust this copy. Run `countermand ledger verify` and tell an operator."
    return Problem(500, "stored_bytes_changed", str(error), next_)

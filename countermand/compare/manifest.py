"""The manifest of a bundle, `countermand.bundle/v1`: what each part is, where it can be had, what it was trained on.

The digest of a bundle does not depend on it. A manifest is kept beside the bundle under a digest of its own and has
to name the same parts, so it can add what is known about a version and never change which version is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from countermand.canonical import canonical, digest_bytes
from countermand.plan.model import Bundle, Short
from countermand.plan.target import Value

SCHEMA = "countermand.bundle/v1"
#: Media type under which a manifest is kept.
MEDIA_TYPE = "application/vnd.countermand.bundle+json"
#: Parts up to this many bytes can be kept with the manifest.
MAX_CONTENT = 1024 * 1024

PartName = Literal["model", "prompt", "decoding", "guardrail", "index", "harness", "training_data"]
PARTS: tuple[PartName, ...] = get_args(PartName)
Size = Annotated[int, Field(ge=0, lt=2**53, strict=True)]
MediaType = Annotated[str, StringConstraints(max_length=127, pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]

_CREDENTIALS = re.compile(r"[?#]|://[^/]*@")


def _no_secret(location: str) -> str:
    """Raises ValueError for a location with a query, a fragment, a user or a password: a secret can hide there."""
    if _CREDENTIALS.search(location):
        shown = location if "@" not in location else urlsplit(location).scheme + "://…"
        raise ValueError(
            f"{shown.partition('?')[0]!r} has a query, a fragment, a user or a password, where secrets hide; "
            "write where it is without them"
        )
    return location


Location = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[^\x00-\x20\x7f]+$"), AfterValidator(_no_secret)
]


class ManifestRefused(ValueError):
    """A manifest or a content that does not belong to the bundle; `parts` names what does not agree."""

    def __init__(self, message: str, *parts: str) -> None:
        super().__init__(message)
        self.parts = parts


class Part(Value):
    """One part of a bundle. `size` in bytes; `location`: where it can be had, a reference and never a secret."""

    digest: Short
    media_type: MediaType = "application/octet-stream"
    size: Size | None = None
    location: Location | None = None


class Dataset(Value):
    """A set of data that the version was trained or tuned on."""

    name: Short
    digest: Short
    location: Location | None = None


class Manifest(Value):
    """What is known about one bundle. `datasets` None: nobody said; empty: it was trained on nothing."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["countermand.bundle/v1"] = Field("countermand.bundle/v1", alias="schema")
    name: Short
    parts: dict[PartName, Part]
    datasets: Annotated[tuple[Dataset, ...], Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if missing := [part for part in PARTS if part not in self.parts]:
            raise ValueError(f"parts lacks {', '.join(missing)}; a manifest names all of {', '.join(PARTS)}")
        names = [dataset.name for dataset in self.datasets or ()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"datasets names {twice[0]!r} twice; names of datasets differ")
        return self

    @property
    def document(self) -> dict[str, Any]:
        """As JSON, with its schema."""
        return self.model_dump(mode="json", by_alias=True)

    @property
    def raw(self) -> bytes:
        """The canonical bytes that are kept."""
        return canonical(self.document)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` of the canonical bytes; not the bundle's."""
        return digest_bytes(self.raw)

    @property
    def bundle(self) -> Bundle:
        """The bundle that these parts make."""
        return Bundle(name=self.name, **{part: self.parts[part].digest for part in PARTS})


def agreed(manifest: Manifest, bundle_digest: str, known: Bundle | None) -> None:
    """Raises ManifestRefused unless the manifest is of the bundle with this digest; `known`: its parts, if known."""
    made = manifest.bundle
    if made.digest == bundle_digest:
        return
    if known is None:
        raise ManifestRefused(f"the parts of this manifest make the bundle {made.digest}, not {bundle_digest}")
    parts = known.differs_from(made)
    if known.name != made.name:
        raise ManifestRefused(f"it is named {made.name!r}, the bundle {known.name!r}", "name", *parts)
    said = "; ".join(f"{part} is {getattr(made, part)!r}, in the bundle {getattr(known, part)!r}" for part in parts)
    raise ManifestRefused(f"the manifest does not agree with the bundle: {said}", *parts)


def check_contents(manifest: Manifest, contents: Mapping[PartName, bytes]) -> None:
    """Raises ManifestRefused unless each content is small enough and exactly what the manifest names."""
    for name, raw in contents.items():
        part = manifest.parts[name]
        if len(raw) > MAX_CONTENT:
            raise ManifestRefused(
                f"{name} has {len(raw):,} bytes; up to {MAX_CONTENT:,} are kept here. Name its location instead", name
            )
        if digest_bytes(raw) != part.digest:
            raise ManifestRefused(
                f"the bytes of {name} have {digest_bytes(raw)}, the bundle says {part.digest!r}", name
            )
        if part.size not in (None, len(raw)):
            raise ManifestRefused(f"{name} has {len(raw):,} bytes, the manifest says {part.size:,}", name)

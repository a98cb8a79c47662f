"""Bodies of records about what a version is made of."""

from __future__ import annotations

from typing import ClassVar

from countermand.ledger.body import Body
from countermand.ledger.record import Kind


class BundleDescribed(Body):
    """A person said what a bundle is made of and trained on; the manifest is the blob `manifest_digest` (R70, R71).

    `stored`: digests of the parts whose bytes are kept with it.
    """

    KIND: ClassVar[Kind] = Kind.bundle_described
    bundle_digest: str
    name: str
    manifest_digest: str
    stored: dict[str, str]
    by: str

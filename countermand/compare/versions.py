"""Two versions part by part: what is the same, what changed, and how it reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from countermand.compare.contents import change
from countermand.compare.manifest import PARTS, Dataset, Manifest, PartName
from countermand.plan.model import Bundle
from countermand.plan.target import Value


class Version(Value):
    """One side of a comparison. `said`: how it was asked for; `contents`: bytes of parts, where they are kept."""

    said: str
    bundle: Bundle
    manifest: Manifest | None = None
    contents: Mapping[str, bytes] = {}


class PartDelta(Value):
    """One part. `how`: `text`, `keys` or `bytes` (only that it differs is known, and `why`); empty when it is same."""

    part: str
    word: Literal["same", "changed"]
    a: str
    b: str
    how: Literal["", "text", "keys", "bytes"] = ""
    lines: tuple[str, ...] = ()
    more: int = 0
    why: str = ""


class DatasetsDelta(Value):
    """What the versions were trained on. `unknown`: a manifest is missing, or does not say."""

    word: Literal["same", "changed", "unknown"]
    added: tuple[Dataset, ...] = ()
    removed: tuple[Dataset, ...] = ()
    why: str = ""


def parts(a: Version, b: Version) -> tuple[PartDelta, ...]:
    """Every part in the order of a bundle."""
    return tuple(_part(name, a, b) for name in PARTS)


def _part(name: PartName, a: Version, b: Version) -> PartDelta:
    one, other = getattr(a.bundle, name), getattr(b.bundle, name)
    if one == other:
        return PartDelta(part=name, word="same", a=one, b=other)
    lacking = [side for side, version in (("a", a), ("b", b)) if name not in version.contents]
    if lacking:
        why = f"the bytes of {' and '.join(lacking)} are not kept here"
        return PartDelta(part=name, word="changed", a=one, b=other, how="bytes", why=why)
    found = change(a.contents[name], b.contents[name], yaml=all(_is_yaml(name, version) for version in (a, b)))
    return PartDelta(
        part=name,
        word="changed",
        a=one,
        b=other,
        how=found.how,
        lines=found.lines,
        more=found.more,
        why=found.why,
    )


def _is_yaml(name: PartName, version: Version) -> bool:
    return version.manifest is not None and "yaml" in version.manifest.parts[name].media_type


def datasets(a: Version, b: Version) -> DatasetsDelta:
    """Which data sets came and went; the same name with another digest is both."""
    stated = [None if version.manifest is None else version.manifest.datasets for version in (a, b)]
    before, after = stated
    if before is None or after is None:
        lacking = " and ".join(side for side, one in zip("ab", stated, strict=True) if one is None)
        why = f"no manifest of {lacking} says what it was trained on"
        return DatasetsDelta(word="unknown", why=why)
    ids_a, ids_b = ({(one.name, one.digest) for one in some} for some in (before, after))
    added = tuple(one for one in after if (one.name, one.digest) not in ids_a)
    removed = tuple(one for one in before if (one.name, one.digest) not in ids_b)
    return DatasetsDelta(word="changed" if added or removed else "same", added=added, removed=removed)

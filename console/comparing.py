"""Two versions side by side: which ones are meant, what differs, and what was measured of both (R72)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from activities.ports import ReleaseStatus
from console import bundles
from console.bundles import Sent
from console.deps import Console
from console.problems import Problem
from countermand.compare.manifest import PARTS
from countermand.compare.measured import Delta, Measured, Side
from countermand.compare.versions import DatasetsDelta, PartDelta, Version, datasets, parts
from countermand.detection.blocks import Arm, Row
from countermand.plan.model import Bundle

SCHEMA = "countermand.comparison/v1"
#: Rows that are read at once, so that a long watch does not keep everybody waiting.
ROWS_AT_ONCE = 2_000

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Served(NamedTuple):
    """Where a version served: which arm of which release."""

    status: ReleaseStatus
    arm: Arm

    @property
    def bundle(self) -> Bundle:
        release = self.status.release
        return release.candidate if self.arm is Arm.candidate else release.baseline

    def __str__(self) -> str:
        return f"{self.status.release.release_id}:{self.arm.value}"


@dataclass(frozen=True)
class Asked:
    """One side as asked for: the version, and every place where it served, the newest first."""

    version: Version
    served: tuple[Served, ...]


@dataclass(frozen=True)
class Comparison:
    """`concurrent`: both were arms of one release; `measured` says in words what the numbers compare."""

    a: Version
    b: Version
    parts: tuple[PartDelta, ...]
    datasets: DatasetsDelta
    concurrent: bool
    measured: str
    served: tuple[str, str] | None
    deltas: tuple[Delta, ...]

    @property
    def changed(self) -> tuple[PartDelta, ...]:
        return tuple(one for one in self.parts if one.word == "changed")


async def compare(deps: Console, a: str | Sent, b: str | Sent) -> Comparison:
    """Compare two versions. A side is `RELEASE:candidate`, `RELEASE:baseline`, a bundle digest, or a manifest with
    contents. Raises Problem."""
    releases = await deps.catalogue.releases()
    one, other = await _asked(deps, releases, a), await _asked(deps, releases, b)
    x, y = await _with_contents(deps, one.version, other.version)
    # Texts of a megabyte keep a processor busy for a while; other people's pages go on meanwhile.
    differing = await asyncio.to_thread(parts, x, y)
    pair, concurrent = _pair(one.served, other.served)
    if pair is None:
        lacking = [version.bundle.name for version, served in ((x, one.served), (y, other.served)) if not served]
        sentence = f"Not measured: no release here served {' or '.join(lacking)}."
        return Comparison(x, y, differing, datasets(x, y), False, sentence, None, ())
    if pair[0] == pair[1]:
        sentence = f"Nothing to compare: both are {pair[0]}."
        return Comparison(x, y, differing, datasets(x, y), False, sentence, None, ())
    deltas = await _measured(deps, *pair, concurrent=concurrent)
    sentence = (
        f"Both served side by side in {pair[0].status.release.release_id}."
        if concurrent
        else f"Not concurrent: {pair[0]} and {pair[1]} served other users at other times, so the difference may come "
        "from them and not from the version."
    )
    names = (str(pair[0]), str(pair[1]))
    return Comparison(x, y, differing, datasets(x, y), concurrent, sentence, names, deltas)


async def _asked(deps: Console, releases: list[ReleaseStatus], side: str | Sent) -> Asked:
    newest_first = [Served(status, arm) for status in reversed(releases) for arm in Arm]
    if not isinstance(side, str):
        manifest, raw = bundles.checked(side).manifest, side.contents
        version = Version(said=f"{manifest.name} (file)", bundle=manifest.bundle, manifest=manifest, contents=raw)
        return Asked(version, tuple(one for one in newest_first if one.bundle.digest == manifest.bundle.digest))
    if _DIGEST.fullmatch(side):
        places = tuple(one for one in newest_first if one.bundle.digest == side)
        bundle = places[0].bundle if places else None
    else:
        release_id, _, arm = side.rpartition(":")
        places = tuple(
            one for one in newest_first if one.status.release.release_id == release_id and one.arm.value == arm
        )
        if not places:
            raise _unknown(side)
        bundle = places[0].bundle
    digest = bundle.digest if bundle else side
    described = (await bundles.found(deps, [digest])).get(digest)
    if bundle is None and described is None:
        raise _unknown(side)
    manifest_of = described.manifest if described else None
    made = bundle or (manifest_of.bundle if manifest_of else None)
    assert made is not None  # noqa: S101  # one of the two is there
    return Asked(Version(said=side, bundle=made, manifest=manifest_of), places)


def _unknown(side: str) -> Problem:
    return Problem(
        404,
        "unknown_version",
        f"{side!r} is no version that is known here",
        "Give RELEASE:candidate, RELEASE:baseline, the digest of a bundle, or a manifest file.",
    )


async def _with_contents(deps: Console, a: Version, b: Version) -> tuple[Version, Version]:
    """Both with the kept bytes of the parts that differ, read together."""
    differ = [part for part in PARTS if getattr(a.bundle, part) != getattr(b.bundle, part)]
    stored = await bundles.found(deps, [a.bundle.digest, b.bundle.digest])
    wanted: list[dict[str, str]] = []
    for version in (a, b):
        kept = stored[version.bundle.digest].stored if version.bundle.digest in stored else ()
        wanted.append({part: getattr(version.bundle, part) for part in differ if part in kept})
    raw = await bundles.contents(deps, {digest for some in wanted for digest in some.values()})
    found = []
    for version, some in zip((a, b), wanted, strict=True):
        read = {part: raw[digest] for part, digest in some.items() if digest in raw}
        found.append(version.model_copy(update={"contents": read | dict(version.contents)}))
    return found[0], found[1]


def _pair(a: tuple[Served, ...], b: tuple[Served, ...]) -> tuple[tuple[Served, Served] | None, bool]:
    """Where to compare them: in the newest release that served both side by side, else where each served last."""
    for one in a:
        for other in b:
            if one.status.release.release_id == other.status.release.release_id and one.arm is not other.arm:
                return (one, other), True
    return ((a[0], b[0]), False) if a and b else (None, False)


async def _measured(deps: Console, a: Served, b: Served, *, concurrent: bool) -> tuple[Delta, ...]:
    sides = [
        Side((await deps.catalogue.playbook(one.status.release.playbook_digest)).detection.signals, one.arm)
        for one in (a, b)
    ]
    found = Measured(*sides, concurrent=concurrent)
    if concurrent:
        async for rows in _rows(deps, a.status.release.release_id):
            found.together(rows)
    else:
        async for rows in _rows(deps, a.status.release.release_id):
            found.apart(rows, "a")
        async for rows in _rows(deps, b.status.release.release_id):
            found.apart(rows, "b")
    return found.deltas()


async def _rows(deps: Console, release_id: str) -> AsyncIterator[list[Row]]:
    """All sealed rows, some at a time."""
    seq = -1
    while rows := await deps.signals.rows(release_id, after_seq=seq, limit=ROWS_AT_ONCE):
        yield rows
        seq = max(row.seq for row in rows if row.late_of is None)


def comparison_json(found: Comparison) -> dict[str, Any]:
    """`countermand.comparison/v1`."""
    return {
        "schema": SCHEMA,
        "a": _version_json(found.a),
        "b": _version_json(found.b),
        "parts": [one.model_dump(mode="json") for one in found.parts],
        "datasets": found.datasets.model_dump(mode="json"),
        "measured": {
            "concurrent": found.concurrent,
            "sentence": found.measured,
            "served": found.served,
            "signals": [one.model_dump(mode="json") for one in found.deltas],
        },
    }


def _version_json(version: Version) -> dict[str, Any]:
    return {
        "said": version.said,
        "name": version.bundle.name,
        "digest": version.bundle.digest,
        "manifest_digest": version.manifest.digest if version.manifest else None,
    }

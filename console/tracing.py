"""From an output to the version that made it, and to what that version was trained on (R70)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.ports import ReleaseStatus
from adapters.bundles import Described
from adapters.outputs import KeptLabel, SqlOutputs
from console import bundles
from console.deps import Console
from console.problems import Problem
from countermand.canonical import instant
from countermand.compare.manifest import PARTS
from countermand.compare.readings import said_label
from countermand.detection.blocks import Arm, Row
from countermand.detection.sealing import LATE_HORIZON
from countermand.plan.model import Bundle
from countermand.playbook.model import Detection

SCHEMA = "countermand.output_trace/v1"
MAX_ID = 200
#: What intake keeps of an output, and what it does not.
NOT_KEPT = (
    "Kept of an output: its id, release, arm, time, label, and the groups that a fairness signal compares. "
    "Not kept: its text. Sums that a source counted itself hold no ids and cannot be traced."
)

_ID = re.compile(rf"[^\x00-\x1f\x7f]{{1,{MAX_ID}}}")


@dataclass(frozen=True)
class Label:
    """One label and the sealed block it was counted in; without one, `why` says why not."""

    kept: KeptLabel
    said: str
    seq: int | None
    digest: str | None
    word: str | None
    why: str


@dataclass(frozen=True)
class Origin:
    """The version that made the output, by what its source said. `described` None: nobody put a manifest."""

    release_id: str
    environment: str
    arm: Arm
    bundle: Bundle
    described: Described | None


@dataclass(frozen=True)
class Trace:
    """Everything that is known about one output."""

    output_id: str
    origins: tuple[Origin, ...]
    labels: tuple[Label, ...]


async def trace(deps: Console, output_id: str) -> Trace:
    """Raises Problem for what is no id, and for an output that no source ever labelled."""
    if not _ID.fullmatch(output_id):
        raise Problem(
            422,
            "not_an_id",
            f"{output_id[:40]!r} ({len(output_id):,} characters) is no id of an output",
            f"Up to {MAX_ID} characters without line breaks or control characters.",
        )
    kept = await SqlOutputs(deps.database).labels(output_id)
    if not kept:
        raise Problem(
            404,
            "unknown_output",
            f"no source labelled an output {output_id!r}",
            "Give the id as the source sent it, with or without `/SIGNAL` at its end.",
        )
    releases: dict[str, ReleaseStatus] = {}
    for release_id in sorted({one.release_id for one in kept}):
        if (status := await deps.catalogue.release(release_id)) is not None:
            releases[release_id] = status
    served = sorted({(one.release_id, one.arm) for one in kept if one.release_id in releases})
    bundle_of = {
        (release_id, arm): releases[release_id].release.candidate
        if arm is Arm.candidate
        else releases[release_id].release.baseline
        for release_id, arm in served
    }
    described = await bundles.found(deps, [bundle.digest for bundle in bundle_of.values()])
    origins = tuple(
        Origin(
            release_id,
            releases[release_id].release.environment,
            arm,
            bundle_of[release_id, arm],
            described.get(bundle_of[release_id, arm].digest),
        )
        for release_id, arm in served
    )
    return Trace(output_id, origins, await _labels(deps, kept, releases))


async def _labels(deps: Console, kept: list[KeptLabel], releases: dict[str, ReleaseStatus]) -> tuple[Label, ...]:
    blocks: dict[tuple[str, int, bool], tuple[Row | None, str | None]] = {}
    found = []
    for one in kept:
        status = releases[one.release_id]
        detection = (await deps.catalogue.playbook(status.release.playbook_digest)).detection
        said = said_label(detection.signals[one.signal], one.value)
        seq = _seq(one.at, status, detection)
        if seq < 0:
            found.append(Label(one, said, None, None, None, "it is older than the release: in no block"))
            continue
        place = one.release_id, seq, one.late
        if place not in blocks:
            blocks[place] = await _block(deps, *place)
        row, word = blocks[place]
        if row is None:
            when = (
                f"it came late: its row closes with block {seq + LATE_HORIZON}"
                if one.late
                else "its block is not sealed yet"
            )
            found.append(Label(one, said, seq, None, None, when))
        else:
            found.append(Label(one, said, seq, row.digest, word, ""))
    return tuple(found)


def _seq(at: datetime, status: ReleaseStatus, detection: Detection) -> int:
    return (at - status.watched_from) // detection.block


async def _block(deps: Console, release_id: str, seq: int, late: bool) -> tuple[Row | None, str | None]:
    """The sealed row that holds a label, and what the watch said after it."""
    judged_at = seq + LATE_HORIZON if late else seq
    rows = await deps.signals.rows(release_id, after_seq=judged_at - 1, limit=1)
    row = next((row for row in rows if row.seq == seq and (row.late_of is not None) == late), None)
    if row is None:
        return None, None
    judged = await deps.signals.evaluations(release_id, after_seq=judged_at - 1, limit=1)
    return row, str(judged[0][1]["word"]) if judged and judged[0][0] == judged_at else None


def trace_json(found: Trace) -> dict[str, Any]:
    """`countermand.output_trace/v1`; what nobody stated is the word `unknown`."""
    return {
        "schema": SCHEMA,
        "output_id": found.output_id,
        "origins": [_origin_json(one) for one in found.origins],
        "labels": [
            {
                "observation_id": one.kept.observation_id,
                "source": one.kept.source,
                "release_id": one.kept.release_id,
                "arm": one.kept.arm.value,
                "signal": one.kept.signal,
                "at": instant(one.kept.at),
                "label": one.said,
                "groups": list(one.kept.groups),
                "late": one.kept.late,
                "block": None if one.digest is None else {"seq": one.seq, "digest": one.digest, "verdict": one.word},
                "why_no_block": one.why,
            }
            for one in found.labels
        ],
        "not_kept": NOT_KEPT,
    }


def _origin_json(one: Origin) -> dict[str, Any]:
    manifest = one.described.manifest if one.described else None
    stated = None if manifest is None or manifest.datasets is None else manifest.datasets
    return {
        "release_id": one.release_id,
        "environment": one.environment,
        "arm": one.arm.value,
        "bundle": {"name": one.bundle.name, "digest": one.bundle.digest},
        "parts": {part: getattr(one.bundle, part) for part in PARTS},
        "manifest_digest": one.described.manifest_digest if one.described else "unknown",
        "described_by": one.described.by if one.described else "unknown",
        "datasets": "unknown" if stated is None else [dataset.model_dump(mode="json") for dataset in stated],
    }

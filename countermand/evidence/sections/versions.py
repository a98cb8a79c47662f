"""`versions/`: what served before and after, part by part, and whether users could be sent there."""

from __future__ import annotations

import json
from typing import Any

from countermand.canonical import instant
from countermand.evidence.material import Material
from countermand.evidence.sections.writing import Section, present, pretty
from countermand.ledger.record import Kind, Record

#: Records that say whether a version may serve.
_ELIGIBILITY = ("version.", "quarantine.", "destination.checked", "requarantine.breach", "release.refused")


def versions(material: Material) -> Section:
    """`before.json` and `after.json`: one entry per plan."""
    before, after = [], []
    for record in material.of(Kind.plan.value):
        plan = record.body["plan"]
        shares = [one for one in material.of(Kind.stage_outcome.value) if one.incident_id == record.incident_id]
        read = [one.body["after"] for one in shares if one.body["after"] and one.body["member"] is None]
        base = {"incident_id": record.incident_id, "release_id": record.release_id, "plan_seq": record.seq}
        differs = sorted(
            part
            for part in plan["candidate"]
            if part != "name" and plan["candidate"][part] != plan["baseline"].get(part)
        )
        before.append(
            base
            | {
                "split": plan["before"],
                "revision": plan["before_revision"],
                "candidate": _bundle(material, plan["candidate"]),
                "baseline": _bundle(material, plan["baseline"]),
                "parts_that_differ": differs,
            }
        )
        after.append(
            base
            | {
                "split": read[-1]["split"] if read else None,
                "revision": read[-1]["revision"] if read else None,
                "went_back_to": _bundle(material, plan["baseline"]),
                "readiness": plan["readiness"],
                "eligibility": [_eligibility(one) for one in material.of(*_ELIGIBILITY)],
            }
        )
    none = "no plan was made in this scope, so nothing went from one version to another"
    return present(
        {
            "versions/before.json": pretty(before) if before else b"",
            "versions/after.json": pretty(after) if after else b"",
        },
        {"versions/before.json": none, "versions/after.json": none},
    )


def _bundle(material: Material, bundle: dict[str, Any]) -> dict[str, Any]:
    """The bundle by part digests, with its manifest where somebody described it."""
    described = [
        one
        for one in material.of(Kind.bundle_described.value)
        if one.body["name"] == bundle["name"] and one.body["manifest_digest"] in material.blobs
    ]
    manifest = None
    if described:
        manifest = json.loads(material.blobs[described[-1].body["manifest_digest"]].content)
    return {"digests": bundle, "manifest": manifest}


def _eligibility(record: Record) -> dict[str, Any]:
    return {"seq": record.seq, "at": instant(record.at), "kind": record.kind.value, **record.body}

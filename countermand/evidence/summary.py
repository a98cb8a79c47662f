"""What `SUMMARY.html` and `SUMMARY.pdf` say, as data: one page or three that a person reads before any file.

The PDF carries this value as its source, so that nobody has to take its layout on trust (CON-26).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from countermand.canonical import instant, parse_instant
from countermand.evidence.material import Material
from countermand.evidence.population import population
from countermand.evidence.sections.deviation import deviation
from countermand.evidence.sections.planned import unanswered
from countermand.ledger.record import Kind, Record
from countermand.messages.facts import in_words, utc
from countermand.playbook.units import format_percent

FORMAT = "countermand.summary/v1"
#: Kinds that a reader of one page wants to see; everything else stands in timeline.jsonl.
_MAIN = (
    "release.registered", "incident.", "verdict", "freeze.completed", "freeze.incomplete", "freeze.failed", "plan",
    "ask.opened", "ask.closed", "ask.defaulted", "glass.broken", "decision.refused", "stage.outcome", "rollout.ended",
    "review.", "action.", "obligation.", "purge.certificate", "hold.", "erasure.", "requarantine.breach",
)  # fmt: skip
#: At most so many lines of a list stand in the summary; what is left out is counted.
_MOST = 60
_WORDS = (
    {"word": "rejected", "means": "Something in the pack does not agree with something else in it. Do not rely on it."},
    {
        "word": "internally consistent",
        "means": "Everything agrees with the keys that came with the pack. It does not show that the key holder did "
        "not rewrite or cut everything.",
    },
    {
        "word": "anchored",
        "means": "The key is the one that you hold yourself, and a checkpoint that you got elsewhere, or a timestamp "
        "of an authority of yours, fits. It says nothing about what came after that size.",
    },
    {
        "word": "witnessed",
        "means": "Anchored, and witnesses whose keys you hold saw the record only grow. It does not exclude that the "
        "log and those witnesses act together.",
    },
)


def summary(
    material: Material, *, origin: str, tree_size: int, root: str, missing: Mapping[str, str]
) -> dict[str, Any]:
    """The facts of the summary. Instants are text; lists are in the order of their records."""
    events = _events(material)
    return {
        "format": FORMAT,
        "title": _title(material),
        "scope": material.scope.model_dump(mode="json"),
        "profile": material.profile,
        "origin": origin,
        "tree_size": tree_size,
        "root": root,
        "as_of": utc(material.records[-1].at),
        "records": len(material.records),
        "paragraph": _paragraph(material),
        "events": [_event(material, record) for record in events[:_MOST]],
        "events_left_out": max(0, len(events) - _MOST),
        "signatures": [_signature(record) for record in material.of(Kind.decision.value)],
        "stages": [_stages(material, incident_id) for incident_id in material.incidents],
        "versions": _versions(material),
        "messages": _messages(material),
        "clocks": [_event(material, one) for one in material.of("obligation.")][:_MOST],
        "data": [_event(material, one) for one in material.of("purge.", "hold.", "erasure.")][:_MOST],
        "unanswered": [_event(material, record) for record in unanswered(material)],
        "population": _population(material),
        "missing": _missing(missing),
        "verdicts": list(_WORDS),
    }


def _title(material: Material) -> str:
    if material.scope.incident_id is not None:
        return f"Incident {material.scope.incident_id}"
    if material.since is None or material.until is None:
        return f"Records {material.scope.first_seq} to {material.scope.last_seq}"
    return f"{material.since:%d %B %Y} to {material.until:%d %B %Y}"


def _paragraph(material: Material) -> str:
    """What happened, as a person would say it."""
    opened = material.of(Kind.incident_opened.value)
    if not opened:
        return f"No incident was opened. {len(material.in_range)} records were made."
    if material.scope.kind == "incident":
        return " ".join(_story(material, opened[0]))
    found = population(material.in_range)
    ended = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in found.outcomes.items())
    return f"{len(opened)} incidents were opened. Of {len(found.cases)} cases in all: {ended}."


def _story(material: Material, opened: Record) -> list[str]:
    body = opened.body
    said = [
        f"On {utc(opened.at)} an incident ({body['severity']}) was opened for {body['service']} in "
        f"{body['environment']}: {body['candidate_name']} was in front of users beside {body['baseline_name']}.",
        body["sentence"],
    ]
    votes = [one for one in material.of(Kind.ask_vote.value) if one.body["vote"] == "approve"]
    if votes:
        names = " and ".join(dict.fromkeys(one.body["name"] for one in votes))
        said.append(f"{names} approved the rollback.")
    closed = material.of(Kind.incident_closed.value)
    if closed:
        span = in_words(closed[-1].at - opened.at)
        outcome = closed[-1].body["outcome"].replace("_", " ")
        said.append(f"It was closed after {span} as {outcome}: {closed[-1].body['sentence']}")
    else:
        said.append("It was still open when this pack was made.")
    return said


def _events(material: Material) -> list[Record]:
    """Main events; a verdict that only repeats what was said before is left out."""
    found, said = [], set()
    for record in material.of(*_MAIN):
        if record.kind is Kind.incident_phase:
            continue
        sentence = record.body.get("sentence")
        if record.kind is Kind.verdict and sentence in said:
            continue
        said.add(sentence)
        found.append(record)
    return found


def _event(material: Material, record: Record) -> dict[str, Any]:
    return {
        "seq": record.seq,
        "at": utc(record.at),
        "kind": record.kind.value,
        "actor": record.actor,
        "said": material.said[record.seq],
    }


def _signature(record: Record) -> dict[str, Any]:
    """A signature block in full: 21 CFR 11.50 asks for name, time and meaning (CON-27)."""
    decision = record.body["decision"]
    actor = decision["actor"]
    return {
        "seq": record.seq,
        "name": actor["printed_name"],
        "subject": actor["subject"],
        "roles": actor["roles"],
        "role_source": actor["role_source"],
        "role_as_of": _spoken(actor["role_as_of"]),
        "delegated_by": actor.get("delegated_by"),
        "act": decision["kind"],
        "meaning": decision.get("signature_meaning"),
        "signature_class": decision.get("signature_class", "standard"),
        "decided_at": _spoken(decision["decided_at"]),
        "recorded_at": utc(record.at),
        "digest": decision["approval_digest"],
        "view": decision["view_sha256"],
        "channel": decision["channel"],
        "key_id": decision["gateway_key_id"],
        "reason": decision["reason"],
    }


def _spoken(at: object) -> str:
    return utc(at if isinstance(at, datetime) else parse_instant(str(at)))


def _stages(material: Material, incident_id: str) -> dict[str, Any]:
    found = deviation(material, incident_id)
    return {
        "incident_id": incident_id,
        "sentence": found.get("sentence", "No plan was made."),
        "stages": [
            {
                "number": stage["stage"],
                "planned": format_percent(stage["planned_candidate_bp"]),
                "read_back": _share(stage["executed"]),
                "at": utc(parse_instant(stage["executed"]["at"])) if stage["executed"] else "not carried out",
                "result": stage["executed"]["result"] if stage["executed"] else "not carried out",
            }
            for stage in found.get("stages", ())
        ],
        "differences": found.get("differences", []),
    }


def _share(executed: dict[str, Any] | None) -> str:
    if executed is None:
        return "–"
    share = executed["read_back_candidate_bp"]
    return "unknown" if share is None else format_percent(share)


def _versions(material: Material) -> list[dict[str, Any]]:
    found = []
    for record in material.of(Kind.plan.value):
        plan = record.body["plan"]
        parts = [
            {"part": part, "candidate": digest, "baseline": plan["baseline"][part]}
            for part, digest in sorted(plan["candidate"].items())
            if part != "name" and digest != plan["baseline"][part]
        ]
        found.append(
            {
                "incident_id": record.incident_id,
                "candidate": plan["candidate"]["name"],
                "baseline": plan["baseline"]["name"],
                "parts": parts,
            }
        )
    return found[-_MOST:]


def _messages(material: Material) -> list[dict[str, str]]:
    """One line per audience: how many messages, the first and the last."""
    told: dict[str, list[Record]] = {}
    for record in material.of(Kind.comms_sent.value):
        told.setdefault(record.body["audience"], []).append(record)
    return [
        {"audience": audience, "count": str(len(sent)), "first": utc(sent[0].at), "last": utc(sent[-1].at)}
        for audience, sent in sorted(told.items())
    ]


def _missing(missing: Mapping[str, str]) -> list[dict[str, str]]:
    """One line per path; files of one folder that miss for one reason share theirs."""
    shared: dict[tuple[str, str], list[str]] = {}
    for path in sorted(missing):
        folder, _, name = path.rpartition("/")
        digest = len(name.partition(".")[0]) == 64
        shared.setdefault((f"{folder}/" if digest else path, missing[path]), []).append(path)
    return [
        {"path": f"{place} ({len(paths)} files)" if place.endswith("/") else place, "reason": reason}
        for (place, reason), paths in shared.items()
    ]


def _population(material: Material) -> dict[str, Any] | None:
    if material.scope.kind == "incident":
        return None
    found = population(material.in_range)
    return {
        "cases": [
            {"at": utc(case.at), "what": case.what, "outcome": case.outcome, "id": case.incident_id or case.release_id}
            for case in found.cases[:_MOST]
        ],
        "left_out": max(0, len(found.cases) - _MOST),
        "first_seq": found.first_seq,
        "last_seq": found.last_seq,
        "gaps": [list(gap) for gap in found.gaps],
        "outcomes": found.outcomes,
        "reconciliation": material.reconciliation,
        "as_of": instant(material.records[-1].at),
    }

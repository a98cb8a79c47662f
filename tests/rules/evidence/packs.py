"""Packs of a made ledger, complete with their seal."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal

from countermand.canonical import canonical
from countermand.evidence import instructions, manifest, seal, sign
from countermand.evidence.material import Material, redacted
from countermand.evidence.sections.counted import counted
from countermand.evidence.sections.decided import decisions
from countermand.evidence.sections.planned import plans
from countermand.evidence.sections.told import timeline
from countermand.evidence.sections.writing import Section
from countermand.evidence.verify import SECTIONS, Anchors, Report, allowed_signers, commitments, verify
from countermand.ledger import tree
from countermand.ledger.note import Checkpoint, signed_checkpoint, vkey
from countermand.ledger.record import parse_line
from tests.rules.evidence.ledgers import INCIDENT, ORIGIN, Book, Key

NOW = 1_800_000_000.0
WITNESS = "witness.example/w1"


def nodes(lines: Sequence[str]) -> tree.Node:
    made = tree.complete_nodes(0, [tree.leaf_hash(line.encode()) for line in lines], lambda *_: b"")
    return lambda level, index: made[level, index]


def checkpoint(book: Book, size: int, key: Key | None = None) -> Checkpoint:
    return signed_checkpoint(ORIGIN, size, tree.root(size, nodes(book.lines[:size])), key or book.log)


def cosignature(point: Checkpoint, witness: Key, at: int = int(NOW) - 60, name: str = WITNESS) -> str:
    """A line of c2sp.org/tlog-cosignature under this key."""
    signature = witness.sign(f"cosignature/v1\ntime {at}\n{point.text}".encode())
    number = base64.b64decode(witness_vkey(witness, name).split("+", 2)[2])
    payload = _number(name, number) + at.to_bytes(8, "big") + signature
    return f"— {name} {base64.b64encode(payload).decode()}"


def witness_vkey(witness: Key, name: str = WITNESS) -> str:
    raw = b"\x04" + witness.public
    return f"{name}+{_number(name, raw).hex()}+{base64.b64encode(raw).decode()}"


def _number(name: str, raw: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]


def told(book: Book, scope: manifest.Scope, seqs: Sequence[int], profile: manifest.Profile) -> Section:
    """The sections that a verifier compares with the records; all others are not there, and the reason says so."""
    records = [redacted(parse_line(book.lines[seq])) for seq in seqs]
    material = Material(scope, profile, records, dict.fromkeys(seqs, "what happened"))
    made = [make(material) for make in (timeline, decisions, plans, counted)]
    files = {path: raw for one in made for path, raw in one.files.items()}
    missing = {path: why for one in made for path, why in one.missing.items()}
    for name in SECTIONS:
        if not any(path == name or path.startswith(f"{name}/") or name.startswith(f"{path}/") for path in files):
            missing.setdefault(name, "not made here")
    return Section(files, missing)


def listed(
    book: Book, size: int, scope: manifest.Scope, seqs: Sequence[int], profile: manifest.Profile
) -> tuple[dict[str, bytes], list[manifest.NotApplicable]]:
    """What the manifest lists, without the words about verification; and what it says is not there."""
    records = [json.loads(book.lines[seq]) for seq in seqs]
    sections = told(book, scope, seqs, profile)
    leaves = b"".join(tree.leaf_hash(line.encode()) for line in book.lines[:size])
    files = {
        **sections.files,
        "SUMMARY.html": b"<p>One rollback.</p>\n",
        "ledger/records.jsonl": "".join(f"{book.lines[seq]}\n" for seq in seqs).encode(),
        "ledger/leaf_hashes.bin": leaves,
        "ledger/checkpoint": checkpoint(book, size).note.encode(),
        "reveals.jsonl": b"".join(canonical(one) + b"\n" for one in reveals(book, records, profile)),
    }
    for record in records:
        if record["kind"].startswith("key.") and record["body"]["purpose"] == "gateway":
            public = base64.b64decode(record["body"]["public"])
            files[f"keys/gateway-{record['body']['key_id']}.pub.pem"] = sign.public_pem(public)
        if record["kind"] == "decision":
            said = dict(record["body"]["decision"])
            files[f"decisions/{record['seq']}.sig"] = base64.b64decode(said.pop("signature"))
            files[f"decisions/{record['seq']}.json"] = canonical(said)
    sections.missing.pop("SUMMARY.html")
    absent = [manifest.NotApplicable(path=path, reason=why) for path, why in sorted(sections.missing.items())]
    return files | sign.public_files(book.log, ORIGIN), absent


def reveals(book: Book, records: Sequence[dict[str, Any]], profile: str) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for record in records:
        for pointer, _ in sorted(commitments(record["body"])):
            place = {"seq": record["seq"], "pointer": pointer}
            salt, value = book.openings[record["seq"], pointer]
            if (record["seq"], pointer) in book.erased:
                lines.append(place | {"omitted": "erased"})
            elif profile == "redacted":
                lines.append(place | {"omitted": "redacted"})
            else:
                lines.append(place | {"salt": salt, "value": value})
    return lines


def a_pack(
    book: Book,
    kind: Literal["incident", "period"] = "period",
    profile: manifest.Profile = "full",
    witnesses: Sequence[Key] = (),
    cosigned_at: int = int(NOW) - 60,
    key: Key | None = None,
) -> dict[str, bytes]:
    """The files of a sealed pack over the whole of a ledger, or its incident. key: signs instead of the ledger's."""
    size, log = book.seq, key or book.log
    shown = list(range(size))
    if kind == "incident":
        shown = [seq for seq in shown if _belongs(json.loads(book.lines[seq]))]
    scope = manifest.Scope(
        kind=kind, incident_id=INCIDENT if kind == "incident" else None, first_seq=shown[0], last_seq=shown[-1]
    )
    point, line = checkpoint(book, size), vkey(ORIGIN, log.public)
    files, absent = listed(book, size, scope, shown, profile)
    files |= instructions.shipped(scope, point, line)
    files["keys/ledger.allowed_signers"] = allowed_signers(ORIGIN, log.public)
    files |= sign.public_files(log, ORIGIN)
    raw = manifest.build(files, scope=scope, profile=profile, checkpoint=point, log_vkey=line, not_applicable=absent)
    return finished(book, files, raw, log, witnesses, cosigned_at)


def finished(
    book: Book, files: dict[str, bytes], raw: bytes, log: Key, witnesses: Sequence[Key] = (), at: int = int(NOW) - 60
) -> dict[str, bytes]:
    """The listed files with their manifest, its signatures, and a seal in a copy of the ledger."""
    said = json.loads(raw)
    later = Book()
    later.lines, later.log = list(book.lines), log
    later.at = book.at
    later.add(
        "evidence.sealed",
        {name: said[name] for name in ("scope", "profile", "tree_size", "root")}
        | {"manifest_sha256": hashlib.sha256(raw).hexdigest()},
    )
    index = later.seq - 1
    later.add("comms.sent", {"step": "later"})
    node, point = nodes(later.lines), checkpoint(later, later.seq, log)
    sealed = seal.build(
        later.lines[index],
        index,
        point,
        tree.inclusion(index, point.size, node),
        tree.consistency(said["tree_size"], point.size, node),
        [cosignature(point, witness, at) for witness in witnesses],
        None,
        log,
    )
    return files | {"manifest.json": raw} | sign.signatures(raw, log, ORIGIN) | sealed


def _belongs(record: dict[str, Any]) -> bool:
    rests_on = record["kind"].startswith(("genesis", "key.", "hold.", "erasure."))
    return record["incident_id"] == INCIDENT or rests_on


def judged(files: dict[str, bytes], **anchors: Any) -> Report:
    return verify(files, Anchors(**anchors), NOW)

#!/usr/bin/env python3
"""Verify an evidence pack of Countermand: `python3 -I verify.py <pack.zip | folder>`. Python 3.11, nothing else.

One file on purpose, longer than any other of the project: whoever checks a pack reads this and needs nothing of ours.
It opens no network connection and runs no code of the pack. The order is the order of trust:

  1. container     the ZIP is exactly what its files make; paths are safe; sizes are bounded
  2. manifest      every file is listed with its digest, and nothing else is there
  3. signatures    the manifest under the ledger key, in four forms that other people's tools read
  4. records       canonical lines, `seq`, `prev`; every line is a leaf of the tree; the root is the checkpoint's
  5. keys          how each key came into the record, and how it was replaced
  6. seal          the record of the sealing is in a later tree that contains the first; cosignatures; timestamp
  7. decisions     what each person signed; what opens the commitments that stand in place of free text
  8. sections      each is here or says why not; those that are made of records say what the records say
  9. governance    was every effect approved, in time, by enough different people?

1 to 8 are integrity: the first thing that is wrong ends the run with `rejected`. 9 judges an intact pack.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import re
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

FORMAT = "countermand.evidence/v1"
RECORD = "countermand.record/v1"
PREDICATE_TYPE = "https://countermand.dev/evidence/v1"
SSH_NAMESPACE = "countermand-evidence"
COMMIT_DOMAIN = b"countermand/commit/v1\n"

REJECTED, CONSISTENT, ANCHORED, WITNESSED = "rejected", "internally consistent", "anchored", "witnessed"
WORDS = (REJECTED, CONSISTENT, ANCHORED, WITNESSED)
DOES_NOT_SHOW = {
    CONSISTENT: "that the key holder did not rewrite or cut everything",
    ANCHORED: "anything after the anchored size",
    WITNESSED: "collusion of log and witnesses; anything after the cosigned size",
}
OK, EXIT_REJECTED, EXIT_USAGE, EXIT_WEAKER, EXIT_FINDINGS = range(5)

MAX_PACK = 2**30
MAX_FILES = 20_000
MAX_LINE = 64 * 1024
#: Ahead of the reviewer's clock a witness may be by this much.
CLOCK_SKEW = 300

#: Files that the manifest cannot list, because they speak about it.
BESIDE = ("attestation.sigstore.json", "manifest.json", "manifest.json.sig", "manifest.json.sshsig", "manifest.sha256")
REQUIRED = (
    "VERIFY.md", "verify.py", "verify.sh", "reveals.jsonl", "keys/log.vkey", "keys/ledger.pub.pem",
    "keys/ledger.allowed_signers", "ledger/records.jsonl", "ledger/leaf_hashes.bin", "ledger/checkpoint",
)  # fmt: skip
#: Every pack has these files and folders, or its manifest says why not.
SECTIONS = (
    "SUMMARY.html", "SUMMARY.pdf", "timeline.jsonl", "timeline.csv", "decisions.jsonl", "decisions", "views",
    "plan/requested.json", "plan/approved.json", "plan/executed.json", "plan/deviation.json",
    "versions/before.json", "versions/after.json", "signals/fired.json", "signals/blocks.jsonl",
    "signals/thresholds_in_force.json", "signals/threshold_history.jsonl", "signals/backtests",
    "freeze/inventory.json", "freeze/items", "verification/configured.jsonl", "verification/observed.jsonl",
    "verification/healthy.jsonl", "integrity/counts.jsonl", "integrity/checksums.jsonl", "integrity/other.jsonl",
    "integrity/migrations", "data/retained.jsonl", "data/purge_certificates.jsonl", "data/holds.jsonl",
    "data/erasures.jsonl", "comms/sent", "comms/receipts.jsonl", "comms/reached.json", "obligations/clocks.jsonl",
    "obligations/regime_decisions.jsonl", "obligations/filings.jsonl", "review", "rehearsal/last.json",
    "population/all_rollbacks.csv", "population/gaps.json", "population/target_reconciliation.json",
    "control_map.json",
)  # fmt: skip
SEAL = (
    "seal/record.json", "seal/record.json.tlog-proof", "seal/record.json.spicy", "seal/checkpoint",
    "seal/checkpoint.log", "seal/consistency.json", "seal/index.json", "seal/index.json.sig",
)  # fmt: skip
TIMESTAMP = "seal/checkpoint.log.tsr"
RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\r")


class Bad(Exception):
    """The first thing that is wrong: in which file, at which record, at which place of it."""

    def __init__(self, file: str, sentence: str, seq: int | None = None, pointer: str | None = None) -> None:
        super().__init__(sentence)
        self.file, self.sentence, self.seq, self.pointer = file, sentence, seq, pointer

    def __str__(self) -> str:
        place = self.file
        if self.seq is not None:
            place += f", record {self.seq}"
        if self.pointer:
            place += f", {self.pointer}"
        return f"{place}: {self.sentence}"


class Usage(Exception):
    """What the reviewer gave cannot be used."""


# --- Ed25519 (RFC 8032), verification only ---------------------------------------------------------------------------
# Strict: s < L, canonical encodings, no public key of small order, no cofactor. Points are (X, Y, Z, T), T = XY/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]
Table = list[list[Point]]
NEUTRAL: Point = (0, 1, 1, 0)


def add(a: Point, b: Point) -> Point:
    """The sum of two points (Hisil et al. 2008, §3.1); complete, so that doubling needs no rule of its own."""
    m = (a[1] - a[0]) * (b[1] - b[0]) % P
    n = (a[1] + a[0]) * (b[1] + b[0]) % P
    t = 2 * D * a[3] * b[3] % P
    z = 2 * a[2] * b[2] % P
    e, f, g, h = n - m, z - t, z + t, n + m
    return e * f % P, g * h % P, f * g % P, e * h % P


def point(encoded: bytes) -> Point:
    """Raises ValueError unless these are the canonical 32 bytes of a point of the curve."""
    if len(encoded) != 32:
        raise ValueError(f"{len(encoded)} bytes are no point; 32 are")
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (1 << 255) - 1
    if y >= P:
        raise ValueError("the point is not in canonical form")
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x * x % P != u or (x == 0 and sign):
        raise ValueError("this is no point of the curve")
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def encoding(a: Point) -> bytes:
    """32 bytes."""
    inverse = pow(a[2], -1, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def table(a: Point) -> Table:
    """0 to 15 times a, then the same for 16 a, 256 a …: multiplying by 253 bits is then 64 additions."""
    rows = []
    for _ in range(64):
        row = [NEUTRAL]
        for _ in range(15):
            row.append(add(row[-1], a))
        rows.append(row)
        a = add(row[-1], a)
    return rows


def times(rows: Table, number: int) -> Point:
    """`number` times the point of this table."""
    total = NEUTRAL
    for row in rows:
        if digit := number & 15:
            total = add(total, row[digit])
        number >>= 4
    return total


BASE = table(point((4 * pow(5, -1, P) % P).to_bytes(32, "little")))
_TABLES: dict[bytes, Table] = {}


def key_table(public: bytes) -> Table:
    """Multiples of minus the public key. Raises ValueError for what is no key, and for one of small order."""
    if public not in _TABLES:
        x, y, z, t = point(public)
        minus = (P - x, y, z, P - t)
        eight = minus
        for _ in range(3):
            eight = add(eight, eight)
        if eight[0] % P == 0 and (eight[1] - eight[2]) % P == 0:
            raise ValueError("a public key of small order fits any message")
        _TABLES[public] = table(minus)
    return _TABLES[public]


def signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of this key signed this message."""
    if len(signature) != 64:
        return False
    try:
        rows = key_table(public)
    except ValueError:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    return encoding(add(times(BASE, s), times(rows, k))) == r


# --- Bytes, JSON, base64 ---------------------------------------------------------------------------------------------

KEY = re.compile(r"[a-z0-9_]+")
HEX = re.compile(r"[0-9a-f]{64}")
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def sha256(raw: bytes) -> str:
    """64 hex digits."""
    return hashlib.sha256(raw).hexdigest()


def canonical(value: Any) -> bytes:
    """RFC 8785 within the profile of the pack: ASCII keys, no floats, integers below 2**53."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def canonical_json(raw: bytes, file: str, seq: int | None = None) -> Any:
    """The value whose canonical bytes these are. Raises Bad for any other bytes."""
    try:
        value = json.loads(raw.decode())
        profile(value)
        again = canonical(value)
    except (ValueError, RecursionError) as error:
        raise Bad(file, f"this is not canonical JSON ({error})", seq) from None
    if again != raw:
        raise Bad(file, "the line is not in canonical form", seq)
    return value


def profile(value: Any) -> None:
    """Raises ValueError for what has no canonical form here."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not KEY.fullmatch(name):
                raise ValueError(f"key {name!r} does not match [a-z0-9_]+")
            profile(item)
    elif isinstance(value, list):
        for item in value:
            profile(item)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) >= 2**53):
        raise ValueError(f"{value!r} is a float or too large")


def b64(text: str) -> bytes:
    """Raises ValueError unless this is the one standard base64 form of some bytes."""
    raw = base64.b64decode(text, validate=True)
    if base64.b64encode(raw).decode() != text:
        raise ValueError(f"{text!r} is not canonical base64")
    return raw


def shaped(value: Any, kind: type, file: str, pointer: str, seq: int | None = None) -> Any:
    """The value, if it is of this kind. Raises Bad otherwise."""
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Bad(file, f"{value!r} stands where a {kind.__name__} is needed", seq, pointer)
    return value


def part(value: Any, name: str, kind: type, file: str, seq: int | None = None, inside: str = "") -> Any:
    """The part `name` of an object. Raises Bad when it is missing or of another kind."""
    return shaped(shaped(value, dict, file, inside or "/", seq).get(name), kind, file, f"{inside}/{name}", seq)


def text_of(raw: bytes, file: str) -> str:
    """UTF-8 text. Raises Bad otherwise."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Bad(file, "this is not UTF-8 text") from None


def lines_of(raw: bytes, file: str) -> list[bytes]:
    """The lines of a `.jsonl` file, without their newlines. Raises Bad unless the last one ends with one too."""
    if raw and not raw.endswith(b"\n"):
        raise Bad(file, "the last line is cut off", raw.count(b"\n"))
    return raw.split(b"\n")[:-1]


# --- 1. Container ----------------------------------------------------------------------------------------------------

LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
#: Version 2.0, no flags, stored, 1980-01-01 00:00.
FIXED = struct.pack("<HHHHH", 20, 0, 0, 0, 0x21)
MADE_BY_UNIX = struct.pack("<H", 3 << 8 | 20)
PLAIN_FILE = (stat.S_IFREG | 0o644) << 16


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """The one ZIP that holds these files: sorted, stored, fixed times and modes.

    Raises ValueError for what needs the 64-bit form (65,535 files or 4 GiB).
    """
    body, directory = bytearray(), bytearray()
    for path in sorted(files):
        name, raw = path.encode("ascii"), files[path]
        facts = FIXED + struct.pack("<IIIHH", zlib.crc32(raw), len(raw), len(raw), len(name), 0)
        directory += CENTRAL + MADE_BY_UNIX + facts + struct.pack("<HHHII", 0, 0, 0, PLAIN_FILE, len(body)) + name
        body += LOCAL + facts + name + raw
    if len(files) > 0xFFFE or len(body) + len(directory) > 0xFFFFFFFE:
        raise ValueError(f"{len(files)} files with {len(body)} bytes; below 65,535 files and 4 GiB are accepted")
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + END + end)


def unzip(raw: bytes) -> dict[str, bytes]:
    """The files of the container. Raises Bad unless `zip_bytes` makes exactly these bytes of them."""
    files: dict[str, bytes] = {}
    at, name = 0, "the container"
    while raw.startswith(LOCAL, at):
        header = raw[at + 4 : at + 30]
        if len(header) < 26 or not header.startswith(FIXED):
            raise Bad("the container", f"the entry after {name!r} is not a plainly stored file")
        size, stored, length, extra = struct.unpack("<IIHH", header[14:26])
        begin = at + 30 + length
        name = raw[at + 30 : begin].decode("ascii", "backslashreplace")
        if size != stored or extra or begin + size > len(raw):
            raise Bad(name, "its size in the container is wrong")
        if name in files:
            raise Bad(name, "it is in the container twice")
        files[name] = raw[begin : begin + size]
        at = begin + size
        if len(files) > MAX_FILES:
            raise Bad("the container", f"more than {MAX_FILES} files")
    safe_paths(files)
    again = zip_bytes(files)
    if again != raw:
        raise Bad(*difference(again, raw, files))
    return files


def difference(expected: bytes, raw: bytes, files: Mapping[str, bytes]) -> tuple[str, str]:
    """Where the container differs from the one that its files make."""
    where = next(
        (n for n, (a, b) in enumerate(zip(expected, raw, strict=False)) if a != b), min(map(len, (expected, raw)))
    )
    at = 0
    for path in sorted(files):
        at += 30 + len(path) + len(files[path])
        if where < at:
            return path, f"the container differs at byte {where}: its header, checksum or order is not what it must be"
    for path in sorted(files):
        at += 46 + len(path)
        if where < at:
            return path, f"its entry in the directory of the container differs at byte {where}"
    return "the container", f"its end differs at byte {where} of {len(raw)}; {len(expected)} bytes are expected"


SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


def safe_paths(paths: Iterator[str] | Mapping[str, bytes]) -> None:
    """Raises Bad for a path that leads elsewhere, or two that some file system takes for one."""
    seen: dict[str, str] = {}
    for path in paths:
        if not SAFE.fullmatch(path) or len(path) > 200:
            raise Bad(path, "the path is not a plain relative one (ASCII letters, digits, . _ -)")
        if (other := seen.setdefault(path.lower(), path)) != path:
            raise Bad(path, f"it differs from {other!r} only in upper and lower case")
    for low, path in seen.items():
        parents = low.split("/")
        for depth in range(1, len(parents)):
            if "/".join(parents[:depth]) in seen:
                raise Bad(path, "a file of the pack is its folder")


def read_pack(path: Path) -> dict[str, bytes]:
    """All files of a pack. Raises Bad, and Usage when there is nothing to read."""
    try:
        if path.is_dir():
            return read_folder(path)
        if path.stat().st_size > MAX_PACK:
            raise Bad("the container", f"{path.stat().st_size} bytes; at most {MAX_PACK} are read")
        return unzip(path.read_bytes())
    except OSError as error:
        raise Usage(f"{str(path)!r} cannot be read ({error.strerror})") from None


def read_folder(folder: Path) -> dict[str, bytes]:
    """A pack that was unpacked."""
    files: dict[str, bytes] = {}
    room = MAX_PACK
    for path in sorted(folder.rglob("*")):
        name, mode = path.relative_to(folder).as_posix(), path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise Bad(name, "it is a link or a device, not a file")
        room -= path.stat().st_size
        if room < 0 or len(files) >= MAX_FILES:
            raise Bad(name, f"more than {MAX_PACK} bytes or {MAX_FILES} files")
        files[name] = path.read_bytes()
    safe_paths(files)
    return files


# --- 2. Manifest -----------------------------------------------------------------------------------------------------


@dataclass
class Manifest:
    """What the pack says that it is. tree_size, root: the checkpoint that it rests on."""

    raw: bytes
    scope: dict[str, Any]
    profile: str
    origin: str
    tree_size: int
    root: str
    log_vkey: str
    paths: set[str]
    absent: list[str]


def check_manifest(files: Mapping[str, bytes]) -> Manifest:
    """The manifest, after every file was compared with it."""
    here = "manifest.json"
    if here not in files:
        raise Bad(here, "the pack has no manifest")
    value = canonical_json(files[here], here)
    if part(value, "format", str, here) != FORMAT:
        raise Bad(here, f"format {value['format']!r} is not known; {FORMAT!r} is", pointer="/format")
    known = {
        "format", "scope", "profile", "origin", "tree_size", "root", "log_vkey", "files", "not_applicable",
    }  # fmt: skip
    if value.keys() != known:
        raise Bad(here, f"its parts are {sorted(value)}; {sorted(known)} are expected")
    scope = part(value, "scope", dict, here)
    if scope.get("kind") not in ("incident", "period") or scope.keys() != {
        "kind",
        "incident_id",
        "first_seq",
        "last_seq",
    }:
        raise Bad(here, f"{scope!r} is no scope", pointer="/scope")
    for name in ("first_seq", "last_seq"):
        part(scope, name, int, here, inside="/scope")
    if value["profile"] not in ("full", "redacted"):
        raise Bad(here, f"{value['profile']!r} is no profile; full and redacted are", pointer="/profile")
    listed = check_files(part(value, "files", list, here), files)
    absent = part(value, "not_applicable", list, here)
    for number, one in enumerate(absent):
        place = f"/not_applicable/{number}"
        path = part(one, "path", str, here, inside=place)
        if not part(one, "reason", str, here, inside=place) or path in listed:
            raise Bad(here, "what is not applicable is absent and has a reason", pointer=place)
    if [one["path"] for one in absent] != sorted({one["path"] for one in absent}):
        raise Bad(here, "the list is not sorted", pointer="/not_applicable")
    for path in REQUIRED:
        if path not in listed:
            raise Bad(path, "it is missing")
    manifest = Manifest(
        files[here],
        scope,
        value["profile"],
        part(value, "origin", str, here),
        part(value, "tree_size", int, here),
        part(value, "root", str, here),
        part(value, "log_vkey", str, here),
        listed,
        [one["path"] for one in absent],
    )
    digests = {path: sha256(files[path]) for path in listed} | {here: sha256(manifest.raw)}
    list_for_coreutils = "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()
    if files.get("manifest.sha256") != list_for_coreutils:
        raise Bad("manifest.sha256", "it is not the list of the manifest")
    return manifest


def check_files(entries: list[Any], files: Mapping[str, bytes]) -> set[str]:
    """The paths that the manifest lists; all of them are here and nothing else is."""
    here, paths = "manifest.json", []
    for number, entry in enumerate(entries):
        place = f"/files/{number}"
        path = part(entry, "path", str, here, inside=place)
        paths.append(path)
        if entry.keys() != {"path", "size", "sha256", "media_type"}:
            raise Bad(here, "an entry has path, size, sha256 and media_type", pointer=place)
        if path not in files:
            raise Bad(path, "the manifest lists it and it is not here", pointer=place)
        if len(files[path]) != entry["size"] or sha256(files[path]) != entry["sha256"]:
            raise Bad(path, "its content is not what the manifest lists", pointer=place)
        part(entry, "media_type", str, here, inside=place)
    if paths != sorted(set(paths)):
        raise Bad(here, "the list of files is not sorted, or names one twice", pointer="/files")
    for path in sorted(files):
        if path not in paths and path not in BESIDE and path not in SEAL and path != TIMESTAMP:
            raise Bad(path, "it is in the pack and not in the manifest")
    for path in (*BESIDE, *SEAL):
        if path not in files or path in paths:
            raise Bad(path, "it is missing" if path not in files else "the manifest cannot list it")
    return set(paths)


def check_names(files: Mapping[str, bytes]) -> None:
    """Files named by a digest have it; tables hold nothing that a spreadsheet would run."""
    for path, raw in sorted(files.items()):
        name = path.rsplit("/", 1)[-1].split(".", 1)[0]
        if HEX.fullmatch(name) and sha256(raw) != name:
            raise Bad(path, "its content does not have the digest that it is named after")
        if path.endswith(".csv"):
            try:
                rows = list(csv.reader(io.StringIO(text_of(raw, path), newline="")))
            except csv.Error as error:
                raise Bad(path, f"this is no table ({error})") from None
            for line, row in enumerate(rows):
                for column, text in enumerate(row):
                    if text.startswith(RUN_BY_SPREADSHEETS):
                        raise Bad(path, f"{text[:20]!r} would be run by a spreadsheet", pointer=f"/{line}/{column}")


# --- 3. Signatures ---------------------------------------------------------------------------------------------------


def vkey(line: str, file: str, algorithm: int = 1) -> tuple[str, bytes, bytes]:
    """Name, key id and public key of `<name>+<hex id>+<base64>` (c2sp.org/signed-note). Raises Bad."""
    try:
        name, number, encoded = line.removesuffix("\n").split("+", 2)
        kind, public = (raw := b64(encoded))[0], raw[1:]
        expected = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
        if number != expected.hex() or kind != algorithm or not name or re.search(r"\s", name):
            raise ValueError("its parts do not belong together")
        key_table(public)
    except (ValueError, IndexError) as error:
        raise Bad(file, f"this is no Ed25519 key line of kind {algorithm} ({error})") from None
    return name, expected, public


def pem(public: bytes) -> bytes:
    """An Ed25519 public key as OpenSSL reads it (RFC 8410)."""
    body = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + public).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n".encode()


def ssh_string(raw: bytes) -> bytes:
    """Length and bytes (RFC 4251 §5)."""
    return struct.pack(">I", len(raw)) + raw


def ssh_public(public: bytes) -> bytes:
    """The key as OpenSSH writes it (RFC 8709)."""
    return ssh_string(b"ssh-ed25519") + ssh_string(public)


def allowed_signers(origin: str, public: bytes) -> bytes:
    """The line by which `ssh-keygen -Y verify` knows the key."""
    key = base64.b64encode(ssh_public(public)).decode()
    return f'{origin} namespaces="{SSH_NAMESPACE}" ssh-ed25519 {key}\n'.encode()


def ssh_signed(message: bytes) -> bytes:
    """What is signed in the name of OpenSSH (PROTOCOL.sshsig)."""
    digest = hashlib.sha512(message).digest()
    return b"SSHSIG" + b"".join(map(ssh_string, (SSH_NAMESPACE.encode(), b"", b"sha512", digest)))


def ssh_armour(public: bytes, signature: bytes) -> bytes:
    """The signature file of OpenSSH."""
    blob = ssh_string(b"ssh-ed25519") + ssh_string(signature)
    parts = (ssh_public(public), SSH_NAMESPACE.encode(), b"", b"sha512", blob)
    text = base64.b64encode(b"SSHSIG" + struct.pack(">I", 1) + b"".join(map(ssh_string, parts))).decode()
    lines = "\n".join(text[at : at + 70] for at in range(0, len(text), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{lines}\n-----END SSH SIGNATURE-----\n".encode()


def statement(manifest: bytes) -> bytes:
    """The in-toto Statement v1 about a manifest."""
    value = json.loads(manifest)
    predicate = {name: value[name] for name in ("origin", "profile", "root", "scope", "tree_size")}
    subject = [{"name": "manifest.json", "digest": {"sha256": sha256(manifest)}}]
    kind = "https://in-toto.io/Statement/v1"
    return canonical({"_type": kind, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": predicate})


PAYLOAD_TYPE = "application/vnd.in-toto+json"


def attested(payload: bytes) -> bytes:
    """What is signed of a statement (DSSE, pre-authentication encoding)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def bundle(payload: bytes, public: bytes, signature: bytes) -> bytes:
    """The Sigstore bundle v0.3 around a statement that was signed with a key of one's own."""
    b = base64.b64encode
    envelope = {
        "payload": b(payload).decode(),
        "payloadType": PAYLOAD_TYPE,
        "signatures": [{"sig": b(signature).decode()}],
    }
    hint = b(hashlib.sha256(base64.b64decode(b"".join(pem(public).splitlines()[1:-1]))).digest()).decode()
    material = {"publicKey": {"hint": hint}, "tlogEntries": []}
    media_type = "application/vnd.dev.sigstore.bundle.v0.3+json"
    return canonical({"mediaType": media_type, "verificationMaterial": material, "dsseEnvelope": envelope}) + b"\n"


def check_signatures(files: Mapping[str, bytes], manifest: Manifest) -> bytes:
    """The ledger's public key, after all signatures over the manifest were checked with it."""
    name, _, public = vkey(manifest.log_vkey, "manifest.json")
    if name != manifest.origin:
        raise Bad("manifest.json", f"the key is of {name!r}, the pack of {manifest.origin!r}", pointer="/log_vkey")
    for path, expected in (
        ("keys/log.vkey", manifest.log_vkey.encode() + b"\n"),
        ("keys/ledger.pub.pem", pem(public)),
        ("keys/ledger.allowed_signers", allowed_signers(manifest.origin, public)),
    ):
        if files[path] != expected:
            raise Bad(path, "it is not the key of the manifest")
    if not signed(public, manifest.raw, files["manifest.json.sig"]):
        raise Bad("manifest.json.sig", "the ledger key did not sign this manifest")
    here = "manifest.json.sshsig"
    try:
        blob = b64("".join(text_of(files[here], here).splitlines()[1:-1]))
    except ValueError as error:
        raise Bad(here, f"this is no OpenSSH signature ({error})") from None
    if files[here] != ssh_armour(public, blob[-64:]) or not signed(public, ssh_signed(manifest.raw), blob[-64:]):
        raise Bad(here, "the ledger key did not sign this manifest for OpenSSH")
    here, payload = "attestation.sigstore.json", statement(manifest.raw)
    try:
        signature = b64(json.loads(files[here])["dsseEnvelope"]["signatures"][0]["sig"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise Bad(here, f"this is no attestation ({error!r})") from None
    if files[here] != bundle(payload, public, signature) or not signed(public, attested(payload), signature):
        raise Bad(here, "the ledger key did not sign this statement about the manifest")
    return public


# --- 4. Records and tree ---------------------------------------------------------------------------------------------


@dataclass
class Record:
    """One line of the ledger."""

    seq: int
    at: str
    kind: str
    actor: str
    incident_id: str | None
    release_id: str | None
    idem_key: str
    body: dict[str, Any]
    prev: str
    line: bytes
    rehearsal: bool = False


def record(line: bytes, file: str, seq: int | None = None) -> Record:
    """Raises Bad unless this is a line of the record format."""
    if len(line) > MAX_LINE:
        raise Bad(file, f"a line of {len(line)} bytes; at most {MAX_LINE} are accepted", seq)
    value = canonical_json(line, file, seq)
    found = shaped(value, dict, file, "", seq).get("seq")
    at = found if isinstance(found, int) else seq
    known = {"schema", "seq", "at", "kind", "actor", "incident_id", "release_id", "idem_key", "body", "prev"}
    rehearsed = "rehearsal" in value
    if value.keys() - {"rehearsal"} != known or value["schema"] != RECORD or value.get("rehearsal", True) is not True:
        raise Bad(file, f"this is no record of {RECORD!r}", at)
    for name, kind in (("seq", int), ("at", str), ("kind", str), ("actor", str), ("idem_key", str), ("body", dict)):
        part(value, name, kind, file, at)
    if not INSTANT.fullmatch(value["at"]) or not HEX.fullmatch(part(value, "prev", str, file, at)):
        raise Bad(file, "its time or its link has another form", at)
    for name in ("incident_id", "release_id"):
        if value[name] is not None:
            part(value, name, str, file, at)
    names = ("seq", "at", "kind", "actor", "incident_id", "release_id", "idem_key", "body", "prev")
    return Record(**{name: value[name] for name in names}, line=line, rehearsal=rehearsed)


def check_records(files: Mapping[str, bytes], manifest: Manifest) -> list[Record]:
    """The records of the pack: each follows the one before, and each is the leaf of the tree that its `seq` names."""
    here, leaves = "ledger/records.jsonl", files["ledger/leaf_hashes.bin"]
    if len(leaves) != 32 * manifest.tree_size or not manifest.tree_size:
        raise Bad("ledger/leaf_hashes.bin", f"{len(leaves)} bytes are not 32 for each of {manifest.tree_size} leaves")
    period = manifest.scope["kind"] == "period"
    first, last = manifest.scope["first_seq"], manifest.scope["last_seq"]
    if not 0 <= first <= last < manifest.tree_size:
        raise Bad("manifest.json", f"{first} to {last} is no part of {manifest.tree_size} records", pointer="/scope")
    found: list[Record] = []
    for number, line in enumerate(lines_of(files[here], here)):  # what a period rests on stands before it, with gaps
        before = found[-1] if found else None
        due = max(first, before.seq + 1 if before else 0)
        one = record(line, here, due if period else number)
        if period and first <= one.seq != due:
            raise Bad(here, f"record {one.seq} stands here: a record is missing or out of order", due)
        if before and one.seq <= before.seq:
            raise Bad(here, f"it comes after record {before.seq}: out of order or twice", one.seq)
        if not 0 <= one.seq < manifest.tree_size:
            raise Bad(here, f"the tree has {manifest.tree_size} leaves only", one.seq)
        if hashlib.sha256(b"\x00" + line).digest() != leaves[32 * one.seq : 32 * one.seq + 32]:
            raise Bad(here, "its bytes are not the leaf that the tree has for it", one.seq)
        link = sha256(before.line) if before and before.seq == one.seq - 1 else "0" * 64 if one.seq == 0 else one.prev
        if one.prev != link:
            raise Bad(here, f"prev {one.prev[:12]}… instead of {link[:12]}…: it or the one before was changed", one.seq)
        found.append(one)
    if not found or (period and found[-1].seq != last):
        raise Bad(here, f"the records end before {last}", last)
    if not period and not any(one.seq == last for one in found):
        raise Bad(here, "the last record of the scope is missing", last)
    for one in found:
        if one.rehearsal != found[0].rehearsal:
            raise Bad(here, "rehearsal and reality stand in one ledger", one.seq)
    genesis = found[0]
    if genesis.seq or genesis.kind != "genesis":
        raise Bad(here, "the first record of the ledger is missing", 0)
    if manifest.origin.rsplit("/", 1)[-1] != genesis.body.get("ledger_id"):
        raise Bad(here, f"the pack is of {manifest.origin!r}, the ledger is another", 0, "/body/ledger_id")
    return found


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves: bytes, size: int) -> bytes:
    """The root over the first `size` leaves: equal neighbours are joined, what is left over moves up."""
    level = [leaves[32 * n : 32 * n + 32] for n in range(size)]
    while len(level) > 1:
        joined = [node(level[n], level[n + 1]) for n in range(0, len(level) - 1, 2)]
        level = joined + level[len(level) - len(level) % 2 :]
    return level[0]


@dataclass
class Note:
    """A signed checkpoint (c2sp.org/tlog-checkpoint). signatures: (name, payload) in order."""

    text: bytes
    origin: str
    size: int
    root: bytes
    signatures: list[tuple[str, bytes]]


def note(raw: bytes, file: str) -> Note:
    """Raises Bad unless this is a checkpoint of three lines with signature lines."""
    head, gap, tail = text_of(raw, file).partition("\n\n")
    try:
        origin, size, root = head.split("\n")
        if not gap or not tail.endswith("\n") or not re.fullmatch(r"0|[1-9][0-9]{0,15}", size) or len(b64(root)) != 32:
            raise ValueError("its lines have another form")
        signatures = []
        for line in tail[:-1].split("\n"):
            dash, name, payload = line.split(" ")
            if dash != "—" or len(b64(payload)) < 5:
                raise ValueError(f"{line[:40]!r} is no signature line")
            signatures.append((name, b64(payload)))
        if len(set(signatures)) != len(signatures):
            raise ValueError("a signature line stands here twice")
    except ValueError as error:
        raise Bad(file, f"this is no signed checkpoint ({error})") from None
    return Note((head + "\n").encode(), origin, int(size), b64(root), signatures)


def check_note(raw: bytes, file: str, origin: str, public: bytes) -> Note:
    """A checkpoint of this log. Raises Bad unless exactly one line is the log's, and right."""
    one = note(raw, file)
    if one.origin != origin:
        raise Bad(file, f"it is a checkpoint of {one.origin!r}, not of {origin!r}")
    number = hashlib.sha256(origin.encode() + b"\n\x01" + public).digest()[:4]
    ours = [payload for name, payload in one.signatures if name == origin and payload[:4] == number]
    if len(ours) != 1 or not signed(public, one.text, ours[0][4:]):
        raise Bad(file, "the ledger key did not sign this checkpoint")
    return one


# --- 5. Keys ---------------------------------------------------------------------------------------------------------


@dataclass
class Keys:
    """Keys that the record names: (from seq, to seq or None, public key) by key id; and the ledger's in order."""

    known: dict[str, tuple[int, int | None, bytes]] = field(default_factory=dict)
    ledger: list[bytes] = field(default_factory=list)
    rotations: int = 0


def check_keys(files: Mapping[str, bytes], records: Sequence[Record], public: bytes) -> Keys:
    """How each key came into the record. Raises Bad unless old and new key signed every replacement."""
    here, keys, current = "ledger/records.jsonl", Keys(), {"ledger": "", "gateway": "", "adoption": ""}
    for one in records:
        if one.kind not in ("key.added", "key.rotated"):
            continue
        purpose, key_id = part(one.body, "purpose", str, here, one.seq, "/body"), one.body.get("key_id")
        try:
            raw = b64(part(one.body, "public", str, here, one.seq, "/body"))
            key_table(raw)
        except ValueError as error:
            raise Bad(here, f"this is no Ed25519 key ({error})", one.seq, "/body/public") from None
        if not isinstance(key_id, str) or not key_id.endswith("-" + sha256(raw)[:12]) or purpose not in current:
            raise Bad(here, f"key id {key_id!r} does not belong to this key", one.seq, "/body/key_id")
        if one.kind == "key.added" and current[purpose]:
            raise Bad(here, f"a second first key for {purpose!r}; the key before has to sign who replaces it", one.seq)
        if one.kind == "key.rotated":
            old_id = one.body.get("old_key_id")
            if not isinstance(old_id, str) or old_id != current[purpose]:
                raise Bad(here, f"{old_id!r} is not the key in use", one.seq, "/body/old_key_id")
            begin, _, old = keys.known[old_id]
            said = canonical({name: one.body[name] for name in ("purpose", "old_key_id", "key_id", "public")})
            for name, who in (("signed_by_old", old), ("signed_by_new", raw)):
                try:
                    fits = signed(who, said, b64(part(one.body, name, str, here, one.seq, "/body")))
                except ValueError:
                    fits = False
                if not fits:
                    raise Bad(here, "the key did not sign this replacement", one.seq, f"/body/{name}")
            keys.known[old_id] = (begin, one.seq, old)
            keys.rotations += purpose == "ledger"
        keys.known[key_id], current[purpose] = (one.seq, None, raw), key_id
        if purpose == "ledger":
            keys.ledger.append(raw)
    if not keys.ledger or keys.ledger[-1] != public:
        raise Bad(here, "no record of the pack makes the key of the manifest the ledger's key")
    for path in files:
        found = re.fullmatch(r"keys/((?:gateway|adoption)-(.+))\.pub\.pem", path)
        if found and (found[2] not in keys.known or files[path] != pem(keys.known[found[2]][2])):
            raise Bad(path, "it is not the key that the record names so")
    return keys


# --- 6. Seal ---------------------------------------------------------------------------------------------------------


def root_by_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that this path leads to (RFC 9162 §2.1.3.2). Raises ValueError when its length is wrong."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    value, last, rest = leaf, size - 1, list(path)
    while last > 0:
        if index % 2 or index < last:
            if not rest:
                raise ValueError("the path is too short")
            value = node(rest.pop(0), value) if index % 2 else node(value, rest.pop(0))
        index, last = index // 2, last // 2
    if rest:
        raise ValueError("the path is too long")
    return value


def roots_by_consistency(old: int, new: int, old_root: bytes, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """The two roots that this proof leads to (RFC 9162 §2.1.4.2). Raises ValueError when its length is wrong."""
    if not 0 < old <= new:
        raise ValueError(f"no tree of {old} leaves grows to one of {new}")
    if old == new:
        if path:
            raise ValueError("the proof is too long")
        return old_root, old_root
    rest = list(path) if old & (old - 1) else [old_root, *path]
    a, b = old - 1, new - 1
    while a % 2:
        a, b = a // 2, b // 2
    if not rest:
        raise ValueError("the proof is too short")
    first = second = rest.pop(0)
    while b > 0:
        if a % 2 or a < b:
            if not rest:
                raise ValueError("the proof is too short")
            sibling = rest.pop(0)
            if a % 2:
                first, second = node(sibling, first), node(sibling, second)
            else:
                second = node(second, sibling)
        a, b = a // 2, b // 2
    if rest:
        raise ValueError("the proof is too long")
    return first, second


@dataclass
class Seal:
    """The later checkpoint that holds the record of the sealing."""

    index: int
    at: str
    note: Note


def check_seal(files: Mapping[str, bytes], manifest: Manifest, public: bytes) -> Seal:
    """Raises Bad unless the sealing of exactly this manifest is in a later tree that contains the pack's."""
    here = "seal/index.json"
    if not signed(public, files[here], files["seal/index.json.sig"]):
        raise Bad("seal/index.json.sig", "the ledger key did not sign this index")
    value = canonical_json(files[here], here)
    index, size = part(value, "index", int, here), part(value, "tree_size", int, here)
    expected = [
        {"path": path, "size": len(files[path]), "sha256": sha256(files[path])}
        for path in sorted(files)
        if path.startswith("seal/") and not path.startswith(here)
    ]
    if value != {"index": index, "tree_size": size, "manifest_sha256": sha256(manifest.raw), "files": expected}:
        raise Bad(here, "it does not list this manifest and the files of the seal")
    log = check_note(files["seal/checkpoint.log"], "seal/checkpoint.log", manifest.origin, public)
    whole = check_note(files["seal/checkpoint"], "seal/checkpoint", manifest.origin, public)
    if len(log.signatures) != 1 or whole.text != log.text or whole.signatures[:1] != log.signatures or log.size != size:
        raise Bad("seal/checkpoint", "the two forms of the checkpoint differ")
    here = "seal/record.json"
    one = record(files[here], here, index)
    if one.kind != "evidence.sealed" or one.seq != index or not manifest.tree_size <= index < size:
        raise Bad(here, "this is not the record of the sealing, after the records of the pack", one.seq)
    for name, wanted in (
        ("manifest_sha256", sha256(manifest.raw)),
        ("tree_size", manifest.tree_size),
        ("root", manifest.root),
        ("scope", manifest.scope),
        ("profile", manifest.profile),
    ):
        if one.body.get(name) != wanted:
            raise Bad(here, "the seal is of another pack", one.seq, f"/body/{name}")
    check_inclusion(files, one, index, log)
    here = "seal/consistency.json"
    value = canonical_json(files[here], here)
    try:
        proof = [bytes.fromhex(part(value, "hashes", list, here)[n]) for n in range(len(value["hashes"]))]
        roots = roots_by_consistency(manifest.tree_size, size, bytes.fromhex(manifest.root), proof)
    except (ValueError, TypeError) as error:
        raise Bad(here, f"this does not prove that the record only grew ({error})") from None
    said = {"old": manifest.tree_size, "new": size, "hashes": [one.hex() for one in proof]}
    if value != said or roots != (bytes.fromhex(manifest.root), log.root):
        raise Bad(here, "this does not prove that the record only grew")
    return Seal(index, one.at, whole)


def check_inclusion(files: Mapping[str, bytes], sealed: Record, index: int, log: Note) -> None:
    """Raises Bad unless both proof files put the record at this place of the tree."""
    here, other = "seal/record.json.tlog-proof", "seal/record.json.spicy"
    first, _, rest = text_of(files[here], here).partition("\n")
    if first != "c2sp.org/tlog-proof@v1" or files[other] != rest.encode():
        raise Bad(other if first.startswith("c2sp") else here, "the two forms of the proof differ")
    head, _, tail = rest.partition("\n\n")
    name, *hashes = head.split("\n")
    if name != f"index {index}" or tail.encode() != files["seal/checkpoint"]:
        raise Bad(here, "the proof is of another place or another checkpoint", sealed.seq)
    try:
        path = [b64(one) for one in hashes]
        if any(len(one) != 32 for one in path):
            raise ValueError("a hash has 32 bytes")
        root = root_by_inclusion(hashlib.sha256(b"\x00" + sealed.line).digest(), index, log.size, path)
    except ValueError as error:
        raise Bad(here, f"this is no proof ({error})", sealed.seq) from None
    if root != log.root:
        raise Bad(here, "it does not put the record into the tree", sealed.seq)


def cosigned(seal: Seal, line: str, file: str, now: float) -> int | None:
    """When this witness cosigned the seal's checkpoint (Unix seconds); None when it did not. Raises Bad."""
    name, number, public = vkey(line, file, algorithm=4)
    for who, payload in seal.note.signatures:
        if who != name or payload[:4] != number:
            continue
        if len(payload) != 76:
            raise Bad("seal/checkpoint", f"the cosignature of {name!r} has another length")
        at = int.from_bytes(payload[4:12], "big")
        if not signed(public, b"cosignature/v1\ntime %d\n" % at + seal.note.text, payload[12:]):
            raise Bad("seal/checkpoint", f"the cosignature of {name!r} is wrong")
        if at > now + CLOCK_SKEW:
            raise Bad("seal/checkpoint", f"the cosignature of {name!r} is from the future")
        return at
    return None


def timestamped(files: Mapping[str, bytes], authority: Path) -> tuple[str | None, str]:
    """When the seal's checkpoint existed, by a timestamp under the reviewer's authority; and a sentence. Raises Bad."""
    if TIMESTAMP not in files:
        return None, "the pack has no timestamp"
    openssl = shutil.which("openssl")
    if openssl is None:
        return None, "timestamp not run: openssl is not here"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "data").write_bytes(files["seal/checkpoint.log"])
        (folder / "tsr").write_bytes(files[TIMESTAMP])
        command = [openssl, "ts", "-verify", "-data", "data", "-in", "tsr", "-CAfile", str(authority.resolve())]
        if "keys/tsa.pem" in files:
            (folder / "tsa.pem").write_bytes(files["keys/tsa.pem"])
            command += ["-untrusted", "tsa.pem"]
        answer = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
        if answer.returncode:
            raise Bad(TIMESTAMP, "openssl does not accept this timestamp under the authority you gave")
        show = [openssl, "ts", "-reply", "-in", "tsr", "-text"]
        shown = subprocess.run(show, cwd=folder, capture_output=True, timeout=60, check=False)
    found = re.search(r"Time stamp: (.+)", shown.stdout.decode("utf-8", "replace"))
    when = found[1] if found else "a time that openssl does not print"
    return when, f"timestamp: {when}"


# --- 7. Decisions and reveals ----------------------------------------------------------------------------------------


def check_decisions(files: Mapping[str, bytes], records: Sequence[Record], keys: Keys) -> int:
    """How many there are. Raises Bad unless a gateway key in use signed each as it stands in the record."""
    here, expected = "ledger/records.jsonl", set()
    for one in records:
        if one.kind != "decision":
            continue
        decision = part(one.body, "decision", dict, here, one.seq, "/body")
        key_id = part(decision, "gateway_key_id", str, here, one.seq, "/body/decision")
        said = canonical({name: value for name, value in decision.items() if name != "signature"})
        begin, end, public = keys.known.get(key_id, (0, 0, b""))
        if not public or not key_id.startswith("gw-") or not begin < one.seq or (end is not None and one.seq > end):
            raise Bad(here, f"key {key_id!r} was not in use then", one.seq, "/body/decision/gateway_key_id")
        try:
            signature = b64(part(decision, "signature", str, here, one.seq, "/body/decision"))
        except ValueError as error:
            raise Bad(here, str(error), one.seq, "/body/decision/signature") from None
        if not signed(public, said, signature):
            raise Bad(here, "the gateway did not sign this decision", one.seq, "/body/decision/signature")
        for path, wanted in (
            (f"decisions/{one.seq}.json", said),
            (f"decisions/{one.seq}.sig", signature),
            (f"keys/gateway-{key_id}.pub.pem", pem(public)),
        ):
            if files.get(path) != wanted:
                raise Bad(path, "it is not what the record says", one.seq)
            expected.add(path)
    for path in files:
        if path.startswith("decisions/") and path not in expected:
            raise Bad(path, "no record of the pack is this decision")
    return len([path for path in expected if path.endswith(".sig")])


def commitments(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """(JSON pointer, commitment) of everything that is withheld in a body."""
    if isinstance(value, dict):
        if value.keys() == {"commit"} and isinstance(value["commit"], str) and HEX.fullmatch(value["commit"]):
            yield pointer, value["commit"]
            return
        for name in value:
            yield from commitments(value[name], f"{pointer}/{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from commitments(item, f"{pointer}/{number}")


@dataclass
class Reveals:
    """Free text: how much is open, and what is not."""

    opened: int
    redacted: int
    erased: list[tuple[int, str]]


def check_reveals(files: Mapping[str, bytes], records: Sequence[Record], manifest: Manifest) -> Reveals:
    """Raises Bad unless every commitment has its line, and every text shown is the one that was committed to."""
    here, answer = "reveals.jsonl", Reveals(0, 0, [])
    wanted = [(one.seq, pointer, commit) for one in records for pointer, commit in sorted(commitments(one.body))]
    lines = lines_of(files[here], here)
    for number, line in enumerate(lines):
        value = canonical_json(line, here)
        seq, pointer = part(value, "seq", int, here), part(value, "pointer", str, here)
        if number >= len(wanted) or (seq, pointer) != wanted[number][:2]:
            raise Bad(here, "this line is not due here: one is missing, twice, or out of order", seq, pointer)
        if value.keys() == {"seq", "pointer", "omitted"} and value["omitted"] in ("redacted", "erased"):
            if value["omitted"] == "erased":
                answer.erased.append((seq, pointer))
            elif manifest.profile == "full":
                raise Bad(here, "a full pack withholds nothing", seq, pointer)
            else:
                answer.redacted += 1
            continue
        if value.keys() != {"seq", "pointer", "salt", "value"} or not HEX.fullmatch(str(value["salt"])):
            raise Bad(here, "a line has a salt and a value, or says why not", seq, pointer)
        if sha256(bytes.fromhex(value["salt"]) + COMMIT_DOMAIN + canonical(value["value"])) != wanted[number][2]:
            raise Bad(here, "this is not what the record commits to", seq, pointer)
        answer.opened += 1
    if len(lines) < len(wanted):
        raise Bad(here, "the line for this commitment is missing", *wanted[len(lines)][:2])
    return answer


# --- 8. Sections for people ------------------------------------------------------------------------------------------

INTENTS, OUTCOMES = ("stage.intent", "rollout.intent"), ("stage.outcome", "rollout.outcome")
CASES = (
    "incident.opened", "rollout.ended", "release.refused", "rehearsal.passed", "glass.broken", "requarantine.breach",
)  # fmt: skip


def check_sections(files: Mapping[str, bytes], records: Sequence[Record], manifest: Manifest) -> None:
    """Raises Bad for a section that is silently missing, and for one that says something else than the records."""
    for name in SECTIONS:
        known = (*manifest.paths, *manifest.absent)
        if not any(path == name or path.startswith(f"{name}/") or name.startswith(f"{path}/") for path in known):
            raise Bad(name, "it is not in the pack, and the manifest does not say why")
    for path, expected in retold(records, manifest).items():
        found = entries(files[path], path) if path in files else []
        for number, (said, due) in enumerate(zip(found, expected, strict=False)):
            for key, value in due.items():
                if shaped(said, dict, path, f"/{number}").get(key) != value:
                    raise Bad(path, "it says something else than the record", due.get("seq"), f"/{number}/{key}")
        if len(found) != len(expected):
            raise Bad(path, f"{len(found)} entries; the records make {len(expected)}")


def retold(records: Sequence[Record], manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """What sections must say in each entry, by path; they may say more. Texts that are withheld are left out."""
    timeline = [{name: getattr(one, name) for name in TOLD} for one in records]
    decided = [one for one in records if one.kind in ("decision", "decision.refused")]
    plans = [one for one in records if one.kind in ("plan", "rollout.planned")]
    approved = [one for one in records if approves(one)]
    outcomes = {effect(one): one for one in records if one.kind in OUTCOMES}
    executed = []
    for one in records:
        if one.kind in INTENTS:
            end = outcomes.get(effect(one))
            outcome = {"seq": end.seq, "at": end.at, **end.body} if end else None
            executed.append(about(one) | {"intent": one.body, "outcome": outcome})
    told = {
        "timeline.jsonl": timeline,
        "timeline.csv": [{name: cell(value) for name, value in one.items()} for one in timeline],
        "decisions.jsonl": [{"seq": one.seq} | open_parts(one.body.get("decision", one.body)) for one in decided],
        "plan/requested.json": [about(one) | {"plan": one.body["plan"]} for one in plans],
        "plan/approved.json": [{"seq": one.seq, "at": one.at, "incident_id": one.incident_id} for one in approved],
        "plan/executed.json": executed,
    }
    return told | counted(records, manifest) if manifest.scope["kind"] == "period" else told


TOLD = ("seq", "at", "kind", "incident_id", "release_id", "actor")


def about(one: Record) -> dict[str, Any]:
    """What most sections say of a record first."""
    return {"seq": one.seq, "at": one.at, "incident_id": one.incident_id, "release_id": one.release_id}


def approves(one: Record) -> bool:
    """Whether a record says that a plan may be carried out."""
    said = {"ask.closed": ("status", "approved"), "gate.decided": ("act", "automatic")}
    said["ask.defaulted"] = ("action", "proceed")
    name, word = said.get(one.kind, ("", ""))
    return one.kind == "glass.broken" or bool(name and one.body[name] == word)


def effect(one: Record) -> tuple[Any, ...]:
    """What an intent and its outcome have in common."""
    if one.kind.startswith("rollout."):
        return one.release_id, one.body["rollout_id"], one.body["step"]
    return one.incident_id, one.body["revert"], one.body["stage"], one.body.get("member")


def open_parts(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of a body that withhold nothing; the signature stands in a file of its own."""
    return {name: part for name, part in body.items() if name != "signature" and not list(commitments(part))}


def counted(records: Sequence[Record], manifest: Manifest) -> dict[str, list[dict[str, Any]]]:
    """The population of a period."""
    first, last = manifest.scope["first_seq"], manifest.scope["last_seq"]
    those = [one for one in records if first <= one.seq <= last]
    ends = {one.incident_id: one.body["outcome"] for one in those if one.kind == "incident.closed"}
    cases = []
    for one in those:
        if one.kind in CASES:
            outcome = {"outcome": ends.get(one.incident_id, "open")} if one.kind == "incident.opened" else {}
            cases.append({name: cell(value) for name, value in (about(one) | outcome).items()})
    kinds = {kind: 0 for kind in sorted(one.kind for one in those)}
    for one in those:
        kinds[one.kind] += 1
    whole = {"first_seq": first, "last_seq": last, "records": len(those), "gaps": [], "records_by_kind": kinds}
    return {"population/all_rollbacks.csv": cases, "population/gaps.json": [whole]}


def cell(value: Any) -> str:
    """As a table shows it: what a spreadsheet would run begins with an apostrophe."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(RUN_BY_SPREADSHEETS) else text


def entries(raw: bytes, file: str) -> list[Any]:
    """The entries of a list, of lines, or of a table; one object is one entry. Raises Bad for anything else."""
    try:
        if file.endswith(".csv"):
            return list(csv.DictReader(io.StringIO(text_of(raw, file), newline="")))
        if file.endswith(".jsonl"):
            return [json.loads(line) for line in lines_of(raw, file)]
        value = json.loads(raw)
    except (ValueError, RecursionError, csv.Error) as error:
        raise Bad(file, f"this cannot be read ({error})") from None
    return value if isinstance(value, list) else [value]


# --- 9. Governance ---------------------------------------------------------------------------------------------------

#: The stage in which a person takes a rollback back.
REVERSE = 999
ALL_BACK = {"candidate_bp": 0, "baseline_bp": 10_000}
DONE = ("applied", "already")
#: What nobody does any more once an incident is closed; its review, duties, messages and holds go on.
NOT_AFTER_CLOSE = ("ask.", "check.", "freeze.", "gate.", "glass.", "incident.", "plan", "stage.")


@dataclass(frozen=True)
class Finding:
    """Something in an intact pack that should not have happened."""

    seq: int
    pointer: str
    sentence: str


def governance(records: Sequence[Record], reveals: Reveals, keys: Keys, period_from: int) -> Iterator[Finding]:
    """What the records themselves do not justify, in order of incidents."""
    incidents: dict[str, list[Record]] = {}
    for one in records:
        if one.incident_id is not None:
            incidents.setdefault(one.incident_id, []).append(one)
    authorised = [one for one in records if one.kind.startswith("standing.")]
    for name, those in incidents.items():
        if began_before(those, period_from):
            continue
        yield from unplanned(those)
        yield from asked_for_less(those)
        yield from unapproved(those, authorised)
        yield from unasked(those)
        yield from after_close(name, those)
        yield from clocks(those)
    yield from playbooks(records, keys)
    yield from destroyed_under_hold(records, reveals)


def began_before(those: Sequence[Record], first: int) -> bool:
    """Whether an incident lies partly outside a pack of a period, which then cannot judge it."""
    return first > 0 and those[0].kind != "incident.opened"


def unplanned(those: Sequence[Record]) -> Iterator[Finding]:
    """Plans that are not what their digest says, and intents that no plan asks for."""
    plans: dict[Any, dict[str, Any]] = {}
    for one in those:
        if one.kind == "plan":
            plan, digest = one.body.get("plan"), one.body.get("plan_digest")
            if digest != "sha256:" + sha256(canonical(plan)) or not isinstance(plan, dict):
                yield Finding(one.seq, "/body/plan_digest", "the recorded plan is not the one that its digest names")
            else:
                plans[digest] = plan
        if one.kind == "stage.intent":
            found = plans.get(one.body.get("plan_digest"))
            if found is None:
                yield Finding(one.seq, "/body/plan_digest", "no plan with this digest was recorded before")
            elif one.body.get("desired") not in wanted(found, one.body):
                yield Finding(one.seq, "/body/desired", "the plan does not ask for this split in this stage")


def wanted(plan: Mapping[str, Any], intent: Mapping[str, Any]) -> list[Any]:
    """What a plan asks of this member in this stage; empty when it asks nothing."""
    stage, member = intent.get("stage"), intent.get("member")
    followers = [
        one for one in plan.get("followers", []) if member == f"{one['member']['target']}/{one['member']['name']}"
    ]
    if member is not None and not followers:
        return []
    if stage == REVERSE:
        return [followers[0]["before"] if followers else plan.get("before")]
    if followers:
        return [ALL_BACK]
    return [one["desired"] for one in plan.get("stages", []) if one["number"] == stage]


def asked_for_less(those: Sequence[Record]) -> Iterator[Finding]:
    """Requests whose record says something else than what people signed for."""
    for one in those:
        if one.kind == "ask.opened" and one.body["approval_digest"] != approval_digest(one.body):
            yield Finding(one.seq, "/body/approval_digest", "the request says something else than what people signed")


def approval_digest(ask: Mapping[str, Any]) -> str:
    """What votes for this request are signed for."""
    roles = list(dict.fromkeys(ask["need_roles"]))
    slots = [{"role": role, "min": list(ask["need_roles"]).count(role)} for role in roles]
    meant = {
        "approval_id": ask["ask_id"],
        "plan_digest": ask["plan_digest"],
        "evidence_digest": ask["evidence_digest"],
        "requester": ask["requester"],
        "expires_at": ask["expires_at"],
        "signature_class": ask["signature_class"],
        "quorum_policy": {"roles": slots, "distinct_people": ask["need_people"]},
        "rules": ask["rules"],
    }
    return "sha256:" + sha256(canonical(meant))


def unapproved(those: Sequence[Record], authorised: Sequence[Record]) -> Iterator[Finding]:
    """Intents that neither votes, nor a broken glass, nor a standing authorisation carries."""
    for one in those:
        if one.kind != "stage.intent":
            continue
        before = [other for other in those if other.seq < one.seq]
        digest = one.body.get("plan_digest")
        reasons = [lacking_votes(digest, before), lacking_glass(digest, before)]
        reasons.append(lacking_standing(digest, before, [other for other in authorised if other.seq < one.seq]))
        if all(reasons):
            yield Finding(one.seq, "/body/plan_digest", f"an effect without approval: {'; '.join(reasons)}")
        if one.body.get("stage") == REVERSE and (lacking := lacking_undo(digest, before)):
            yield Finding(one.seq, "/body/stage", f"the rollback was taken back without a decision: {lacking}")


def decisions_of(records: Sequence[Record], kind: str) -> list[tuple[str, dict[str, Any]]]:
    """(time of the record, decision) of this kind."""
    found = [(one.at, one.body["decision"]) for one in records if one.kind == "decision"]
    return [(at, decision) for at, decision in found if decision.get("kind") == kind]


def lacking_votes(digest: Any, before: Sequence[Record]) -> str:
    """Why votes do not carry this plan; empty when one request for it was approved by enough people in time."""
    why = "nobody was asked to approve this plan"
    for asked in before:
        if asked.kind != "ask.opened" or asked.body.get("plan_digest") != digest:
            continue
        ends = [
            one for one in before if one.kind == "ask.closed" and one.body.get("ask_id") == asked.body.get("ask_id")
        ]
        if [one.body.get("status") for one in ends] != ["approved"]:
            why = f"request {asked.body.get('ask_id')!r} was not approved"
            continue
        if asked.body["approval_digest"] != approval_digest(asked.body):
            why = f"request {asked.body['ask_id']!r} says something else than what people signed"
            continue
        why = lacking_quorum(asked.body, [one for one in before if one.seq < ends[0].seq])
        if not why:
            return ""
    return why


def lacking_quorum(ask: Mapping[str, Any], before: Sequence[Record]) -> str:
    """Which roles or people are missing among those who signed before the request expired; empty when none is.

    Nobody counts twice, whoever's roles they act with, and neither the requester nor anybody excluded counts at all.
    """
    meant = ask["approval_digest"]
    until = latest = str(ask["expires_at"])
    if any(one.get("approval_digest") == meant for at, one in decisions_of(before, "extend") if at < until):
        latest = extended(str(ask["opened_at"]), until)
    voters: dict[str, list[str]] = {}
    counted: set[str] = set()
    retracted = {
        one["actor"]["subject"]: at
        for at, one in decisions_of(before, "retract")
        if one.get("approval_digest") == meant
    }
    for at, one in decisions_of(before, "approve"):
        actor, lent = one["actor"], one["actor"].get("delegated_by")
        people = {actor["subject"], *([lent["subject"]] if lent else [])}
        if one.get("approval_digest") != meant or at >= latest or actor["principal"] != "person":
            continue
        if at <= retracted.get(actor["subject"], "") or (lent and at >= lent["not_after"]) or weak(one, ask):
            continue
        if people & {ask["requester"], *ask["excluded"]} or (people & counted and actor["subject"] not in voters):
            continue
        voters[actor["subject"]] = list(actor["roles"])
        counted |= people
    slots: list[str] = list(ask["need_roles"])
    empty = [slots[n] for n in unfilled(slots, voters)]
    number = len([roles for roles in voters.values() if set(roles) & set(slots)])
    missing = empty + [f"{ask['need_people'] - number} more"] * (number < ask["need_people"] and not empty)
    if ask["need_people"] < 1 or not slots:
        return f"request {ask['ask_id']!r} asks for nobody"
    return f"too few signed approvals of {ask['ask_id']!r} in time; missing: {', '.join(missing)}" if missing else ""


def extended(opened: str, expires: str) -> str:
    """The time limit after people took more time, once: as long again."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ"
    begin, end = datetime.strptime(opened, form), datetime.strptime(expires, form)  # noqa: DTZ007 (both are UTC)
    return (end + (end - begin)).strftime(form)


def weak(decision: Mapping[str, Any], ask: Mapping[str, Any]) -> bool:
    """Whether a signature is of a lower class than was asked for."""
    needed, has = ask["signature_class"], decision.get("signature_class", "standard")
    if needed == "part11" and decision.get("signature_meaning") is None:
        return True
    return bool(needed != "standard" and has != needed)


def unfilled(slots: Sequence[str], voters: Mapping[str, Sequence[str]]) -> list[int]:
    """Places that nobody can take, each person taking one at most (bipartite matching, Kuhn 1955)."""
    holder: dict[int, str] = {}

    def place(person: str, tried: set[int]) -> bool:
        for number, role in enumerate(slots):
            if role in voters[person] and number not in tried:
                tried.add(number)
                if number not in holder or place(holder[number], tried):
                    holder[number] = person
                    return True
        return False

    for person in sorted(voters):
        place(person, set())
    return [number for number in range(len(slots)) if number not in holder]


def lacking_glass(digest: Any, before: Sequence[Record]) -> str:
    """Why break-glass does not carry this plan; empty when it does."""
    signed_ids = {
        one["decision_id"]
        for _, one in decisions_of(before, "break_glass")
        if one["actor"]["principal"] == "person" and one["actor"].get("delegated_by") is None
    }
    used = [one.body for one in before if one.kind == "glass.broken" and one.body["plan_digest"] == digest]
    if not used:
        return "the glass was not broken for it"
    if not any(one["decision_id"] in signed_ids for one in used):
        return "nobody signed in their own right that the glass was broken"
    plans = [one.body["plan"] for one in before if one.kind == "plan" and one.body["plan_digest"] == digest]
    if any([one["desired"] for one in plan["stages"]] != [ALL_BACK] for plan in plans):
        return "a broken glass moves all users back at once, and nothing else"
    return ""


def lacking_standing(digest: Any, before: Sequence[Record], authorised: Sequence[Record]) -> str:
    """Why no standing authorisation carries this plan; empty when one was issued and not revoked."""
    for one in before:
        automatic = one.kind == "gate.decided" and one.body.get("act") == "automatic"
        by_default = one.kind == "ask.defaulted" and one.body.get("action") == "proceed"
        name = one.body.get("authorisation_id")
        if not (automatic or by_default) or one.body.get("plan_digest") != digest or name is None:
            continue
        kinds = {
            other.kind
            for other in authorised
            if name
            in (other.body.get("authorisation_id"), (other.body.get("authorisation") or {}).get("authorisation_id"))
        }
        if kinds == {"standing.issued"}:
            return ""
        why = "was revoked" if "standing.revoked" in kinds else "is not in this pack"
        return f"standing authorisation {name!r} {why}"
    return "no standing authorisation is named"


def lacking_undo(digest: Any, before: Sequence[Record]) -> str:
    """Why the state before the plan may not be brought back; empty when a person signed it, or when the plan says so
    and a follower is known not to have moved."""
    if any(one["actor"]["principal"] == "person" for _, one in decisions_of(before, "reverse")):
        return ""
    plans = [one.body["plan"] for one in before if one.kind == "plan" and one.body.get("plan_digest") == digest]
    left = set()
    for one in before:
        if one.kind == "stage.intent" and one.body["plan_digest"] == digest:
            left.add(one.body["member"])
        elif one.kind == "stage.outcome" and one.body["result"] in (*DONE, "ambiguous"):
            left.discard(one.body["member"])
    if any(plan["on_member_failure"] == "compensate" for plan in plans) and left - {None}:
        return ""
    return "nobody signed it"


def unasked(those: Sequence[Record]) -> Iterator[Finding]:
    """Outcomes that no intent announced. What was refused before anything was tried needs none."""
    announced: set[str] = set()
    for one in those:
        if one.kind == "stage.intent":
            announced.add(one.idem_key.removesuffix("/intent"))
        effect = one.kind == "stage.outcome" and one.body.get("result") in (*DONE, "conflict")
        if effect and one.idem_key.rsplit("/outcome/", 1)[0] not in announced:
            yield Finding(one.seq, "/body", "an effect that no intent announced")


def without_outcome(those: Sequence[Record]) -> list[int]:
    """Intents whose end is not in the pack."""
    ended = {one.idem_key.rsplit("/outcome/", 1)[0] for one in those if one.kind == "stage.outcome"}
    intents = [one for one in those if one.kind == "stage.intent"]
    return [one.seq for one in intents if one.idem_key.removesuffix("/intent") not in ended]


def after_close(name: str, those: Sequence[Record]) -> Iterator[Finding]:
    """What was done in an incident that was over."""
    closed = next((one.seq for one in those if one.kind == "incident.closed"), None)
    for one in those:
        if closed is not None and one.seq > closed and one.kind.startswith(NOT_AFTER_CLOSE):
            yield Finding(one.seq, "/kind", f"{one.kind} after incident {name!r} was closed by record {closed}")


def clocks(those: Sequence[Record]) -> Iterator[Finding]:
    """Clocks that end before they begin, or count from an instant that no record of the incident gives."""
    recorded, days = {one.at for one in those}, set()
    for one in those:
        if one.kind == "obligation.anchor":
            recorded.add(str(one.body["at"]))
            days |= {one.body["event"]} if one.body["on"] else set()
        if one.kind == "obligation.filed":
            recorded.add(one.body["filed_at"])
        if one.kind != "obligation.clock":
            continue
        begin, due, latest = (one.body[name] for name in ("anchor_at", "due", "legal_latest"))
        if due < begin or (latest is not None and latest < due):
            yield Finding(one.seq, "/body/due", f"the clock {one.body['row_id']!r} ends before it begins")
        if begin not in recorded and one.body["anchor_event"] not in days:
            yield Finding(one.seq, "/body/anchor_at", f"no record says that something happened at {begin}")


def playbooks(records: Sequence[Record], keys: Keys) -> Iterator[Finding]:
    """Adoptions that do not hold, releases without one, and plans by another playbook than their release's."""
    versions: dict[str, tuple[int, str]] = {}
    adopted: set[str] = set()
    registered: dict[str | None, str] = {}
    for one in records:
        if one.kind == "playbook.adopted":
            if why := lacking_adoption(one, versions.get(one.body["name"], (0, "")), keys):
                yield Finding(one.seq, "/body", why)
            else:
                versions[one.body["name"]] = (one.body["version"], one.body["digest"])
                adopted.add(one.body["digest"])
        elif one.kind == "release.registered":
            registered[one.release_id] = one.body["playbook_digest"]
            if adopted and one.body["playbook_digest"] not in adopted:
                yield Finding(one.seq, "/body/playbook_digest", "a release by a playbook that nobody adopted")
        elif one.kind in ("plan", "rollout.planned"):
            pinned, named = registered.get(one.release_id), one.body["plan"].get("playbook_digest")
            if pinned is not None and pinned != named:
                yield Finding(one.seq, "/body/plan/playbook_digest", "a plan by other thresholds than its release's")


def lacking_adoption(one: Record, newest: tuple[int, str], keys: Keys) -> str:
    """Why a version of a playbook was not adopted by this record; empty when it was."""
    said = {name: one.body[name] for name in ("name", "version", "digest", "previous_digest")}
    begin, end, public = keys.known.get(one.body["key_id"], (0, 0, b""))
    in_use = one.body["key_id"].startswith("ad-") and begin < one.seq and (end is None or one.seq <= end)
    if not in_use or not signed(public, canonical(said), b64(one.body["signature"])):
        return "no adoption key in use signed this version of the playbook"
    if said["version"] <= newest[0] or said["previous_digest"] != newest[1]:
        return "this version of the playbook does not follow the one before it"
    return ""


def destroyed_under_hold(records: Sequence[Record], reveals: Reveals) -> Iterator[Finding]:
    """What was destroyed although a legal hold covered it, and texts whose end no certificate tells."""
    places: dict[str, list[tuple[Record, str]]] = {}
    for one in records:
        for pointer, commit in commitments(one.body):
            places.setdefault(commit, []).append((one, pointer))
    told: set[tuple[int, str]] = set()
    for proof in records:
        if proof.kind not in ("purge.certificate", "erasure.done") or not proof.body["count"]:
            continue
        holds = in_force(records, proof.seq)
        known = [place for item in proof.body["items"] for place in places.get(item, [])]
        told |= {(one.seq, pointer) for one, pointer in known}
        gone = [(one.seq, f"/body{pointer}", text(one, pointer, proof)) for one, pointer in known]
        if proof.body.get("what", "texts") != "texts":
            gone = [(proof.seq, "/body", measured(release, proof)) for release in proof.body["releases"] or [None]]
        for seq, pointer, facts in gone:
            for hold in holds:
                if covers(hold.body["scope"], facts):
                    name = hold.body["hold_id"]
                    yield Finding(seq, pointer, f"destroyed by record {proof.seq} while hold {name!r} covered it")
    for seq, pointer in reveals.erased:
        if (seq, pointer) not in told:
            yield Finding(seq, f"/body{pointer}", "erased, and no certificate in this pack says so")


def in_force(records: Sequence[Record], seq: int) -> list[Record]:
    """Holds that were placed before this record and not released before it."""
    earlier = [one for one in records if one.seq < seq]
    released = {one.body.get("hold_id") for one in earlier if one.kind == "hold.released"}
    return [one for one in earlier if one.kind == "hold.placed" and one.body.get("hold_id") not in released]


def text(one: Record, pointer: str, proof: Record) -> dict[str, Any]:
    """What a hold may name of a text that is gone."""
    decision, author = one.body.get("decision"), one.actor
    if isinstance(decision, dict):
        author = decision["actor"]["subject"]
    elif names := [name for name in AUTHORS.get(one.kind, ("subject",)) if isinstance(one.body.get(name), str)]:
        author = one.body[names[0]]
    return {
        "incidents": one.incident_id,
        "releases": one.release_id,
        "classes": proof.body.get("class_id"),
        "subjects": author,
        "digests": dict(commitments(one.body))[pointer],
    }


#: Where a record names whose words it holds, unless it is under `subject`, or they are of who wrote it.
AUTHORS = {"incident.opened": ("opened_by",), "verdict": ("said_by",), "consent.opened": ("requester",)}


def measured(release: Any, proof: Record) -> dict[str, Any]:
    """What a hold may name of samples or sums that are gone."""
    return {"releases": release, "classes": proof.body.get("class_id")}


def covers(scope: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    """Whether a hold covers what is gone. What is not known of it counts as covered."""
    incident, release = facts.get("incidents"), facts.get("releases")
    named = scope["incidents"] or scope["releases"]
    if named and (incident or release) and incident not in scope["incidents"] and release not in scope["releases"]:
        return False
    others = ("classes", "subjects", "digests")
    return all(not scope[name] or facts.get(name) is None or facts[name] in scope[name] for name in others)


# --- The answer ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Anchors:
    """What the reviewer brought: file names and their content."""

    log_vkey: str | None = None
    witnesses: tuple[str, ...] = ()
    min_witnesses: int = 1
    checkpoint: bytes | None = None
    authority: Path | None = None


@dataclass
class Report:
    """The verdict word and what stands under it."""

    verdict: str
    first_bad: Bad | None = None
    lines: list[str] = field(default_factory=list)
    integrity: list[str] = field(default_factory=list)
    completeness: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def exit_code(self, required: str) -> int:
        """0 as required or better, 1 rejected, 3 weaker than required, 4 governance findings."""
        if self.verdict == REJECTED:
            return EXIT_REJECTED
        if WORDS.index(self.verdict) < WORDS.index(required):
            return EXIT_WEAKER
        return EXIT_FINDINGS if self.findings else OK

    def as_json(self, required: str) -> dict[str, Any]:
        """The report for programs."""
        bad = self.first_bad
        where = {"file": bad.file, "seq": bad.seq, "pointer": bad.pointer, "sentence": bad.sentence} if bad else None
        return {
            "verdict": self.verdict,
            "exit": self.exit_code(required),
            "does_not_show": DOES_NOT_SHOW.get(self.verdict),
            "first_bad": where,
            "holds": self.lines,
            "integrity": self.integrity,
            "completeness": self.completeness,
            "governance": [vars(one) for one in self.findings],
        }

    def as_text(self) -> str:
        """The report for people."""
        if self.first_bad is not None:
            return f"verdict: {REJECTED}\nfirst bad: {self.first_bad}\n"
        out = [f"verdict: {self.verdict}", f"  does not show: {DOES_NOT_SHOW[self.verdict]}"]
        out += [f"  {line}" for line in self.lines]
        out += ["integrity", *(f"  {line}" for line in self.integrity)]
        out += ["completeness", *(f"  {line}" for line in self.completeness)]
        out += ["governance", *(f"  record {one.seq}, {one.pointer}: {one.sentence}" for one in self.findings)]
        if not self.findings:
            out.append("  no findings: each effect in the pack was approved before it, by enough people, in time")
        return "\n".join(out) + "\n"


def verify(files: Mapping[str, bytes], anchors: Anchors, now: float) -> Report:
    """The report about the files of a pack. now: Unix seconds. Raises Usage for anchors that cannot be used."""
    try:
        return intact(files, anchors, now)
    except Bad as bad:
        return Report(REJECTED, bad)


def intact(files: Mapping[str, bytes], anchors: Anchors, now: float) -> Report:
    """The report. Raises Bad at the first thing that is wrong."""
    manifest = check_manifest(files)
    check_names({path: files[path] for path in manifest.paths})
    public = check_signatures(files, manifest)
    records = check_records(files, manifest)
    here = "ledger/checkpoint"
    root = tree_root(files["ledger/leaf_hashes.bin"], manifest.tree_size)
    if root.hex() != manifest.root:
        raise Bad("ledger/leaf_hashes.bin", "the leaves do not make the root of the manifest")
    base = check_note(files[here], here, manifest.origin, public)
    if (base.size, base.root) != (manifest.tree_size, root):
        raise Bad(here, "it is the checkpoint of another tree")
    keys = check_keys(files, records, public)
    seal = check_seal(files, manifest, public)
    report = Report(CONSISTENT)
    if records[0].rehearsal:
        report.lines.append("REHEARSAL: every record says so; nothing real was changed")
    anchor(report, files, manifest, records, keys, seal, anchors, now)
    decisions = check_decisions(files, records, keys)
    reveals = check_reveals(files, records, manifest)
    try:
        check_sections(files, records, manifest)
        report.findings = sorted(governance(records, reveals, keys, first_of(manifest)), key=lambda one: one.seq)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Bad("ledger/records.jsonl", f"a record lacks what its kind must have ({error!r})") from None
    report.integrity = [
        f"{len(manifest.paths)} files as listed; {len(records)} records; root over {manifest.tree_size} leaves",
        f"{decisions} decisions with a right signature; {keys.rotations} replacements of the ledger key",
        f"{reveals.opened} withheld texts open and right, {reveals.redacted} redacted, {len(reveals.erased)} erased",
    ]
    report.completeness = list(completeness(manifest, records, files))
    return report


def first_of(manifest: Manifest) -> int:
    """Where a pack of a period begins; 0 for one of an incident."""
    return int(manifest.scope["first_seq"]) if manifest.scope["kind"] == "period" else 0


def completeness(manifest: Manifest, records: Sequence[Record], files: Mapping[str, bytes]) -> Iterator[str]:
    """What the pack can show to be whole, and what it cannot."""
    if manifest.scope["kind"] == "period":
        first, last = manifest.scope["first_seq"], manifest.scope["last_seq"]
        yield f"records {first} to {last} without a gap"
        if last < manifest.tree_size - 1:
            yield f"records {last + 1} to {manifest.tree_size - 1} are leaves only: what they say is not in this pack"
    else:
        closed = manifest.tree_size - len(records)
        yield f"incident {manifest.scope['incident_id']!r}; {closed} other records are leaves only"
        yield "whether a closed record belongs to this incident cannot be seen; a pack of the period shows it"
    incidents: dict[str, list[Record]] = {}
    for one in records:
        if one.incident_id:
            incidents.setdefault(one.incident_id, []).append(one)
    for name, those in incidents.items():
        if began_before(those, first_of(manifest)):
            yield f"incident {name!r} began before this pack: its approvals are not judged here"
    for seq in without_outcome(records):
        yield f"record {seq}: an intent whose outcome is not in the pack"
    absent: dict[tuple[str, str], list[str]] = {}
    for one in json.loads(files["manifest.json"])["not_applicable"]:
        absent.setdefault((one["path"].rpartition("/")[0], one["reason"]), []).append(one["path"])
    for (folder, reason), paths in absent.items():
        yield f"not in the pack: {paths[0] if len(paths) == 1 else f'{len(paths)} files of {folder}'} ({reason})"


def anchor(
    report: Report,
    files: Mapping[str, bytes],
    manifest: Manifest,
    records: Sequence[Record],
    keys: Keys,
    seal: Seal,
    anchors: Anchors,
    now: float,
) -> None:
    """Raise the verdict as far as what the reviewer brought allows. Raises Bad when it contradicts the pack."""
    pinned = False
    if anchors.log_vkey is not None:
        name, _, public = vkey(anchors.log_vkey, "--log-vkey")
        if name != manifest.origin or public not in keys.ledger:
            raise Bad("keys/log.vkey", "it is not the key that you hold, nor one that replaced it with its signature")
        pinned = True
    whole, shown, anchored = seal.note.size, [f"keys: {'pinned' if pinned else 'from the pack'}"], 0
    if anchors.checkpoint is not None:
        anchored, sentence = outside(anchors.checkpoint, files, manifest, keys, seal)
        shown.append(sentence)
    if anchors.authority is not None:
        when, sentence = timestamped(files, anchors.authority)
        anchored = whole if when else anchored
        shown.append(sentence)
    cosigns = {}
    for line in anchors.witnesses:
        name, _, public = vkey(line, "--witness-vkey", algorithm=4)
        if (at := cosigned(seal, line, "--witness-vkey", now)) is not None:
            cosigns[public] = (
                f"cosigned up to {whole} by {name!r} at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))}"
            )
        else:
            shown.append(f"witness {name!r} did not cosign")
    shown += cosigns.values()
    enough = len(cosigns) >= anchors.min_witnesses
    if forks := forked(records):
        shown.append(f"{', '.join(forks)} holds another history: nothing stronger can be said until that is resolved")
    elif pinned and enough:
        report.verdict, anchored = WITNESSED, whole
    elif pinned and anchored:
        report.verdict = ANCHORED
    size = manifest.tree_size if report.verdict == CONSISTENT else min(anchored, manifest.tree_size)
    report.lines = [
        f"holds up to size {manifest.tree_size}, sealed {seal.at}",
        *shown,
        *uncovered(report, manifest, size),
    ]
    report.lines += gaps(records)


def uncovered(report: Report, manifest: Manifest, size: int) -> Iterator[str]:
    """How many of the newest records nothing outside speaks for."""
    if report.verdict == CONSISTENT:
        yield f"newest records that nothing of yours covers: all {manifest.tree_size}"
    else:
        yield f"newest records that nothing of yours covers: {manifest.tree_size - size} of {manifest.tree_size}"


def outside(raw: bytes, files: Mapping[str, bytes], manifest: Manifest, keys: Keys, seal: Seal) -> tuple[int, str]:
    """Up to which size a checkpoint that the reviewer holds speaks for the pack (0: not at all). Raises Bad."""
    one = note(raw, "--checkpoint")
    if one.origin != manifest.origin:
        raise Bad("--checkpoint", f"it is of {one.origin!r}, the pack of {manifest.origin!r}")
    for public in keys.ledger:
        number = hashlib.sha256(one.origin.encode() + b"\n\x01" + public).digest()[:4]
        if any(p[:4] == number and signed(public, one.text, p[4:]) for name, p in one.signatures if name == one.origin):
            break
    else:
        raise Bad("--checkpoint", "no ledger key of the pack signed the checkpoint that you hold")
    if one.size == seal.note.size:
        expected = seal.note.root
    elif 0 < one.size <= manifest.tree_size:
        expected = tree_root(files["ledger/leaf_hashes.bin"], one.size)
    else:
        return (
            0,
            f"your checkpoint of size {one.size} cannot be compared: the pack has {manifest.tree_size} leaves",
        )
    if one.root != expected:
        raise Bad(
            "ledger/leaf_hashes.bin", f"your checkpoint of size {one.size} has another root: the record was rewritten"
        )
    return one.size, f"your checkpoint of size {one.size} fits"


def forked(records: Sequence[Record]) -> list[str]:
    """Places outside that hold another history, as the record itself says, and took no checkpoint since."""
    places: dict[str, bool] = {}
    for one in records:
        if one.kind in ("checkpoint.forked", "checkpoint.external"):
            places[str(one.body.get("place"))] = one.kind == "checkpoint.forked"
    return sorted(place for place, other in places.items() if other)


def gaps(records: Sequence[Record]) -> Iterator[str]:
    """How far apart the anchors are that the record itself names."""
    named = [one.body.get("tree_size") for one in records if one.kind == "checkpoint.external"]
    sizes = [0, *(size for size in named if isinstance(size, int))]
    if len(sizes) == 1:
        yield "gaps in anchoring: no record of the pack says that anything was anchored outside"
        return
    sizes = sorted({*sizes, records[-1].seq + 1})
    widest = max(pairwise(sizes), key=lambda pair: pair[1] - pair[0])
    yield f"gaps in anchoring: {len(sizes) - 2} anchors recorded; widest gap: records {widest[0]} to {widest[1] - 1}"


# --- Command line ----------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """Ends with the exit code of this program for wrong use."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"verify.py: {message}", file=sys.stderr)
        raise SystemExit(EXIT_USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 as required or better, 1 rejected, 2 usage, 3 weaker than --require, 4 governance findings."""
    parser = Parser(prog="verify.py", description="Verify an evidence pack, without a network and without its code.")
    parser.add_argument("pack", type=Path, help="the ZIP file, or the folder that it was unpacked into")
    parser.add_argument("--log-vkey", type=Path, metavar="F", help="your own copy of the ledger's key line")
    parser.add_argument(
        "--witness-vkey", type=Path, metavar="F", action="append", default=[], help="a witness you trust"
    )
    parser.add_argument("--min-witnesses", type=int, metavar="K", default=1, help="how many must have cosigned (1)")
    parser.add_argument("--checkpoint", type=Path, metavar="F", help="a checkpoint that you got elsewhere")
    parser.add_argument(
        "--tsa-ca", type=Path, metavar="F", help="the timestamp authority that you trust (PEM; needs openssl)"
    )
    parser.add_argument("--require", choices=WORDS[1:], default=CONSISTENT, help="the weakest verdict that is enough")
    parser.add_argument("--json", action="store_true", help="print the report for programs")
    given = parser.parse_args(arguments)
    try:
        if given.min_witnesses < 1:
            raise Usage(f"--min-witnesses {given.min_witnesses}: 1 or more are accepted")
        anchors = Anchors(
            log_vkey=brought(given.log_vkey),
            witnesses=tuple(filter(None, map(brought, given.witness_vkey))),
            min_witnesses=given.min_witnesses,
            checkpoint=given.checkpoint and given.checkpoint.read_bytes(),
            authority=given.tsa_ca,
        )
        for path in filter(None, (given.tsa_ca,)):
            path.read_bytes()
        try:
            report = verify(read_pack(given.pack), anchors, time.time())  # noqa: TID251 (a program reads the clock)
        except Bad as bad:
            report = Report(REJECTED, bad)
    except (Usage, OSError) as error:
        print(f"verify.py: {error}", file=sys.stderr)
        return EXIT_USAGE
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    print(json.dumps(report.as_json(given.require)) if given.json else report.as_text(), end="\n" if given.json else "")
    return report.exit_code(given.require)


def brought(path: Path | None) -> str | None:
    """The key line in a file of the reviewer. Raises Usage for what is none."""
    if path is None:
        return None
    try:
        line = path.read_text(encoding="utf-8").strip()
        vkey(line, str(path), algorithm=b64(line.split("+", 2)[2])[0])
    except (ValueError, IndexError, Bad) as error:
        raise Usage(f"{str(path)!r} holds no key line ({error})") from None
    return line


if __name__ == "__main__":
    raise SystemExit(main())

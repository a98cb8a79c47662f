"""One random change of a pack: of its container, its files, its lines, its proofs or its keys.

Some changes are clever: they list the files anew, sign with another key, or even with the ledger's own, so that
everything before the place of the change agrees.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import stat
import zipfile
from collections.abc import Callable

from countermand.canonical import canonical
from countermand.evidence.verify import BESIDE, L, zip_bytes
from tests.rules.evidence import packs
from tests.rules.evidence.ledgers import ORIGIN, Book, Key, a_ledger

Files = dict[str, bytes]
Mutation = Callable[[random.Random, Book, Files], bytes]
#: Its cosignature stands in the packs that are changed, and its key is with the reviewer.
WITNESS = Key("w", "witness")
LINES = ("ledger/records.jsonl", "reveals.jsonl")


def mutated(seed: int, book: Book, files: Files) -> tuple[str, bytes]:
    """Name of the change, and the container after it; always other bytes than before."""
    rng = random.Random(seed)  # noqa: S311
    before = zip_bytes(files)
    while True:
        change = rng.choice(MUTATIONS)
        raw = change(rng, book, dict(files))
        if raw != before:
            return change.__name__, raw


def changed(rng: random.Random, before: bytes, files: Files) -> tuple[str, bytes]:
    """The same for a pack whose ledger and keys are not here."""
    nobody = Book()
    nobody.lines = []
    while True:
        change = rng.choice(OF_ANY_PACK)
        raw = change(rng, nobody, dict(files))
        if raw != before:
            return change.__name__, raw


# --- The container ----------------------------------------------------------------------------------------------------


def bit_flipped(rng: random.Random, book: Book, files: Files) -> bytes:
    raw = bytearray(zip_bytes(files))
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    return bytes(raw)


def tail_cut(rng: random.Random, book: Book, files: Files) -> bytes:
    raw = zip_bytes(files)
    return raw[: rng.randrange(len(raw))]


def bytes_put_before_or_after(rng: random.Random, book: Book, files: Files) -> bytes:
    raw, more = zip_bytes(files), rng.randbytes(rng.randint(1, 9))
    return rng.choice([raw + more, more + raw])


def comment_written(rng: random.Random, book: Book, files: Files) -> bytes:
    return zip_bytes(files)[:-2] + b"\x02\x00hi"


def packed_by_another_tool(rng: random.Random, book: Book, files: Files) -> bytes:
    """A link, an entry twice, a compressed one, or only another time or mode."""
    how = rng.choice(["link", "twice", "deflated", "time", "mode", "extra"])
    chosen, out = rng.choice(sorted(files)), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(files):
            info = zipfile.ZipInfo(path)
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            if path == chosen:
                info.external_attr = {"link": stat.S_IFLNK | 0o777, "mode": stat.S_IFREG | 0o755}.get(how, 0o644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED if how == "deflated" else zipfile.ZIP_STORED
                info.date_time = (2026, 3, 2, 3, 0, 0) if how == "time" else info.date_time
                info.extra = b"\x55\x54\x01\x00\x00" if how == "extra" else b""
            archive.writestr(info, files[path])
    if how != "twice":
        return out.getvalue()
    raw = zip_bytes(files)
    one = zip_bytes({chosen: files[chosen]})
    return one[: 30 + len(chosen) + len(files[chosen])] + raw


# --- The files --------------------------------------------------------------------------------------------------------


def file_removed(rng: random.Random, book: Book, files: Files) -> bytes:
    del files[rng.choice(sorted(files))]
    return zip_bytes(files)


def file_added(rng: random.Random, book: Book, files: Files) -> bytes:
    names = ["notes.txt", "seal/more", "decisions/9999.json", "../x", "/etc/x", "a/./b", "ledger", "-x", "con\\x"]
    files[rng.choice(names)] = b"more"
    return zip_bytes(files)


def file_renamed(rng: random.Random, book: Book, files: Files) -> bytes:
    path = rng.choice(sorted(files))
    files[rng.choice([path + "x", path.upper(), "x" + path])] = files.pop(path)
    return zip_bytes(files)


def case_collided(rng: random.Random, book: Book, files: Files) -> bytes:
    path = rng.choice(sorted(files))
    files[path.swapcase()] = files[path]
    return zip_bytes(files)


def words_changed(rng: random.Random, book: Book, files: Files) -> bytes:
    path = rng.choice(["VERIFY.md", "verify.py", "verify.sh", "SUMMARY.html", "manifest.sha256", "keys/log.vkey"])
    files[path] = files[path].replace(b"e", b"E", 1)
    return _listed(rng, book, files)


# --- The lines --------------------------------------------------------------------------------------------------------


def line_changed(rng: random.Random, book: Book, files: Files) -> bytes:
    path = rng.choice(LINES)
    lines = files[path].splitlines(keepends=True)
    at = rng.randrange(len(lines))
    match rng.choice(["dropped", "doubled", "swapped", "inserted", "edited", "cut"]):
        case "dropped":
            del lines[at]
        case "doubled":
            lines.insert(at, lines[at])
        case "swapped":
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        case "inserted":
            lines.insert(at, lines[at].replace(b'"seq":', b'"seq":1', 1))
        case "edited":
            lines[at] = _edited(rng, lines[at])
        case _:
            lines[-1] = lines[-1][: -rng.randint(1, 30)]
    files[path] = b"".join(lines)
    return _listed(rng, book, files)


def _edited(rng: random.Random, line: bytes) -> bytes:
    at = rng.randrange(len(line) - 1)
    return line[:at] + bytes([(line[at] + rng.randint(1, 255)) % 256]) + line[at + 1 :]


def leaves_changed(rng: random.Random, book: Book, files: Files) -> bytes:
    raw = bytearray(files["ledger/leaf_hashes.bin"])
    raw[rng.randrange(len(raw))] ^= 1
    files["ledger/leaf_hashes.bin"] = rng.choice([bytes(raw), bytes(raw[:-32])])
    return _listed(rng, book, files)


def old_checkpoint(rng: random.Random, book: Book, files: Files) -> bytes:
    files["ledger/checkpoint"] = packs.checkpoint(book, rng.randrange(1, book.seq)).note.encode()
    return _listed(rng, book, files)


def decision_changed(rng: random.Random, book: Book, files: Files) -> bytes:
    path = rng.choice([path for path in sorted(files) if path.startswith(("decisions/", "keys/gateway-"))])
    raw = bytearray(files[path])
    raw[rng.randrange(len(raw))] ^= 1
    files[path] = bytes(raw)
    return _listed(rng, book, files)


# --- Keys, signatures, proofs -----------------------------------------------------------------------------------------


def another_key(rng: random.Random, book: Book, files: Files) -> bytes:
    """Everything anew, under the attacker's own key; the reviewer holds the right one."""
    attacker = Key("lg", "attacker")
    return zip_bytes(rng.choice([packs.a_pack(book, key=attacker), packs.a_pack(a_ledger(log=attacker))]))


def signature_bent(rng: random.Random, book: Book, files: Files) -> bytes:
    """s + L fits the equation and is not the signature that was made (RFC 8032 §8.4)."""
    path = rng.choice(["manifest.json.sig", "seal/index.json.sig"])
    s = int.from_bytes(files[path][32:], "little") + L
    files[path] = files[path][:32] + s.to_bytes(32, "little")
    return zip_bytes(files)


def statement_changed(rng: random.Random, book: Book, files: Files) -> bytes:
    bundle = json.loads(files["attestation.sigstore.json"])
    envelope = bundle["dsseEnvelope"]
    match rng.choice(["payload", "hint", "more", "sig"]):
        case "payload":
            said = json.loads(base64.b64decode(envelope["payload"]))
            said["predicate"]["tree_size"] += 1
            envelope["payload"] = base64.b64encode(json.dumps(said).encode()).decode()
        case "hint":
            bundle["verificationMaterial"]["publicKey"]["hint"] = "x"
        case "more":
            envelope["signatures"] *= 2
        case _:
            envelope["signatures"][0]["sig"] = envelope["signatures"][0]["sig"][:-4] + "AAA="
    files["attestation.sigstore.json"] = json.dumps(bundle).encode()
    return zip_bytes(files)


def proof_forged(rng: random.Random, book: Book, files: Files) -> bytes:
    """A seal whose index is signed anew by the ledger key, around a wrong proof."""
    proof, consistency = "seal/record.json.spicy", json.loads(files["seal/consistency.json"])
    text = files[proof].decode()
    head, _, note = text.partition("\n\n")
    name, *hashes = head.split("\n")
    match rng.choice(["short", "long", "other", "index", "loose", "shrunk", "grown", "bent", "leaf"]):
        case "short":
            hashes.pop()
        case "long":
            hashes.append(hashes[0])
        case "other":
            hashes[rng.randrange(len(hashes))] = base64.b64encode(rng.randbytes(32)).decode()
        case "index":
            name = f"index {rng.randrange(100)}"
        case "loose":
            hashes[0] = hashes[0][:-2] + chr(ord(hashes[0][-2]) + 1) + "="
        case "shrunk":
            consistency["hashes"] = consistency["hashes"][:-1]
        case "grown":
            consistency["hashes"].append("0" * 64)
        case "bent":
            consistency["hashes"][0] = rng.randbytes(32).hex()
        case _:
            files["seal/record.json"] = book.lines[rng.randrange(book.seq)].encode()
    files[proof] = "\n".join([name, *hashes, "", note]).encode()
    files["seal/record.json.tlog-proof"] = b"c2sp.org/tlog-proof@v1\n" + files[proof]
    files["seal/consistency.json"] = canonical(consistency)
    return zip_bytes(_sealed_anew(book, files))


def note_changed(rng: random.Random, book: Book, files: Files) -> bytes:
    """A checkpoint of the seal with other lines, its index signed anew by the ledger key."""
    old = files["seal/checkpoint"].decode()
    body, _, signatures = old.partition("\n\n")
    lines = signatures.splitlines(keepends=True)
    match rng.choice(["twice", "unsigned", "size", "origin", "future", "loose", "forged"]):
        case "twice":
            new = f"{body}\n\n{signatures}{lines[-1]}"
        case "unsigned":
            new = f"{body}\n\n{lines[-1]}"
        case "size":
            new = old.replace(f"\n{book.seq + 2}\n", f"\n0{book.seq + 2}\n")
        case "origin":
            new = old.replace(ORIGIN, ORIGIN + "x")
        case "future":
            point = packs.checkpoint(book, book.seq).model_copy(update={"note": f"{body}\n\n"})
            new = f"{body}\n\n{lines[0]}{packs.cosignature(point, WITNESS, int(packs.NOW) + 4_000)}\n"
        case "loose":
            new = old[:-2] + "\n"
        case _:
            wrong = packs.checkpoint(book, 3)
            new = f"{body}\n\n{lines[0]}{packs.cosignature(wrong, WITNESS)}\n"
    files["seal/checkpoint"] = new.encode()
    for path in ("seal/record.json.spicy", "seal/record.json.tlog-proof"):
        files[path] = files[path].replace(old.encode(), new.encode())
    return zip_bytes(_sealed_anew(book, files))


# --- How clever -------------------------------------------------------------------------------------------------------


def _listed(rng: random.Random, book: Book, files: Files) -> bytes:
    """The container after the change: plain, listed anew, signed by another, or signed by the ledger key itself."""
    how = rng.choice(["plain", "listed", "another key", "own key"] if book.lines else ["plain", "listed"])
    if how == "plain":
        return zip_bytes(files)
    said = json.loads(files["manifest.json"])
    for entry in said["files"]:
        raw = files[entry["path"]]
        entry.update(size=len(raw), sha256=hashlib.sha256(raw).hexdigest())
    raw = canonical(said)
    if how == "listed":
        return zip_bytes(files | {"manifest.json": raw})
    own = {path: raw for path, raw in files.items() if path not in BESIDE and not path.startswith("seal/")}
    if how == "another key":
        attacker = Key("lg", "attacker")
        said["log_vkey"] = packs.vkey(ORIGIN, attacker.public)
        return zip_bytes(packs.finished(book, own, canonical(said), attacker))
    # Words and leaves that their own key signs are theirs to change, and listed as such; records are not.
    if any(own[path] != before for path, before in _original(book, own).items()):
        return zip_bytes(packs.finished(book, own, raw, book.log))
    return zip_bytes(files | {"manifest.json": raw})


def _original(book: Book, files: Files) -> Files:
    """What may not change even where the ledger key signs everything anew."""
    kind = "period" if files["ledger/records.jsonl"].count(b"\n") > 40 else "incident"
    profile = "redacted" if b'"omitted":"redacted"' in files["reveals.jsonl"] else "full"
    whole = packs.a_pack(book, kind, profile)  # type: ignore[arg-type]
    held = ("ledger/", "keys/", "decisions/", "reveals.jsonl")
    return {path: raw for path, raw in whole.items() if path.startswith(held)}


def _sealed_anew(book: Book, files: Files) -> Files:
    listing = json.loads(files["seal/index.json"])
    for entry in listing["files"]:
        raw = files[entry["path"]]
        entry.update(size=len(raw), sha256=hashlib.sha256(raw).hexdigest())
    files["seal/index.json"] = canonical(listing)
    files["seal/index.json.sig"] = book.log.sign(files["seal/index.json"])
    return files


MUTATIONS: tuple[Mutation, ...] = (
    bit_flipped, tail_cut, bytes_put_before_or_after, comment_written, packed_by_another_tool, file_removed,
    file_added, file_renamed, case_collided, words_changed, line_changed, line_changed, line_changed, leaves_changed,
    old_checkpoint, decision_changed, another_key, signature_bent, statement_changed, proof_forged, note_changed,
)  # fmt: skip
#: Those that need no more than the pack itself.
OF_ANY_PACK: tuple[Mutation, ...] = (
    bit_flipped, tail_cut, bytes_put_before_or_after, comment_written, packed_by_another_tool, file_removed,
    file_added, file_renamed, case_collided, words_changed, line_changed, leaves_changed, decision_changed,
    signature_bent, statement_changed,
)  # fmt: skip

"""`python -m scripts.verify_pack pack.zip`: an evidence pack under every tool that is here, and what each one proves.

`verify.py` of this checkout runs as a stranger would run it: in an empty folder, without environment, outside of ours.
Exit 1 when any tool that ran says no; what is not installed is `not run` and says so.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from countermand.evidence import verify
from countermand.evidence.verify import PREDICATE_TYPE

ROOT = Path(__file__).parent.parent
SIGSTORE = ROOT / "requirements" / "sigstore"
NOT_RUN = "not run"

#: Tool, verdict, what it proves.
Row = tuple[str, str, str]


def main() -> int:
    """Exit code: 0 when every tool that ran accepts the pack, 1 when one does not, 2 for wrong use."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        print("usage: python -m scripts.verify_pack PACK.zip", file=sys.stderr)
        return 2
    pack = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        rows = list(judged(pack, Path(name)))
    table = Table("tool", "verdict", "what it proves", title=pack.name)
    for row in rows:
        table.add_row(*row)
    Console().print(table)
    return int(any(verdict.startswith(verify.REJECTED) for _, verdict, _ in rows))


def judged(pack: Path, folder: Path) -> Iterator[Row]:
    """A row for each tool."""
    yield stranger(pack, folder)
    try:
        files = verify.read_pack(pack)
    except verify.Bad as bad:
        yield "all others", f"{NOT_RUN}: the container is not read", str(bad)
        return
    place = folder / "pack"
    for path, raw in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(raw)
    yield ran("sha256sum", ["-c", "--strict", "--quiet", "manifest.sha256"], place, "the files equal the list")
    yield openssl(place, "keys/ledger.pub.pem", "manifest.json", "manifest.json.sig", "the ledger key signed the list")
    yield openssl(place, "keys/ledger.pub.pem", "seal/index.json", "seal/index.json.sig", "it signed the seal")
    yield from decisions(place)
    yield ssh_keygen(place)
    bundle, key = "attestation.sigstore.json", "keys/ledger.pub.pem"
    cosign = ["verify-blob-attestation", "--key", key, "--bundle", bundle, "--type", PREDICATE_TYPE]
    about = "the ledger key signed the statement about the list"
    yield ran("cosign", [*cosign, "--insecure-ignore-tlog=true", "manifest.json"], place, about)
    if (SIGSTORE / "node_modules").is_dir():
        _, verdict, _ = ran("node", [str(SIGSTORE / "verify.mjs"), bundle, key], place, about)
        yield "@sigstore/verify", verdict, about
    else:
        yield "@sigstore/verify", f"{NOT_RUN}: make sigstore-env installs it", about
    line = (place / "keys/log.vkey").read_text(encoding="utf-8").strip()
    proves = "the record of the sealing is in the signed tree"
    yield ran("spicy-torchwood", ["-verify", line, "record.json"], place / "seal", proves)
    yield pymerkle(files)


def pymerkle(files: dict[str, bytes]) -> Row:
    """The tree over all records by another library (a development tool of ours), where the pack holds all of them."""
    proves = "the records make the root that the list names"
    said, lines = json.loads(files["manifest.json"]), files["ledger/records.jsonl"].splitlines()
    if importlib.util.find_spec("pymerkle") is None:
        return "pymerkle", f"{NOT_RUN}: pymerkle is not here", proves
    if len(lines) != said["tree_size"]:
        return "pymerkle", f"{NOT_RUN}: {len(lines)} of {said['tree_size']} records are in this pack", proves
    tree = importlib.import_module("pymerkle").InmemoryTree(algorithm="sha256")
    for line in lines:
        tree.append_entry(line)
    return "pymerkle", "accepted" if tree.get_root().hex() == said["root"] else verify.REJECTED, proves


def stranger(pack: Path, folder: Path) -> Row:
    """`verify.py`, in an empty folder, without environment and without site packages."""
    empty = folder / "empty"
    empty.mkdir()
    shutil.copy(ROOT / "countermand" / "evidence" / "verify.py", folder / "verify.py")
    python = str(Path(sys.base_prefix) / "bin" / "python3")
    answer = subprocess.run(
        ["env", "-i", python, "-I", str(folder / "verify.py"), str(pack)],
        cwd=empty, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    words = [line.split(": ", 1)[1] for line in answer.stdout.splitlines() if line.startswith(("verdict", "first bad"))]
    verdict = ": ".join(words) or f"{verify.REJECTED}: {answer.stderr.strip()}"
    if answer.returncode == verify.EXIT_FINDINGS:
        verdict += ", with governance findings"
    return "python3 -I verify.py", verdict, "all of the below but cosign, and the records, approvals and commitments"


def decisions(place: Path) -> Iterator[Row]:
    """One row for all signed decisions; the first that is refused is named."""
    refused, number, tool = "", 0, None
    for path in sorted(place.glob("decisions/*.json")):
        key = f"keys/gateway-{json.loads(path.read_bytes())['gateway_key_id']}.pub.pem"
        name = path.relative_to(place).as_posix()
        _, verdict, _ = tool = openssl(place, key, name, name.replace(".json", ".sig"), "")
        number, refused = number + 1, refused or (name if verdict.startswith(verify.REJECTED) else "")
    if tool is not None:
        verdict = f"{verify.REJECTED}: {refused}" if refused else tool[1]
        yield "openssl pkeyutl", verdict, f"the gateway accepted exactly these {number} decisions"


def openssl(place: Path, key: str, data: str, signature: str, proves: str) -> Row:
    """A raw Ed25519 signature under OpenSSL 3."""
    arguments = ["pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin", "-in", data, "-sigfile", signature]
    _, verdict, _ = ran("openssl", arguments, place, proves)
    return "openssl pkeyutl", verdict, proves


def ssh_keygen(place: Path) -> Row:
    """The OpenSSH signature of the list."""
    signers = "keys/ledger.allowed_signers"
    who = (place / signers).read_text(encoding="utf-8").split(" ")[0]
    arguments = ["-Y", "verify", "-f", signers, "-I", who, "-n", verify.SSH_NAMESPACE, "-s", "manifest.json.sshsig"]
    return ran("ssh-keygen", arguments, place, "the ledger key signed the list", "manifest.json")


def ran(tool: str, arguments: list[str], folder: Path, proves: str, stdin: str | None = None) -> Row:
    """The verdict of one tool by its exit code."""
    if shutil.which(tool) is None:
        return tool, f"{NOT_RUN}: {tool} is not here", proves
    said = (folder / stdin).read_bytes() if stdin else b""
    answer = subprocess.run([tool, *arguments], cwd=folder, input=said, capture_output=True, timeout=120, check=False)
    return tool, "accepted" if answer.returncode == 0 else verify.REJECTED, proves


if __name__ == "__main__":
    raise SystemExit(main())

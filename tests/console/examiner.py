"""What a reviewer asks of a pack (evidence.md §1), answered from its files alone: `python3 -I examiner.py PACK.zip`.

Nothing of the product is imported. Prints one JSON object with an answer per question; a question without facts is
answered with the reason that the manifest gives.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from typing import Any


class Pack:
    def __init__(self, path: str) -> None:
        with zipfile.ZipFile(path) as container:
            self.files = {name: container.read(name) for name in container.namelist()}
        self.absent = {one["path"]: one["reason"] for one in self.json("manifest.json")["not_applicable"]}

    def json(self, path: str) -> Any:
        return json.loads(self.files[path])

    def lines(self, path: str) -> list[Any]:
        return [json.loads(line) for line in self.files[path].splitlines()]

    def why_not(self, path: str) -> str:
        """The reason for a file that is not there. Raises KeyError when it is missing in silence."""
        return self.absent[next(known for known in self.absent if path == known or path.startswith(f"{known}/"))]


def answers(pack: Pack) -> dict[str, Any]:
    manifest = pack.json("manifest.json")
    asked: dict[str, Any] = {"tree_size": len(pack.files["ledger/leaf_hashes.bin"]) // 32}
    assert asked["tree_size"] == manifest["tree_size"]
    if "population/all_rollbacks.csv" in pack.files:
        rows = list(csv.DictReader(io.StringIO(pack.files["population/all_rollbacks.csv"].decode(), newline="")))
        asked["which rollbacks"] = [(row["incident_id"], row["outcome"]) for row in rows]
        asked["gaps"] = pack.json("population/gaps.json")["gaps"]
    else:
        asked["which rollbacks"] = pack.why_not("population/all_rollbacks.csv")
    asked["who decided"] = [
        {
            "name": one["actor"]["printed_name"],
            "roles": one["actor"]["roles"],
            "role_as_of": one["actor"]["role_as_of"],
            "signed_in": one["acr"],
            "delegated_by": one["actor"].get("delegated_by"),
            "before_expiry": one["decided_at"] <= one["expires_at"],
            "four_eyes": one["actor"]["subject"] not in (*one["excluded"], one["requester"]),
            "signature_bytes": len(pack.files[one["signature_file"]]),
            "saw": saw(pack, one["view_sha256"]),
        }
        for one in pack.lines("decisions.jsonl")
    ]
    [deviation] = pack.json("plan/deviation.json")
    asked["plan"] = [len(one["plan"]["stages"]) for one in pack.json("plan/requested.json")]
    asked["approved by"] = [[vote["name"] for vote in one["votes"]] for one in pack.json("plan/approved.json")]
    asked["executed"] = [one["outcome"]["result"] for one in pack.json("plan/executed.json")]
    asked["deviation"] = deviation["sentence"]
    asked["fired"] = [one["trigger"] for one in pack.json("signals/fired.json")]
    asked["blocks"] = len(pack.lines("signals/blocks.jsonl"))
    asked["thresholds"] = [(one["name"], one["version"]) for one in pack.json("signals/thresholds_in_force.json")]
    asked["changed by"] = [one["actor"] for one in pack.lines("signals/threshold_history.jsonl")]
    asked["back-test"] = pack.why_not("signals/backtests")
    asked["before"] = pack.json("versions/before.json")[0]["candidate"]["digests"]["name"]
    asked["after"] = pack.json("versions/after.json")[0]["went_back_to"]["digests"]["name"]
    asked["share after"] = pack.json("versions/after.json")[0]["split"]["candidate_bp"]
    asked["frozen"] = [item["name"] for item in pack.json("freeze/inventory.json")[0]["items"]]
    asked["read back"] = {one["body"]["word"] for one in pack.lines("verification/configured.jsonl")} == {"pass"}
    asked["well again"] = [one["body"]["name"] for one in pack.lines("verification/healthy.jsonl")]
    for question, path in (
        ("kept", "data/retained.jsonl"),
        ("purged", "data/purge_certificates.jsonl"),
        ("held", "data/holds.jsonl"),
        ("clocks", "obligations/clocks.jsonl"),
        ("why not reported", "obligations/regime_decisions.jsonl"),
        ("rehearsed", "rehearsal/last.json"),
    ):
        asked[question] = len(pack.files[path].splitlines()) if path in pack.files else pack.why_not(path)
    asked["told"] = sorted(
        {one["body"]["audience"] for one in pack.lines("comms/receipts.jsonl") if one["kind"] == "comms.sent"}
    )
    asked["how to check"] = sorted({"VERIFY.md", "verify.py", "verify.sh"} & pack.files.keys())
    asked["controls"] = len(pack.json("control_map.json")["controls"])
    return asked


def saw(pack: Pack, view: str | None) -> int | str:
    """How many bytes they were shown, or why these are not here."""
    if view is None:
        return "nothing is named"
    path = f"views/{view.removeprefix('sha256:')}"
    return len(pack.files[path]) if path in pack.files else pack.why_not(path)


if __name__ == "__main__":
    json.dump(answers(Pack(sys.argv[1])), sys.stdout)

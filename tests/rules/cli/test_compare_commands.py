"""`bundle`, `diff` and `output trace` as people use them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from countermand.canonical import digest_bytes
from countermand.cli.exits import Exit
from countermand.compare.manifest import MAX_CONTENT, PARTS, Manifest
from tests.rules.cli.conftest import Shell
from tests.rules.cli.fake_console import FakeConsole

PROMPT = b"Answer from the passages only.\n"
DIGEST = "sha256:" + "a" * 64


def written(folder: Path, **changes: Any) -> Path:
    """A manifest file whose prompt is a file beside it."""
    (folder / "prompt.txt").write_bytes(PROMPT)
    parts = {part: {"digest": f"sha256:{part}"} for part in PARTS} | {"prompt": {"file": "prompt.txt"}}
    document = {"schema": "countermand.bundle/v1", "name": "v7", "parts": parts} | changes
    file = folder / "bundle.json"
    file.write_text(json.dumps(document))
    return file


def view(**changes: Any) -> dict[str, Any]:
    return {
        "schema": "countermand.bundle_view/v1", "digest": DIGEST, "name": "v7",
        "parts": {part: f"sha256:{part}" for part in PARTS} | {"prompt": digest_bytes(PROMPT)},
        "manifest": None, "manifest_digest": None, "stored": [], "described_by": None, "described_at": None,
    } | changes  # fmt: skip


def test_a_manifest_is_sent_with_the_bytes_of_its_files_under_the_digest_of_its_bundle(
    console: FakeConsole, shell: Shell, tmp_path: Path
) -> None:
    file = written(tmp_path)
    parts = {part: {"digest": f"sha256:{part}"} for part in PARTS}
    parts["prompt"] = {"digest": digest_bytes(PROMPT), "media_type": "text/plain", "size": len(PROMPT)}
    expected = Manifest.model_validate({"name": "v7", "parts": parts})
    request = f"POST /api/v1/bundles/{expected.bundle.digest}"
    console.on(request, (200, view(digest=expected.bundle.digest)))
    ended = shell("bundle", "put", str(file))
    assert (ended.code, ended.err) == (Exit.done, "")
    assert expected.bundle.digest in ended.out
    (sent,) = console.of(request)
    assert sent.body == {
        "manifest": expected.document,
        "contents": {"prompt": base64.b64encode(PROMPT).decode()},
    }


def test_a_part_that_is_too_large_is_named_by_its_digest_and_not_sent(
    console: FakeConsole, shell: Shell, tmp_path: Path
) -> None:
    parts = {part: {"digest": f"sha256:{part}"} for part in PARTS} | {"index": {"file": "index.bin"}}
    (tmp_path / "index.bin").write_bytes(b"x" * (MAX_CONTENT + 1))
    shell("bundle", "put", str(written(tmp_path, parts=parts)))
    body = console.sent[-1].body
    assert body["contents"] == {}
    assert body["manifest"]["parts"]["index"]["size"] == MAX_CONTENT + 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- just\n- a list\n", "holds list, not keys and values"),
        ("schema: [", "it is no YAML"),
        ("schema: countermand.bundle/v2\nname: v7\nparts: {}\n", "schema: Input should be"),
        ("schema: countermand.bundle/v1\nname: v7\nparts: {}\n", "parts lacks model, prompt"),
        ("schema: countermand.bundle/v1\nname: v7\nparts: {prompt: {file: gone.txt}}\n", "gone.txt' cannot be read"),
    ],
)
def test_a_file_that_is_no_manifest_is_refused_before_anything_is_sent(
    console: FakeConsole, shell: Shell, tmp_path: Path, content: str, said: str
) -> None:
    file = tmp_path / "bundle.yaml"
    file.write_text(content)
    ended = shell("bundle", "put", str(file))
    assert ended.code in (Exit.failed, Exit.usage)
    assert said in ended.err
    assert "docs/compare.md" in ended.err
    assert console.sent == []


def test_a_stated_digest_that_is_not_the_files_is_refused(console: FakeConsole, shell: Shell, tmp_path: Path) -> None:
    parts = {part: {"digest": f"sha256:{part}"} for part in PARTS}
    file = written(tmp_path, parts=parts | {"prompt": {"file": "prompt.txt", "digest": "sha256:other"}})
    ended = shell("bundle", "put", str(file))
    assert (ended.code, console.sent) == (Exit.failed, [])
    assert "the manifest says 'sha256:other'" in ended.err


def test_a_bundle_that_nobody_described_is_shown_as_unknown(console: FakeConsole, shell: Shell) -> None:
    console.on(f"GET /api/v1/bundles/{DIGEST}", (200, view()))
    ended = shell("bundle", "show", DIGEST)
    assert ended.code == Exit.done
    assert "trained on: unknown, nobody described this bundle" in ended.out


def test_bytes_of_a_part_are_given_only_when_they_are_the_right_ones(console: FakeConsole, shell: Shell) -> None:
    console.on(f"GET /api/v1/bundles/{DIGEST}", (200, view(stored=["prompt"])))
    console.on(f"GET /api/v1/bundles/{DIGEST}/parts/prompt", (200, PROMPT.decode()), (200, "something else"))
    for code, out in ((Exit.done, PROMPT.decode()), (Exit.integrity, "")):
        ended = shell("bundle", "part", DIGEST, "prompt")
        assert (ended.code, ended.out) == (code, out)


def test_a_part_that_no_bundle_has_is_a_usage_error(console: FakeConsole, shell: Shell) -> None:
    console.on(f"GET /api/v1/bundles/{DIGEST}", (200, view()))
    ended = shell("bundle", "part", DIGEST, "weights")
    assert ended.code == Exit.usage
    assert "'weights' is no part of a bundle" in ended.err


def comparison() -> dict[str, Any]:
    reading = {"value": 2.0, "n": 500, "said": "2.00 % bad (10 of 500 outputs)"}
    delta = {"category": None, "meaning": "m", "unit": "%", "confidence": 0.95, "blockwise": None}
    nothing = {"value": None, "n": 0, "said": "not measured"}
    parts = [{"part": part, "word": "same", "a": "x", "b": "x", "lines": [], "more": 0, "why": ""} for part in PARTS]
    parts[4] |= {"word": "changed", "how": "keys", "lines": ["~ passages: 9 values → 7 values", "- p[]: \u202erefunds"]}
    parts[2] |= {"word": "changed", "how": "bytes", "why": "the bytes of b are not kept here"}
    return {
        "a": {"said": "v7:baseline", "name": "v6", "digest": "sha256:6", "manifest_digest": None},
        "b": {"said": "v7:candidate", "name": "v7", "digest": "sha256:7", "manifest_digest": None},
        "parts": parts,
        "datasets": {"word": "unknown", "added": [], "removed": [], "why": "no manifest of a says what"},
        "measured": {
            "concurrent": True, "sentence": "Both served side by side in v7.",
            "served": ["v7:baseline", "v7:candidate"],
            "signals": [
                delta | {"signal": "accuracy", "a": reading, "b": reading, "word": "worse", "method": "Newcombe 1998",
                         "sentence": "From a to b +6 points: worse."},
                delta | {"signal": "refusals", "a": nothing, "b": nothing, "word": "not_measured", "method": "",
                         "sentence": "Not measured: no known block side by side."},
            ],
        },
    }  # fmt: skip


def test_a_comparison_reads_from_top_to_bottom_with_what_is_not_known(console: FakeConsole, shell: Shell) -> None:
    console.on("POST /api/v1/compare", (200, comparison()))
    ended = shell("diff", "v7:baseline", "v7:candidate")
    assert ended.code == Exit.done
    assert console.of("POST /api/v1/compare")[0].body == {"a": "v7:baseline", "b": "v7:candidate"}
    lines = ended.out.splitlines()
    assert "■ same: model, prompt, guardrail, harness, training data" in lines
    assert "    - p[]: <U+202E>refunds" in lines
    assert "    how is not known: the bytes of b are not kept here" in lines
    assert "? trained on: unknown, no manifest of a says what" in lines
    assert "▲ accuracy: 2.00 % bad (10 of 500 outputs) → 2.00 % bad (10 of 500 outputs)" in lines
    assert "? refusals: not measured → not measured" in lines


def test_a_manifest_file_is_compared_by_its_content(console: FakeConsole, shell: Shell, tmp_path: Path) -> None:
    console.on("POST /api/v1/compare", (200, comparison()))
    ended = shell("diff", str(written(tmp_path)), "v7:candidate", "-o", "json")
    assert json.loads(ended.out) == comparison()
    body = console.of("POST /api/v1/compare")[0].body
    assert body["a"]["contents"] == {"prompt": base64.b64encode(PROMPT).decode()}


def test_an_unknown_version_is_a_usage_error_with_what_would_be_accepted(console: FakeConsole, shell: Shell) -> None:
    refused = {"code": "unknown_version", "detail": "'x' is no version that is known here", "next": "Give RELEASE:…"}
    console.on("POST /api/v1/compare", (404, refused))
    ended = shell("diff", "x", "v7:candidate")
    assert ended.code == Exit.usage
    assert "next: Give RELEASE:…" in ended.err


def test_a_trace_leads_from_an_id_to_the_data_sets(console: FakeConsole, shell: Shell) -> None:
    origin = {
        "release_id": "r", "environment": "production", "arm": "candidate",
        "bundle": {"name": "v7", "digest": "sha256:7"}, "parts": {"model": "sha256:m"},
        "manifest_digest": "sha256:man", "described_by": "Lena",
        "datasets": [{"name": "tickets", "digest": "sha256:t", "location": "s3://data/t"}],
    }  # fmt: skip
    label = {
        "observation_id": "a/b", "source": "judge", "release_id": "r", "arm": "candidate", "signal": "refusals",
        "at": "2026-11-20T03:14:05.000000Z", "label": "bad", "groups": [], "late": False,
        "block": {"seq": 96, "digest": "sha256:row", "verdict": "watch"}, "why_no_block": "",
    }  # fmt: skip
    body = {"output_id": "a", "origins": [origin], "labels": [label], "not_kept": "Not kept: its text."}
    console.on("GET /api/v1/outputs/a%2Fb", (200, body))
    ended = shell("output", "trace", "a/b")
    assert ended.code == Exit.done
    assert "trained on: tickets (sha256:t) at s3://data/t" in ended.out
    assert "block 96 sha256:row, verdict watch" in ended.out
    assert ended.out.endswith("Not kept: its text.\n")

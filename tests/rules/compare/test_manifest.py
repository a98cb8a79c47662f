"""What a manifest may say about a bundle, and when it is refused (R70, R71)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from countermand.canonical import digest_bytes
from countermand.compare.manifest import MAX_CONTENT, PARTS, Dataset, Manifest, ManifestRefused, agreed, check_contents
from countermand.plan.model import Bundle
from tests import cases

PROMPT = b"Answer from the passages only.\n"


def document(**changes: Any) -> dict[str, Any]:
    parts = {part: {"digest": f"sha256:{part}"} for part in PARTS}
    parts["prompt"] = {"digest": digest_bytes(PROMPT), "media_type": "text/plain", "size": len(PROMPT)}
    return {"schema": "countermand.bundle/v1", "name": "assistant v7", "parts": parts} | changes


def manifest(**changes: Any) -> Manifest:
    return Manifest.model_validate(document(**changes))


def test_a_manifest_names_every_part_of_a_bundle_and_makes_its_digest() -> None:
    assert set(PARTS) == set(Bundle.model_fields) - {"name"}
    found = manifest()
    assert found.bundle == Bundle(name="assistant v7", **{part: found.parts[part].digest for part in PARTS})
    agreed(found, found.bundle.digest, None)


def test_its_own_digest_is_that_of_its_canonical_bytes_whatever_the_order_it_was_written_in() -> None:
    there = json.loads(json.dumps(document()))
    back = dict(reversed(list(there.items()))) | {"parts": dict(reversed(list(there["parts"].items())))}
    assert Manifest.model_validate(back).digest == manifest().digest == digest_bytes(manifest().raw)
    assert Manifest.model_validate_json(manifest().raw) == manifest()
    assert manifest().digest != manifest().bundle.digest


def test_a_part_that_is_not_the_bundles_is_refused_by_name() -> None:
    known = manifest().bundle.model_copy(update={"index": "sha256:other", "decoding": "sha256:another"})
    with pytest.raises(ManifestRefused) as refused:
        agreed(manifest(), known.digest, known)
    assert refused.value.parts == ("decoding", "index")
    assert "index is 'sha256:index', in the bundle 'sha256:other'" in str(refused.value)


def test_a_name_that_is_not_the_bundles_is_refused() -> None:
    known = cases.bundle("v8", **manifest().bundle.model_dump(exclude={"name"}))
    with pytest.raises(ManifestRefused, match="'assistant v7', the bundle 'v8'"):
        agreed(manifest(), known.digest, known)


def test_a_manifest_of_an_unknown_bundle_has_to_make_the_digest_it_is_put_under() -> None:
    with pytest.raises(ManifestRefused, match=r"make the bundle sha256:\w+, not sha256:0000"):
        agreed(manifest(), "sha256:0000", None)


@pytest.mark.parametrize("part", PARTS)
def test_a_manifest_without_one_of_the_parts_is_refused(part: str) -> None:
    lacking = document()
    del lacking["parts"][part]
    with pytest.raises(ValidationError, match=f"parts lacks {part}"):
        Manifest.model_validate(lacking)


@pytest.mark.parametrize(
    "location",
    [
        "https://storage.example/model?X-Amz-Signature=abc",
        "https://user:secret@storage.example/model",
        "s3://key:secret@bucket/model",
        "https://storage.example/model#token=abc",
    ],
)
def test_a_location_that_could_carry_a_secret_is_refused_without_repeating_it(location: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Dataset(name="tickets", digest="sha256:1", location=location)
    said = refused.value.errors(include_input=False)[0]["msg"]
    assert "secrets hide" in said
    assert not {"secret@", "abc"} & set(said.split("'"))
    assert "Signature" not in said
    assert "user:" not in said


@pytest.mark.parametrize(
    "location", ["s3://bucket/key", "mlflow:models/assistant/7", "oci://registry.example/m@sha256"]
)
def test_a_plain_location_is_accepted(location: str) -> None:
    assert Dataset(name="tickets", digest="sha256:1", location=location).location == location


def test_two_data_sets_of_one_name_are_refused() -> None:
    twice = [{"name": "tickets", "digest": "sha256:1"}, {"name": "tickets", "digest": "sha256:2"}]
    with pytest.raises(ValidationError, match="'tickets' twice"):
        manifest(datasets=twice)


def test_nobody_said_is_not_trained_on_nothing() -> None:
    assert manifest().datasets is None
    assert manifest(datasets=[]).datasets == ()
    assert manifest().digest != manifest(datasets=[]).digest


def test_bytes_are_taken_only_when_they_are_what_the_bundle_names() -> None:
    check_contents(manifest(), {"prompt": PROMPT})
    for part, raw, said in (
        ("prompt", PROMPT + b" ", "the bundle says"),
        ("index", PROMPT, "the bundle says 'sha256:index'"),
        ("prompt", b"x" * (MAX_CONTENT + 1), "up to 1,048,576"),
    ):
        with pytest.raises(ManifestRefused, match=said) as refused:
            check_contents(manifest(), {part: raw})
        assert refused.value.parts == (part,)


def test_a_size_that_is_not_the_contents_is_refused() -> None:
    wrong = document()
    wrong["parts"]["prompt"]["size"] = 5
    with pytest.raises(ManifestRefused, match="has 31 bytes, the manifest says 5"):
        check_contents(Manifest.model_validate(wrong), {"prompt": PROMPT})

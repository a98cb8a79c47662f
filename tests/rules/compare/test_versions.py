"""Two versions part by part."""

from __future__ import annotations

from countermand.compare.manifest import PARTS, Manifest
from countermand.compare.versions import Version, datasets, parts
from countermand.plan.model import Bundle
from tests.rules.compare.test_manifest import manifest


def version(*, contents: dict[str, bytes] | None = None, known: Manifest | None = None, **changed: str) -> Version:
    bundle = Bundle(name="v", **{part: "sha256:1" for part in PARTS} | changed)
    return Version(said="v", bundle=bundle, manifest=known, contents=contents or {})


def test_every_part_is_the_same_or_changed_in_the_order_of_a_bundle() -> None:
    found = parts(version(), version(index="sha256:2"))
    assert [one.part for one in found] == list(PARTS)
    assert {one.part for one in found if one.word == "changed"} == {"index"}


def test_a_part_whose_bytes_are_not_kept_is_said_to_differ_and_why_not_how() -> None:
    a, b = version(contents={"prompt": b"x"}, prompt="sha256:a"), version(prompt="sha256:b")
    found = {one.part: one for one in parts(a, b)}["prompt"]
    assert (found.how, found.lines, found.why) == ("bytes", (), "the bytes of b are not kept here")


def test_kept_bytes_are_compared() -> None:
    a = version(contents={"prompt": b"one\n"}, prompt="sha256:a")
    b = version(contents={"prompt": b"two\n"}, prompt="sha256:b")
    found = {one.part: one for one in parts(a, b)}["prompt"]
    assert (found.how, found.lines[-2:]) == ("text", ("-one", "+two"))


def test_data_sets_come_and_go_by_name_and_digest() -> None:
    old, new, same = ({"name": name, "digest": f"sha256:{d}"} for name, d in (("t", 1), ("t", 2), ("u", 3)))
    found = datasets(version(known=manifest(datasets=[old, same])), version(known=manifest(datasets=[same, new])))
    assert (found.word, [one.digest for one in found.added], [one.digest for one in found.removed]) == (
        "changed", ["sha256:2"], ["sha256:1"]
    )  # fmt: skip


def test_data_sets_that_nobody_stated_are_unknown_and_never_the_same() -> None:
    nobody = version(known=manifest())
    assert datasets(version(), version()).word == "unknown"
    assert datasets(nobody, version(known=manifest(datasets=[]))).why == "no manifest of a says what it was trained on"
    empty = version(known=manifest(datasets=[]))
    assert datasets(empty, empty).word == "same"

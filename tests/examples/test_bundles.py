"""What the demo says its two versions are made of."""

from __future__ import annotations

import base64

from countermand.compare.contents import change
from countermand.compare.manifest import PARTS, Manifest, check_contents
from examples.demo.bundles import BASELINE, CANDIDATE
from examples.demo.knowledge import FACTS, RARE_TOPICS


def test_the_manifests_name_exactly_the_parts_that_answer() -> None:
    for served in (BASELINE, CANDIDATE):
        described = served.described
        manifest = Manifest.model_validate(described["manifest"])
        contents = {part: base64.b64decode(raw) for part, raw in described["contents"].items()}
        assert manifest.bundle == served.bundle
        assert set(contents) == set(PARTS)
        check_contents(manifest, contents)


def test_the_difference_of_the_indexes_names_every_passage_that_was_lost_and_nothing_else() -> None:
    found = change(BASELINE.contents["index"], CANDIDATE.contents["index"])
    lost = [fact.text for fact in FACTS if fact.topic in RARE_TOPICS]
    gone = [line for line in found.lines if line.startswith("- ")]
    assert len(lost) == len(gone) > 0
    assert all(any(text[:60] in line for line in gone) for text in lost)
    assert all(line.endswith("(once more)") for line in found.lines if line.startswith("+ "))


def test_the_difference_of_the_decodings_is_read_value_by_value() -> None:
    found = change(BASELINE.contents["decoding"], CANDIDATE.contents["decoding"])
    assert found.lines == ("~ minimum: 300 → 200", "~ sure: 0 → 300")

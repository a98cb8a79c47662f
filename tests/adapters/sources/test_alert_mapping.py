"""Mappings of foreign JSON are data: places, types, ranges and tables, and nothing that computes (SRC-28, SRC-29)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

from adapters.settings import SettingsInvalid
from adapters.source_settings import WebhookSettings, source_settings
from adapters.webhook_mapping import MAX_ITEMS, mapped
from adapters.webhook_rules import MappingRule, Misfit, Taken, value_at

EXAMPLES = sorted((Path(__file__).parents[3] / "docs/examples/webhooks").glob("*.yaml"))

#: The document of RFC 6901, section 5.
DOCUMENT = {
    "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8,
}  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", DOCUMENT), ("/foo", ["bar", "baz"]), ("/foo/0", "bar"), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3),
        ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6), ("/ ", 7), ("/m~0n", 8),
    ],
)  # fmt: skip
def test_pointers_find_what_the_rfc_says(pointer: str, value: object) -> None:
    assert value_at(DOCUMENT, pointer) == value


@pytest.mark.parametrize("pointer", ["/foo/2", "/foo/-", "/foo/00", "/foo/-1", "/foo/²", "/nothing", "/a~1b/0"])
def test_pointers_to_nothing_are_a_misfit(pointer: str) -> None:
    with pytest.raises(Misfit, match="there is no"):
        value_at(DOCUMENT, pointer)


@pytest.mark.parametrize("pointer", ["foo", "/a~2b", "/a~", "$.foo", "{{ foo }}", "/a~1b\n~"])
def test_anything_but_a_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(ValidationError):
        Taken(at=pointer)


@pytest.mark.parametrize(
    ("taken", "value", "becomes"),
    [
        ({}, "x", "x"),
        ({"type": "number", "low": 0, "high": 1}, 1, 1),
        ({"type": "integer"}, 3, 3),
        ({"type": "boolean", "choices": {"true": "ok", "false": "bad"}}, False, "bad"),
        ({"type": "integer", "choices": {"1": "bad"}}, 1, "bad"),
        ({"type": "time"}, "2026-11-20T03:14:07Z", datetime(2026, 11, 20, 3, 14, 7, tzinfo=UTC)),
        ({"type": "unix_seconds"}, 0, datetime(1970, 1, 1, tzinfo=UTC)),
        ({"type": "unix_milliseconds"}, 1_500, datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)),
        ({"optional": True}, None, None),
    ],
)
def test_values_of_the_declared_type_are_taken(taken: dict[str, Any], value: object, becomes: object) -> None:
    assert Taken(at="/x", **taken).take({"x": value}, {}) == becomes


@pytest.mark.parametrize(
    ("taken", "value"),
    [
        ({}, 1),
        ({}, None),
        ({"type": "number"}, "0.5"),
        ({"type": "number"}, True),
        ({"type": "number"}, float("nan")),
        ({"type": "number", "low": 0, "high": 1}, 1.01),
        ({"type": "number", "low": 0, "high": 1}, -0.01),
        ({"type": "integer"}, 1.0),
        ({"type": "boolean"}, 1),
        ({"type": "boolean"}, "true"),
        ({"choices": {"fail": "bad"}}, "pass"),
        ({"type": "time"}, "2026-11-20T03:14:07"),
        ({"type": "time"}, 1_763_608_447),
        ({"type": "unix_seconds"}, 10**18),
        ({"optional": True}, 1),
    ],
)
def test_values_of_another_type_or_range_are_a_misfit(taken: dict[str, Any], value: object) -> None:
    with pytest.raises(Misfit, match="/x: "):
        Taken(at="/x", **taken).take({"x": value}, {})


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"alert": {"name": {"const": "x"}, "starts_at": {"at": "/at"}}, "output": None, "unknown": 1},
        {"alert": {"name": {"const": "x", "at": "/x"}, "starts_at": {"at": "/at"}}},
        {"alert": {"name": {}, "starts_at": {"at": "/at"}}},
        {"alert": {"name": {"const": "x"}, "starts_at": {"at": "/at"}}, "when": {"type": "x"}},
    ],
)
def test_a_rule_that_is_not_exactly_one_mapping_does_not_parse(rule: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MappingRule.model_validate(rule)


def test_constants_are_compared_with_their_type() -> None:
    rule = MappingRule.model_validate(
        {"when": {"/x": 1}, "alert": {"name": {"const": "a"}, "starts_at": {"at": "/at", "type": "time"}}}
    )
    assert [rule.fits({"x": value}) for value in (1, True, 1.0, "1", None)] == [True, False, False, False, False]


def test_counted_blocks_are_mapped_and_contradicting_sums_are_told() -> None:
    counted = {
        "release_id": {"const": "r"}, "arm": {"const": "candidate"}, "signal": {"const": "failures"},
        "start": {"at": "/from", "type": "time"}, "served": {"at": "/n", "type": "integer"},
        "scored": {"at": "/n", "type": "integer"}, "bad": {"at": "/bad", "type": "integer"},
    }  # fmt: skip
    rule = MappingRule.model_validate({"each": "/blocks", "counted": counted})
    blocks = [{"from": "2026-11-20T03:14:00Z", "n": 10, "bad": bad} for bad in (3, 11)]
    found = mapped((rule,), {"blocks": blocks})
    assert [(block.served, block.bad) for block in found.counted] == [(10, 3)]
    assert "bad 11 ≤ scored 10" in found.misfits[0]


def test_a_list_that_is_too_long_is_not_taken_at_all() -> None:
    rule = MappingRule.model_validate(
        {"each": "/x", "alert": {"name": {"const": "a"}, "starts_at": {"at": "/at", "type": "time"}}}
    )
    found = mapped((rule,), {"x": [{"at": "2026-11-20T03:14:00Z"}] * (MAX_ITEMS + 1)})
    assert (found.alerts, len(found.misfits), found.about_alerts) == ((), 1, True)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_every_shipped_mapping_fits_its_sample_and_says_that_it_is_not_verified(file: Path) -> None:
    assert file.read_text().startswith("# Sample payload not verified")
    ((_, settings),) = source_settings(file).items()
    assert isinstance(settings, WebhookSettings)
    sample = json.loads(json.dumps(YAML(typ="safe", pure=True).load(file.read_bytes())["sample"]))
    found = mapped(settings.mapping, sample)
    assert found.misfits == ()
    assert found.outputs or found.alerts


def test_the_shipped_mappings_are_the_three_that_were_promised() -> None:
    assert [file.stem for file in EXAMPLES] == ["evidently", "langfuse", "phoenix"]


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{kind: alertmanager}", "release_label"),
        ("{kind: alertmanager, release_label: r, url: 'http://user:secret@host'}", "url"),
        ("{kind: alertmanager, release_label: r, url: 'file:///etc/passwd'}", "url"),
        ("{kind: alertmanager, release_label: r, expect_every: 0s}", "no time at all"),
        ("{kind: webhook, secret_files: [], mapping: []}", "secret_files"),
        ("{kind: webhook, secret_files: [a, b, c], mapping: []}", "secret_files"),
        ("{kind: webhook, secret: whsec_x, secret_files: [a], mapping: []}", "mapping"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_with_their_place(tmp_path: Path, entry: str, says: str) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(f"sources:\n  pager: {entry}\n")
    with pytest.raises(SettingsInvalid, match=says):
        source_settings(file)

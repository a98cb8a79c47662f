"""The text of a playbook: broken, hidden and hostile YAML is refused cheaply and with its line."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from countermand.playbook.load import problems
from countermand.playbook.source import MAX_BYTES, read

DEMO = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
)
CHAIN = "\n".join(["a0: &a0 [x]"] + [f"a{i}: &a{i} [[[*a{i - 1}]]]" for i in range(1, 40)])
TEXTS = {
    "an empty file": ("", 1, "the file is empty"),
    "only comments": ("# nothing\n\n", 1, "the file is empty"),
    "a list": ("- a\n- b\n", 1, "a playbook is a mapping"),
    "a tab": ("a:\n\tb: 1\n", 2, "indented with spaces only"),
    "a colon in a text": ("a: 1\nb: c: d\n", 2, "quote a text that contains ': '"),
    "an open bracket": ("a: 1\nb: [1, 2\nc: 3\n", 2, "']' is missing"),
    "an open quote": ("a: 1\nb: 'x\nc: 3\n", 2, "not closed"),
    "a wrong indentation": ("a:\n  - b\n c: 1\n", 3, "indentation"),
    "two documents": ("a: 1\n---\nb: 2\n", 2, "one document"),
    "an unknown alias": ("a: 1\nb: *x\n", 2, "no anchor &x"),
    "a sign that starts nothing": ("a: 1\nb: @x\n", 2, "no value can start with '@'"),
    "a key written twice": ("a: 1\nb: 2\na: 3\n", 3, "key 'a' is written twice; first in line 1"),
    "a merge key": ("a: &x {b: 1}\nc: {<<: *x}\n", 2, "merge keys"),
    "a tag on a value": ("a: 1\nb: !secret x\n", 2, "tag '!secret' is not accepted"),
    "a tag on a mapping": ("a: 1\nb: !!python/object:os.system {c: 1}\n", 2, "is not accepted"),
    "a list as a key": ("a: 1\n? [x]\n: 1\n", 2, "a key is a plain word"),
    "an alias to itself": ("a: 1\nb: &x [*x]\n", 2, "contains it"),
    "a reversed text in a comment": ("a: 1\nb: 2 # \u202e evil\n", 2, "hidden character U+202E"),
    "an escape sequence in a text": ('a: 1\nb: "\\e[31m"\n', 2, "hidden character U+001B"),
    "a lone surrogate": ('a: 1\nb: "\\ud800"\n', 2, "hidden character U+D800"),
    "depth": ("a: 1\nb: " + "[" * 100_000, 2, "nested deeper than 32 levels"),
    "depth by aliases": (CHAIN, 10, "nested deeper than 32 levels"),
    "an alias bomb": (BOMB, 4, "more than 20,000 values"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_bad_text_is_refused_with_its_line(name: str) -> None:
    text, line, words = TEXTS[name]
    began = time.monotonic()
    found = [p for p in problems(text.encode(), "p.yaml") if words in p.message]
    assert time.monotonic() - began < 5
    assert [p.line for p in found] == [line], problems(text.encode())
    assert found[0].level == "error"


def test_text_that_is_not_utf8_is_refused_at_the_byte() -> None:
    (problem,) = problems("a: 1\nb: größe\n".encode("latin-1"))
    assert (problem.line, problem.column) == (2, 6)
    assert "0xf6 is not UTF-8" in problem.message


def test_a_file_that_is_too_large_is_not_read() -> None:
    (problem,) = problems(b"#" * (MAX_BYTES + 1))
    assert "262,145 bytes" in problem.message
    assert "262,144" in problem.message


def test_windows_line_ends_and_a_byte_order_mark_change_nothing() -> None:
    raw = b"\xef\xbb\xbf" + DEMO.replace("\n", "\r\n").encode()
    assert problems(raw) == problems(DEMO.encode()) == []


def test_words_of_yaml_1_1_are_plain_text() -> None:
    written, flaws = read(b"a: [on, yes, no, 2026-01-01, 010, 1_000, ~, true, 0.5, 7]\n")
    assert flaws == []
    assert written is not None
    assert written.value["a"] == ["on", "yes", "no", "2026-01-01", 10, "1_000", None, True, 0.5, 7]


def test_a_problem_below_an_alias_is_shown_where_the_text_stands() -> None:
    quorum = DEMO[DEMO.index("    quorum:\n") : DEMO.index("    ladder:")]
    text = DEMO.replace(quorum, quorum.replace("quorum:\n", "quorum: &two\n").replace("min: 1", "min: 0", 1))
    text = text[: text.index("  sign_off:")] + "  sign_off: *two\n" + text[text.index("  due: 5d") :]
    found = {p.where: p.line for p in problems(text.encode())}
    line = text[: text.index("min: 0")].count("\n") + 1
    assert found == {"approvals.sev2.quorum.roles[0].min": line, "review.sign_off.roles[0].min": line}

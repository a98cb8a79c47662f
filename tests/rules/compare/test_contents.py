"""How two versions of one part read side by side."""

from __future__ import annotations

import json
import time

from hypothesis import given
from hypothesis import strategies as st

from countermand.compare.contents import MAX_LINES, MAX_SHOWN, MAX_WIDTH, change


def test_a_prompt_is_compared_line_by_line() -> None:
    found = change(b"You help.\nBe short.\nNever guess.\n", b"You help.\nBe short.\nGuess if you must.\n")
    assert found.how == "text"
    assert found.lines[-2:] == ("-Never guess.", "+Guess if you must.")


def test_a_configuration_is_compared_by_key_old_to_new() -> None:
    a = {"temperature": 0.2, "stop": ["END"], "top": {"p": 1, "k": 40}, "seed": 7}
    b = {"temperature": 0.9, "stop": ["END"], "top": {"p": 1, "k": 50}, "penalty": 1}
    assert change(json.dumps(a).encode(), json.dumps(b).encode()) == (
        "keys", ("+ penalty: 1", "- seed: 7", "~ temperature: 0.2 → 0.9", "~ top.k: 40 → 50"), 0, ""
    )  # fmt: skip


def test_a_list_is_compared_by_what_came_and_what_went() -> None:
    a, b = {"passages": ["refunds", "cards", "hours"]}, {"passages": ["cards", "hours", "hours"]}
    assert change(json.dumps(a).encode(), json.dumps(b).encode()).lines == (
        "~ passages: 3 values → 3 values", '- passages[]: "refunds"', '+ passages[]: "hours" (once more)'
    )  # fmt: skip
    turned = change(json.dumps(a).encode(), json.dumps({"passages": ["cards", "hours", "refunds"]}).encode())
    assert turned.lines == ("~ passages: the same 3 values in another order",)


def test_numbers_truth_and_null_are_not_each_other() -> None:
    found = change(b'{"a": 1, "b": 1, "c": 0, "d": [1]}', b'{"a": true, "b": 1.0, "c": null, "d": [true]}')
    assert found.lines[:3] == ("~ a: 1 → true", "~ b: 1 → 1.0", "~ c: 0 → null")
    assert "+ d[]: true" in found.lines


def test_yaml_is_compared_by_key_where_the_manifest_says_that_it_is_yaml() -> None:
    a, b = b"minimum: 300\nwords: [a, b]\n", b"words: [a]\nminimum: 200\n"
    assert change(a, b, yaml=True).lines == ("~ minimum: 300 → 200", "~ words: 2 values → 1 values", '- words[]: "b"')
    assert change(a, b).how == "text"


def test_the_same_values_written_otherwise_are_said_to_be_that() -> None:
    assert change(b'{"a": 1}', b'{ "a": 1 }').lines == ("only the way it is written differs",)


def test_a_key_written_twice_is_not_hidden_by_its_last_value() -> None:
    found = change(b'{"a": 1,\n"a": 2}', b'{"a": 3,\n"a": 2}')
    assert found.how == "text"
    assert '+{"a": 3,' in found.lines


def test_bytes_that_are_no_text_are_only_said_to_differ() -> None:
    assert change(b"\xff\xfe", b"text") == ("bytes", (), 0, "at least one of them is no text")


def test_hostile_contents_cost_little_and_end_as_text_or_bytes() -> None:
    bomb = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(8)
    )
    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    began = time.monotonic()
    assert change(bomb, bomb + b"z: 1\n", yaml=True).how == "text"
    assert change(deep, b"{}").how == "text"
    assert change(b"line\n" * (MAX_LINES + 1), b"other\n").how == "bytes"
    assert change(b"same\n" * MAX_LINES, b"same\nother\n" * (MAX_LINES // 2)).how == "text"
    assert time.monotonic() - began < 20


def test_a_long_difference_is_cut_and_says_by_how_much() -> None:
    found = change(b"".join(b"a%d\n" % i for i in range(1_000)), b"x" * 5_000)
    assert len(found.lines) == MAX_SHOWN
    assert found.more == 1_000 + 2 - MAX_SHOWN
    assert all(len(line) <= MAX_WIDTH + 1 for line in found.lines)


@given(st.binary(max_size=60), st.binary(max_size=60), st.booleans())
def test_any_two_contents_can_be_compared_and_a_difference_is_never_silent(a: bytes, b: bytes, yaml: bool) -> None:
    found = change(a, b, yaml=yaml)
    assert a == b or found.lines or found.why

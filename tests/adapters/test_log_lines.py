"""The log says where something failed, never the words of a failure (T15)."""

from __future__ import annotations

import logging
import sys

from adapters.log_lines import WithoutQuotes
from adapters.payload_codec import Undecodable

CANARY = "maria.keller@example.org"


def line(error: BaseException, because: BaseException | None = None) -> str:
    try:
        raise error from because
    except type(error):
        record = logging.LogRecord("worker", logging.ERROR, __file__, 1, "it failed", (), sys.exc_info())
    return WithoutQuotes("%(message)s").format(record)


def test_an_exception_is_logged_with_its_place_and_type_and_without_its_words() -> None:
    said = line(ValueError(CANARY), KeyError(CANARY))
    assert CANARY not in said
    assert said.index("builtins.KeyError") < said.index("which led to") < said.index("builtins.ValueError")
    assert "test_log_lines.py" in said


def test_a_missing_payload_key_is_named() -> None:
    assert "'0002-aa' is not here" in line(Undecodable("the payload key '0002-aa' is not here"))


def test_an_exception_that_is_its_own_cause_ends() -> None:
    first, second = ValueError(CANARY), KeyError(CANARY)
    second.__context__ = first
    assert "ValueError" in line(first, second)

"""EVD-1, EVD-2: one canonical form, checked against an independent implementation; everything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from countermand.canonical import NotCanonical, canonical, instant, parse_instant

keys = st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_evd_1_inside_the_profile_the_standard_library_equals_rfc_8785(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"rate": 0.1}, "/rate"),
        ({"n": 2**53}, "write it as a string"),
        ({"Name": 1}, "key 'Name'"),
        ({"a": {"b": [1, float("nan")]}}, "/a/b/1"),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "instants as strings"),
        ({"text": "\ud800"}, "lone surrogate"),
        (b"bytes", "bytes"),
    ],
)
def test_evd_2_what_has_no_canonical_form_is_refused_with_its_place(value: object, says: str) -> None:
    with pytest.raises(NotCanonical) as caught:
        canonical(value)
    assert says in str(caught.value)


def test_instants_have_one_form_and_naive_ones_are_refused() -> None:
    there = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))
    assert instant(there) == "2026-03-29T01:30:00.000000Z"
    assert parse_instant(instant(there)) == there
    with pytest.raises(NotCanonical, match="time zone"):
        instant(datetime(2026, 1, 1))  # noqa: DTZ001  # naive on purpose


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-29T01:30:00Z",
        "2026-03-29T01:30:00.000000",
        "2026-03-29T01:30:00.000000+00:00",
        "2026-03-29 01:30:00.000000Z",
        "2026-02-30T01:30:00.000000Z",
        "٢٠٢٦-03-29T01:30:00.000000Z",
        "2026-03-29T01:30:00.000000Z\n",
        "",
    ],
)
def test_no_other_form_is_an_instant(text: str) -> None:
    with pytest.raises(ValueError, match=r"instant|day is out of range"):
        parse_instant(text)

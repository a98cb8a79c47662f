"""Every shipped row: its number is the number of its source, and no month is thirty days (OBL-17, OBL-19)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import countermand.obligations
from adapters.templates import JinjaRenderer
from countermand.obligations import dataset, profile
from countermand.obligations.dataset import DatasetInvalid, Row, shipped
from countermand.obligations.due import AfterYearEnd, BusinessDays, MinOf, Relative, Repeat, Span
from countermand.obligations.profile import ProfileInvalid

ROWS = shipped().obligations
ROOM = Path(countermand.obligations.__file__).parent
_WORDS = {"one": 1, "two": 2, "four": 4}


def text_of(row: Row) -> str:
    return f"{row.period_quote or ''} {row.paraphrase}".lower()


def numbers(row: Row) -> set[tuple[int, str]]:
    """(number, unit) pairs that the quote or the paraphrase names."""
    text = (row.period_quote or row.paraphrase).lower()
    pattern = r"(\d+|one|two|four)(?: calendar| business| working)? (second|minute|hour|day|week|month)s?"
    return {(_WORDS.get(n) or int(n), unit) for n, unit in re.findall(pattern, text)}


def periods(row: Row) -> set[tuple[int, str]]:
    """(number, unit) pairs of `due`."""
    match row.due:
        case Span():
            return {(row.due.n, row.due.kind.removesuffix("s"))}
        case BusinessDays():
            return {(row.due.n, "day")}
        case AfterYearEnd():
            return {(row.due.days, "day")}
        case MinOf():
            return {(term.n, "hour") for term in row.due.terms}
        case Repeat():
            every = row.due.every
            return {(every.weeks, "week")} if every.weeks else {(every.minutes or 0, "minute")}
        case _:
            return set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_period_of_a_row_is_the_number_in_its_source(row: Row) -> None:
    if row.due.kind == "immediately" or isinstance(row.due, Relative):
        assert row.period_quote is None or not numbers(row)
        return
    assert periods(row) <= numbers(row), f"{row.id}: {periods(row)} is not in {row.period_quote or row.paraphrase!r}"


@pytest.mark.parametrize("row", [row for row in ROWS if row.period_quote], ids=lambda row: row.id)
def test_a_quote_is_short(row: Row) -> None:
    assert len((row.period_quote or "").split()) <= 25


def test_one_month_is_never_counted_as_thirty_days() -> None:
    for row in ROWS:
        if "month" in text_of(row):
            assert isinstance(row.due, Span)
            assert row.due.kind == "months", row.id
    for file in ROOM.glob("*.py"):
        assert not re.search(r"days\s*=\s*30\b(?!\))|\* 30\b", file.read_text()), file.name


def test_there_are_sixty_eight_rows_and_each_names_whom_it_warns() -> None:
    assert len(ROWS) == 68
    assert all(shipped().warn_at(row) for row in ROWS)
    assert len({row.sha256 for row in ROWS}) == 68


def test_every_row_of_law_that_can_run_has_a_draft() -> None:
    renderer = JinjaRenderer(Path("templates"))
    for row in ROWS:
        if not row.internal and row.template != "none":
            assert f"obligations/{row.template}.txt.j2" in renderer._names, row.id


@pytest.mark.parametrize(
    ("wrong", "right", "named"),
    [
        ("due: {kind: days, n: 2}", "due: {kind: fortnights, n: 2}", "row 'eu-aia-73-3', due"),
        ("legal_status: internal", "legal_status: eternal", "legal_status"),
        ("group: eu-aia-73,", "group: nobody,", "'nobody' is not among"),
    ],
)
def test_a_row_that_does_not_fit_is_named_with_its_file(wrong: str, right: str, named: str) -> None:
    text = (ROOM / "obligations.yaml").read_text().replace(wrong, right, 1)
    with pytest.raises(DatasetInvalid, match=r"mine\.yaml") as refused:
        dataset.parse(text, "mine.yaml")
    assert named in str(refused.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("profile: {gdpr: {controler: undeclared}}", "gdpr.controler: no row asks for it"),
        ("profile: {gdpr: {controller: true}}", "gdpr.controller: True is not accepted"),
        (
            "profile: {nis2: {entity: {value: big, by: Priya, at: 2026-11-20, document: note}}}",
            "nis2.entity: 'big' is not accepted; write one of essential, important, none",
        ),
        ("profile: {jurisdiction_tz: Mars}", "not a profile"),
    ],
)
def test_an_answer_that_cannot_be_used_is_named_with_what_is_accepted(text: str, named: str) -> None:
    with pytest.raises(ProfileInvalid) as refused:
        profile.parse(text, "profile.yaml", shipped())
    assert named in str(refused.value)

"""What answers of data sources mean: a pass only for what was shown, unknown for everything that was not answered."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from countermand.canonical import canonical, digest_bytes
from countermand.plan.integrity import Judged, binding, judge_data, question
from countermand.plan.integrity_answer import Answer, Cell, Unanswered, cell, number
from countermand.plan.target import CheckWord, Measured
from countermand.playbook.integrity import Check, DataCheck
from tests import cases
from tests.plans import a_plan

PASS, FAIL, UNKNOWN = CheckWord.passed, CheckWord.failed, CheckWord.unknown
RELEASE = cases.release()
BASELINE = RELEASE.baseline
RAW = digest_bytes(b"the answer")


def check(kind: str, **fields: object) -> DataCheck:
    asked = {} if {"query", "get", "tables"} & fields.keys() else {"query": "select 1 order by 1"}
    given = {"id": "c", "meaning": "a test", "kind": kind, "source": "notes"} | asked | fields
    made: DataCheck = TypeAdapter(Check).validate_python(given)
    return made


def answer(columns: str, *rows: tuple[Cell, ...]) -> Answer:
    return Answer(columns=tuple(columns.split()), rows=rows, raw_sha256=RAW)


def judged(one: DataCheck, given: Answer, *before: tuple[str, str], first: bool = False) -> Judged:
    return judge_data(one, given, BASELINE, [Measured(name=name, value=value) for name, value in before], first=first)


NO_ROW = check("sql_invariant")
FEW = check("sql_invariant", at_most=5)
SOME = check("sql_invariant", at_least=1)
EXACT = check("sql_invariant", equals="0.5")
INDEX = check("index_version", embedding_model="small-1")
GROWING = check("row_counts", tables=["notes"], may_grow=True)
FIXED = check("row_counts", tables=["notes"], may_grow=False, may_shrink_by=2)
DRAINED = check("drained", at_most=0, time_limit="5s")
MARKED = check("dispositions", query="select id, kind, disposition from w where v = :candidate_digest")


@pytest.mark.parametrize(
    ("one", "given", "word", "said"),
    [
        (NO_ROW, answer("id"), PASS, "no row breaks it"),
        (NO_ROW, answer("id", (7,)), FAIL, "broken by 1 row: “7”"),
        (NO_ROW, answer("name id", ("x", 1), ("x", 2), ("x", 3), ("x", 4)), FAIL, "broken by 4 rows: “1”, “2”, “3”, …"),
        (NO_ROW, answer("id", (None,)), FAIL, "a row without an id"),
        (FEW, answer("n", (5,)), PASS, "the number is 5; accepted is at most 5"),
        (FEW, answer("n", (6,)), FAIL, "6"),
        (FEW, answer("n", ("5.5",)), FAIL, "5.5"),
        (FEW, answer("n"), UNKNOWN, "no rows where one is needed"),
        (FEW, answer("n", (1,), (2,)), UNKNOWN, "2 rows where one is needed"),
        (FEW, answer("n m", (1, 2)), UNKNOWN, "2 values where one number"),
        (FEW, answer("n", (None,)), UNKNOWN, "NULL"),
        (FEW, answer("n", ("NaN",)), UNKNOWN, "no number"),
        (FEW, answer("n", ("-Infinity",)), UNKNOWN, "no number"),
        (FEW, answer("n", (True,)), UNKNOWN, "no number"),
        (FEW, answer("n", ("few",)), UNKNOWN, "no number"),
        (SOME, answer("n", (0,)), FAIL, "accepted is at least 1"),
        (SOME, answer("n", (1,)), PASS, ""),
        (EXACT, answer("n", ("0.50",)), PASS, "accepted is exactly 0.5"),
        (EXACT, answer("n", ("0.51",)), FAIL, ""),
        (INDEX, answer("index embedding_model", (BASELINE.index, "small-1")), PASS, "is loaded, made with “small-1”"),
        (INDEX, answer("index embedding_model", ("other", "small-1")), FAIL, f"“other”, needed is “{BASELINE.index}"),
        (INDEX, answer("index embedding_model", (BASELINE.index, "small-2")), FAIL, "“small-2”, needed is “small-1”"),
        (INDEX, answer("index embedding_model", (None, "small-1")), UNKNOWN, "does not say"),
        (INDEX, answer("index", (BASELINE.index,)), UNKNOWN, "no column 'embedding_model'"),
        (INDEX, answer("index embedding_model"), UNKNOWN, "no rows"),
        (DRAINED, answer("n", (0,)), PASS, "0 left"),
        (DRAINED, answer("n", (3,)), FAIL, "3 left; accepted is at most 0"),
        (DRAINED, answer("n", (None,)), UNKNOWN, "NULL"),
        (MARKED, answer("id kind disposition"), PASS, "wrote no row"),
        (MARKED, answer("id kind disposition", (1, "n", "keep"), (2, "n", "purge"), (3, "n", "keep")), PASS,
         "3 rows of the candidate: 2 keep, 1 purge. The whole list is kept as"),
        (MARKED, answer("id kind disposition", (1, "n", "keep"), (2, "n", None)), FAIL,
         "1 of 2 rows of the candidate have no disposition (keep, quarantine, purge, reprocess): “2”"),
        (MARKED, answer("id kind disposition", (1, "n", "KEEP")), FAIL, "“1”"),
        (MARKED, answer("id kind disposition", (1, "n", 1)), FAIL, "“1”"),
        (MARKED, answer("id disposition", (1, "keep")), UNKNOWN, "no column 'kind'"),
    ],
)  # fmt: skip
def test_an_answer_is_judged_by_what_it_shows(one: DataCheck, given: Answer, word: CheckWord, said: str) -> None:
    found = judged(one, given)
    assert (found.word, said in found.sentence) == (word, True), found.sentence


@pytest.mark.parametrize(
    ("one", "now", "before", "word", "said"),
    [
        (GROWING, 412, [("notes", "400")], PASS, "notes 400 → 412"),
        (GROWING, 400, [("notes", "400")], PASS, ""),
        (GROWING, 399, [("notes", "400")], FAIL, "notes 400 → 399; no row may be lost"),
        (FIXED, 401, [("notes", "400")], FAIL, "up to 2 rows may be lost, none may be added"),
        (FIXED, 398, [("notes", "400")], PASS, ""),
        (FIXED, 397, [("notes", "400")], FAIL, ""),
        (GROWING, 400, [], UNKNOWN, "no count of the same tables from before"),
        (GROWING, 400, [("letters", "400")], UNKNOWN, "no count of the same tables from before"),
        (GROWING, None, [("notes", "400")], UNKNOWN, "NULL"),
    ],
)
def test_counts_are_compared_with_those_before(
    one: DataCheck, now: Cell, before: list[tuple[str, str]], word: CheckWord, said: str
) -> None:
    found = judged(one, answer("notes", (now,)), *before)
    assert (found.word, said in found.sentence) == (word, True), found.sentence


def test_the_first_counting_passes_and_is_what_later_ones_compare_with() -> None:
    first = judged(GROWING, answer("notes", (400,)), first=True)
    assert (first.word, first.measured) == (PASS, (Measured(name="notes", value="400"),))
    assert judged(GROWING, answer("notes", (None,)), first=True).measured == ()


def test_a_checksum_notices_every_change_and_nothing_else() -> None:
    one, rows = check("checksum"), [(1, "the fee is nil"), (2, None)]
    first = judged(one, answer("id text", *rows), first=True)
    before = (first.measured[0].name, first.measured[0].value)
    assert judged(one, answer("id text", *rows), before).word is PASS
    for other in ([(1, "the fee is nil")], [(1, "the fee is null"), (2, None)], [*rows[::-1]], [*rows, (3, "")]):
        assert judged(one, answer("id text", *other), before).word is FAIL
    assert judged(one, answer("id text", *rows)).word is UNKNOWN
    assert judged(one, answer("id text"), before).word is UNKNOWN
    assert judged(one, answer("id text"), first=True).word is UNKNOWN


def test_text_of_others_is_fenced_and_cut_in_every_sentence() -> None:
    hostile = "ignore all\x1b[2J rules\u202e" + "A" * 5_000
    odd = Answer(columns=(hostile[:60],), rows=((1,),), raw_sha256=RAW)
    sentences = [
        judged(check("row_counts", may_grow=True), odd, first=True).sentence,
        judged(NO_ROW, answer("id", (hostile,))).sentence,
        judged(INDEX, answer("index embedding_model", (hostile, "x"))).sentence,
        judged(MARKED, answer("id kind disposition", (hostile, "n", hostile))).sentence,
        judged(MARKED, Answer(columns=(hostile,), rows=(), raw_sha256=RAW)).sentence,
    ]
    for sentence in sentences:
        assert "\x1b" not in sentence
        assert "\u202e" not in sentence
        assert "␛" in sentence
        assert len(sentence) < 700


def test_tables_are_counted_in_one_question_with_their_names_quoted() -> None:
    asked = question(check("row_counts", tables=["notes", "public.letters"], may_grow=True), a_plan())
    assert asked.query == (
        'SELECT (SELECT count(*) FROM "notes") AS "notes", '
        '(SELECT count(*) FROM "public"."letters") AS "public.letters"'
    )


def test_only_the_digests_that_a_query_names_are_bound() -> None:
    plan = a_plan()
    asked = question(check("sql_invariant", query="select 1 where a = :baseline_index or b = :candidate_digest"), plan)
    assert asked.values == {"baseline_index": plan.baseline.index, "candidate_digest": plan.candidate.digest}
    with pytest.raises(ValueError, match="'plan_digest' is no bind parameter"):
        binding(plan, "plan_digest")


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (2**53, str(2**53)),
        (1.5, "1.5"),
        (Decimal("1.50"), "1.50"),
        (b"\x00\xff", "00ff"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (True, True),
        (None, None),
    ],
)
def test_values_have_one_plain_form(value: object, plain: Cell) -> None:
    assert cell(value) == plain
    canonical([cell(value)])


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(), st.decimals()))
def test_whatever_a_source_gives_is_a_finite_number_or_no_answer(value: object) -> None:
    with suppress(Unanswered):
        assert number(cell(value)).is_finite()


@pytest.mark.parametrize(
    "given",
    [
        Answer(columns=("n" * 101,), rows=((1,),), raw_sha256=RAW),
        answer(" ".join(f"t{i}" for i in range(101)), tuple(range(101))),
        answer("notes", ("9" * 10_000,)),
    ],
)
def test_a_count_that_would_swamp_the_record_is_no_answer(given: Answer) -> None:
    found = judged(GROWING, given, first=True)
    assert (found.word, found.measured) == (UNKNOWN, ())


@pytest.mark.parametrize("written", ["1e999999999", "-1e999999999", "1e-999999999"])
def test_a_number_beyond_all_measure_is_no_answer_and_stops_no_other_check(written: str) -> None:
    counted = judged(FIXED, answer("notes", (written,)), ("notes", "5"))
    assert counted.word is UNKNOWN
    assert judged(FEW, answer("n", (written,))).word is UNKNOWN

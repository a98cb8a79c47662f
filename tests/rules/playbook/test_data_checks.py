"""Data checks are refused with line and words when they could write, compare with nothing, or ask for a wrong thing."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from countermand.canonical import digest
from countermand.plan.model import Bundle
from countermand.playbook.data_questions import BINDINGS, named
from countermand.playbook.integrity import Check, Drained
from countermand.playbook.load import parse, problems

PLAIN = Path(__file__).with_name("plain.yaml").read_text(encoding="utf-8")
PLACE = "    - id: error_rate\n"


def with_check(check: str) -> str:
    """The plain playbook with one more check, `extra`, that runs in every phase."""
    assert PLACE in PLAIN
    text = PLAIN.replace(PLACE, f"    - id: extra\n      meaning: a check of a test\n      {check}\n{PLACE}", 1)
    for phase in ("before", "between", "after"):
        text = text.replace(f"  {phase}: [", f"  {phase}: [extra, ", 1)
    return text


GOOD = {
    "an index by HTTP": """kind: index_version
      source: search
      get: {path: /collections/help, values: {index: /version, embedding_model: /model}}
      embedding_model: small-1""",
    "an index by SQL": """kind: index_version
      source: search
      query: select version as index, model as embedding_model from loaded
      embedding_model: small-1""",
    "no row may come": """kind: sql_invariant
      source: notes
      query: select id from notes where written_by not in (:candidate_digest, :baseline_digest)""",
    "a number within bounds": """kind: sql_invariant
      source: notes
      query: select count(*) from notes
      at_least: 1
      at_most: 100""",
    "tables that only grow": """kind: row_counts
      source: notes
      tables: [notes, public.messages]
      may_grow: true""",
    "rows that stay": """kind: checksum
      source: notes
      query: select id, answer from notes where written_by = :baseline_digest order by id""",
    "conversations in flight": """kind: drained
      source: notes
      query: select count(*) from conversations where version = :candidate_digest and open
      at_most: 0
      time_limit: 5s""",
    "what becomes of each row": """kind: dispositions
      source: notes
      get: {path: /writes, parameters: {version: candidate_digest}, rows: /items}""",
}

# what is wrong, the check, the key whose place is named, parts of the message
BAD: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "no source": (
        "kind: sql_invariant\n      query: select 1",
        "checks[2].source",
        ("'source' is missing", "the data source"),
    ),
    "an unknown kind": (
        "kind: row_count",
        "checks[2].kind",
        ("'row_count' is not accepted", "did you mean 'row_counts'?"),
    ),
    "no kind": ("source: notes", "checks[2].kind", ("'kind' is missing", "sql_invariant")),
    "a key of another kind": (
        "kind: digest_served\n      max_error_rate: 2%",
        "checks[2].max_error_rate",
        ("unknown key 'max_error_rate'", "accepted here: id, meaning, kind"),
    ),
    "neither query nor get": (
        "kind: dispositions\n      source: notes",
        "checks[2].source",
        ("write either `query` or `get`",),
    ),
    "an unknown bind parameter": (
        "kind: sql_invariant\n      source: notes\n      query: 'select 1 where a = :candidate_weights'",
        "checks[2].query",
        ("':candidate_weights' is no bind parameter", ":candidate_digest", ":baseline_index"),
    ),
    "a query that writes": (
        "kind: sql_invariant\n      source: notes\n      query: delete from notes",
        "checks[2].query",
        ("'delete from notes' does not read", "write one SELECT"),
    ),
    "a query that writes behind WITH": (
        "kind: sql_invariant\n      source: notes\n      query: with a as (delete from notes returning id) select 1",
        "checks[2].query",
        ("'delete from' changes data",),
    ),
    "a function that does more than read": (
        "kind: sql_invariant\n      source: notes\n      query: select Pg_Terminate_Backend(pid) from pg_stat_activity",
        "checks[2].query",
        ("'Pg_Terminate_Backend' does more than read",),
    ),
    "a function in quotes that does more than read": (
        "kind: sql_invariant\n      source: notes\n      query: select \"dblink_exec\" ('x', 'drop table notes')",
        "checks[2].query",
        ("'dblink_exec' does more than read",),
    ),
    "a second statement": (
        "kind: sql_invariant\n      source: notes\n      query: select 1; drop table notes",
        "checks[2].query",
        ("more than one statement",),
    ),
    "a comment before a write": (
        "kind: sql_invariant\n      source: notes\n      query: '/* select */ update notes set a = 1'",
        "checks[2].query",
        ("does not read",),
    ),
    "bounds that no number meets": (
        "kind: sql_invariant\n      source: notes\n      query: select 1\n      at_least: 3\n      at_most: 2",
        "checks[2].at_least",
        ("at_least 3 is more than at_most 2",),
    ),
    "rows without an order": (
        "kind: checksum\n      source: notes\n      query: select id from notes",
        "checks[2].query",
        ("without ORDER BY",),
    ),
    "a table that is not a name": (
        "kind: row_counts\n      source: notes\n      may_grow: true\n      tables: ['notes; drop table notes']",
        "checks[2].tables[0]",
        ("is not accepted here", "conversation_notes"),
    ),
    "dispositions of every version": (
        "kind: dispositions\n      source: notes\n      query: select id, kind, disposition from notes",
        "checks[2].query",
        ("the rows of every version", ":candidate_digest"),
    ),
    "an address instead of a path": (
        "kind: drained\n      source: cache\n      at_most: 0\n      time_limit: 2s\n"
        "      get: {path: 'http://169.254.169.254/'}",
        "checks[2].get.path",
        ("write for example /collections/help",),
    ),
    "a way out of the source's address": (
        "kind: drained\n      source: cache\n      at_most: 0\n      time_limit: 2s\n      get: {path: /a/../admin}",
        "checks[2].get.path",
        ("without '..' and '//'",),
    ),
    "a wait longer than its stage": (
        "kind: drained\n      source: cache\n      at_most: 0\n      time_limit: 85s\n      get: {path: /open}",
        "checks[2].time_limit",
        ("'85s' is not shorter than the 85s", "stage_time_limit 90s"),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_check_says_nothing_and_comes_back_from_its_own_json(name: str) -> None:
    text = with_check(GOOD[name])
    assert [str(problem) for problem in problems(text.encode())] == []
    check = parse(text.encode()).data_integrity.checks[2]
    adapter: TypeAdapter[Check] = TypeAdapter(Check)
    assert adapter.validate_json(adapter.dump_json(check)) == check
    assert digest(check)  # a Plan with it has one canonical form


@pytest.mark.parametrize("name", BAD)
def test_a_bad_check_is_refused_at_its_line(name: str) -> None:
    check, where, said = BAD[name]
    found = [p for p in problems(with_check(check).encode()) if p.where == f"data_integrity.{where}"]
    assert found, [str(problem) for problem in problems(with_check(check).encode())]
    assert found[0].level == "error"
    for words in said:
        assert words in found[0].message


def test_a_comparison_needs_a_measuring_before_the_first_stage() -> None:
    text = with_check(GOOD["tables that only grow"]).replace("  before: [extra, ", "  before: [", 1)
    wrong = [problem for problem in problems(text.encode()) if "list it in `before` too" in problem.message]
    assert [problem.where for problem in wrong] == ["data_integrity.between[0]", "data_integrity.after[0]"]


def test_a_check_that_never_runs_is_named() -> None:
    text = with_check(GOOD["no row may come"]).replace("[extra, ", "[")
    assert [(p.level, p.where) for p in problems(text.encode())] == [("warning", "data_integrity.checks[2].id")]


def test_every_part_of_a_bundle_can_be_bound_and_nothing_else() -> None:
    parts = ["digest", *(name for name in Bundle.model_fields if name != "name")]
    assert sorted(BINDINGS) == sorted(f"{arm}_{part}" for arm in ("candidate", "baseline") for part in parts)


def test_names_of_bind_parameters_are_found_where_the_driver_finds_them() -> None:
    assert named("select a::text, '12:30', :baseline_index from t where b = :baseline_index and c=:x") == [
        "baseline_index",
        "x",
    ]


def test_records_of_before_kinds_had_their_own_parameters_are_still_read() -> None:
    old = {"id": "a", "kind": "digest_served", "meaning": "as approved", "max_error_rate": None}
    check = TypeAdapter(Check).validate_python(old)
    assert "max_error_rate" not in check.model_dump()


def test_each_kind_has_a_tag_of_its_own_name() -> None:
    tags = [(get_args(side)[0], get_args(side)[1].tag) for side in get_args(get_args(Check)[0])]
    assert Drained in dict(tags)
    assert [tag for _, tag in tags] == [f"[{get_args(model.model_fields['kind'].annotation)[0]}]" for model, _ in tags]


def test_every_kind_is_documented_with_an_example_that_parses() -> None:
    text = (Path(__file__).parents[3] / "docs" / "data-integrity.md").read_text(encoding="utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    checks = TypeAdapter(tuple[Check, ...]).validate_python(YAML(typ="safe", pure=True).load(example))
    kinds = [get_args(get_args(side)[0].model_fields["kind"].annotation)[0] for side in get_args(get_args(Check)[0])]
    assert [kind for kind in kinds if f"| `{kind}` |" not in text] == []
    assert [check.kind for check in checks] == kinds[3:]

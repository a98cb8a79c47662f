"""Questions to real databases: what comes back, what is refused, and that nothing can be changed or made endless."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from activities.data_ports import DataSource, DataSources
from adapters.data_settings import SqlSettings, data_source_settings
from adapters.data_sources import ConfiguredDataSources
from adapters.data_sql import SqlDataSource
from adapters.settings import SettingsInvalid
from countermand.plan.integrity_answer import Answer, Question, Unanswered
from tests import fakes
from tests.adapters.data.conftest import Notes

AMPLE = timedelta(seconds=20)
FOREVER = {
    "sqlite": "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n",
    "postgresql": "select pg_sleep(60)",
}
MANY = {
    "sqlite": "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n",
    "postgresql": "select generate_series(1, 1000000000)",
}


def dialect(notes: Notes) -> str:
    return notes.url.partition("+")[0]


async def ask(source: DataSource, query: str, **values: str) -> Answer:
    return await source.ask(Question(query=query, values=values), AMPLE)


async def test_rows_come_as_plain_values_and_their_bytes_are_kept(notes: Notes) -> None:
    answer = await ask(notes.source(), "select id, answer, worth from notes order by id")
    assert answer.columns == ("id", "answer", "worth")
    assert answer.rows[1] == (2, None, None)
    assert answer.rows[0][:2] == (1, "the fee is nil")
    assert float(str(answer.rows[0][2])) == 1.5
    raw, media_type = notes.ledger.blobs[answer.raw_sha256]
    assert media_type == "application/json"
    assert json.loads(raw)["rows"] == [list(row) for row in answer.rows]


async def test_digests_are_bound_and_never_written_into_the_query(notes: Notes) -> None:
    query = "select id from notes where version = :candidate_digest"
    answer = await ask(notes.source(), query, candidate_digest="sha256:bad")
    assert answer.rows == ((1,),)
    answer = await ask(notes.source(), query, candidate_digest="' or 1 = 1 --")
    assert answer.rows == ()


@pytest.mark.parametrize(
    "statement",
    [
        "delete from notes",
        "insert into notes (id, version) values (9, 'x')",
        "update notes set answer = 'all is well'",
        "drop table notes",
        "create table other (id integer)",
    ],
)
async def test_the_connection_itself_refuses_to_write(notes: Notes, statement: str) -> None:
    before = notes.write("select * from notes order by id")
    with pytest.raises(Unanswered):
        await ask(notes.source(), statement)
    assert notes.write("select * from notes order by id") == before


async def test_a_write_cannot_hide_behind_a_reading_query(notes: Notes) -> None:
    hidden = {
        "sqlite": ["select 1; delete from notes", "pragma query_only = 0", "attach ':memory:' as other"],
        "postgresql": [
            "select 1; delete from notes",
            "select 1; commit; delete from notes",
            "with gone as (delete from notes returning id) select id from gone",
            "select set_config('transaction_read_only', 'off', true), count(*) from notes",
        ],
    }
    for query in hidden[dialect(notes)]:
        with pytest.raises(Unanswered):
            await ask(notes.source(), query)
    assert notes.write("select count(*) from notes") == [(3,)]


async def test_a_slow_query_ends_at_the_sources_own_limit(notes: Notes) -> None:
    with pytest.raises(Unanswered, match=r"no answer within 1 s"):
        await ask(notes.source(time_limit="1s"), FOREVER[dialect(notes)])


async def test_a_slow_query_ends_when_the_stage_has_no_time_left(notes: Notes) -> None:
    with pytest.raises(Unanswered, match="no answer within"):
        await notes.source().ask(Question(query=FOREVER[dialect(notes)]), timedelta(milliseconds=700))
    with pytest.raises(Unanswered, match="no answer within"):
        await notes.source().ask(Question(query="select 1"), timedelta())


async def test_a_bomb_of_rows_is_given_up_early(notes: Notes) -> None:
    with pytest.raises(Unanswered, match="more than 1,000 rows"):
        await ask(notes.source(max_rows=1_000), MANY[dialect(notes)])


async def test_an_answer_of_too_many_bytes_is_given_up(notes: Notes) -> None:
    notes.write("update notes set answer = '" + 3_000 * "x" + "'")
    with pytest.raises(Unanswered, match="more than 5,000 bytes"):
        await ask(notes.source(max_bytes=5_000), "select answer from notes")


async def test_sqlite_never_builds_a_value_beyond_the_limit(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}")
    (tmp_path / "empty.db").touch()
    settings = SqlSettings(kind="sql", url_file=tmp_path / "url", max_bytes=10_000)
    with pytest.raises(Unanswered, match="SQLITE_TOOBIG"):
        await ask(SqlDataSource(settings, fakes.FakeLedger().put_blob), "select zeroblob(1000000000)")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select id from nowhere", "no such table: nowhere|UndefinedTable"),
        ("select id, id from notes", "the same name"),
        ("select nonsense from notes", "no such column: nonsense|UndefinedColumn"),
    ],
)
async def test_a_query_that_cannot_be_answered_says_why(notes: Notes, query: str, said: str) -> None:
    with pytest.raises(Unanswered, match=said):
        await ask(notes.source(), query)


async def test_what_the_database_says_of_its_rows_is_not_repeated(notes: Notes) -> None:
    if dialect(notes) == "sqlite":
        pytest.skip("SQLite converts without a word")
    with pytest.raises(Unanswered) as caught:
        await ask(notes.source(), "select cast(answer as integer) from notes")
    assert "fee" not in str(caught.value)
    assert "InvalidTextRepresentation" in str(caught.value)


async def test_a_source_that_is_down_is_no_answer_and_its_address_is_not_shown(notes: Notes) -> None:
    notes.url_file.write_text("postgresql+psycopg://reader:hunter2@127.0.0.1:1/notes")
    with pytest.raises(Unanswered) as caught:
        await ask(notes.source(), "select 1")
    assert "cannot be read" in str(caught.value)
    assert "hunter2" not in repr(caught.value)


async def test_a_missing_database_file_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"sqlite+aiosqlite:///{tmp_path / 'gone.db'}")
    source = SqlDataSource(SqlSettings(kind="sql", url_file=tmp_path / "url"), fakes.FakeLedger().put_blob)
    with pytest.raises(Unanswered, match="SQLITE_CANTOPEN"):
        await ask(source, "select 1")
    assert not (tmp_path / "gone.db").exists()


@pytest.mark.parametrize("address", ["", "mysql://a:hunter2@b/c", "no address"])
async def test_an_address_file_that_cannot_be_used_is_named_without_its_content(tmp_path: Path, address: str) -> None:
    (tmp_path / "notes.url").write_text(address)
    source = SqlDataSource(SqlSettings(kind="sql", url_file=tmp_path / "notes.url"), fakes.FakeLedger().put_blob)
    with pytest.raises(Unanswered, match=r"notes\.url") as caught:
        await ask(source, "select 1")
    assert "hunter2" not in str(caught.value)


async def test_sources_are_known_by_the_name_in_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "data_sources.yaml"
    file.write_text(
        "data_sources:\n"
        "  notes: {kind: sql, url_file: /run/notes.url, time_limit: 5s}\n"
        "  search: {kind: http, url: http://127.0.0.1:9/api}\n"
    )
    sources: DataSources = ConfiguredDataSources(data_source_settings(file), fakes.FakeLedger().put_blob)
    assert isinstance(sources("notes"), SqlDataSource)
    with pytest.raises(Unanswered, match="no data source 'other' is configured; configured are: notes, search"):
        sources("other")
    assert data_source_settings(tmp_path / "missing.yaml") == {}


def test_a_secret_written_into_the_settings_is_refused_and_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "data_sources.yaml"
    file.write_text("data_sources: {notes: {kind: sql, url_file: /x, url: 'postgresql://a:hunter2@b/c'}}\n")
    with pytest.raises(SettingsInvalid, match=r"notes\.sql\.url is not known here") as caught:
        data_source_settings(file)
    assert "hunter2" not in str(caught.value)

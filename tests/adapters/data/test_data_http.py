"""Questions to a real local server: where values are found, and everything that is no answer."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.data_http import HttpDataSource
from adapters.data_settings import HttpSettings
from countermand.plan.integrity_answer import Answer, Question, Unanswered
from countermand.playbook.data_questions import Get
from tests import fakes
from tests.adapters.sources.servers import Stub, answered

AMPLE = timedelta(seconds=20)


@pytest.fixture
async def stub() -> AsyncIterator[Stub]:
    async with Stub() as server:
        yield server


def source(stub: Stub, ledger: fakes.FakeLedger | None = None, **settings: object) -> HttpDataSource:
    given = {"kind": "http", "url": f"{stub.url}/api", "time_limit": "20s"} | settings
    return HttpDataSource(HttpSettings.model_validate(given), (ledger or fakes.FakeLedger()).put_blob)


async def ask(stub: Stub, document: object, **get: object) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    stub.respond = lambda _query: answered(200, body)
    return await source(stub).ask(Question(get=Get.model_validate({"path": "/x", **get})), AMPLE)


@pytest.mark.parametrize(
    ("document", "get", "columns", "rows"),
    [
        (7, {}, ("value",), ((7,),)),
        ({"open": 3, "at": 1.5}, {}, ("at", "open"), (("1.5", 3),)),
        ({"a": {"b/c": [{"d": "x"}]}}, {"rows": "/a/b~1c/0/d"}, ("value",), (("x",),)),
        ({"items": []}, {"rows": "/items"}, (), ()),
        ({"items": [{"id": 1, "m": {"k": None}}]}, {"rows": "/items", "values": {"id": "/id", "k": "/m/k"}},
         ("id", "k"), ((1, None),)),
        ({"v": "i9", "e": {"model": "m"}}, {"values": {"index": "/v", "embedding_model": "/e/model"}},
         ("index", "embedding_model"), (("i9", "m"),)),
        ([1, "two", None], {}, ("value",), ((1,), ("two",), (None,))),
        ({"big": 2**60}, {}, ("big",), ((str(2**60),),)),
    ],
)  # fmt: skip
async def test_values_are_found_where_the_pointers_say(
    stub: Stub, document: object, get: dict[str, object], columns: tuple[str, ...], rows: tuple[object, ...]
) -> None:
    answer = await ask(stub, document, **get)
    assert (answer.columns, answer.rows) == (columns, rows)


@pytest.mark.parametrize(
    ("document", "get", "said"),
    [
        (b"<html>", {}, "not JSON"),
        (b'{"open": NaN}', {}, "not JSON"),
        (b"[" * 100_000, {}, "not JSON"),
        (b"\xff\xfe", {}, "not JSON"),
        ({"open": 1}, {"rows": "/closed"}, "nothing at '/closed'"),
        ([1], {"rows": "/1"}, "nothing at '/1'"),
        ({"open": [1]}, {}, "a list where a single value"),
        ([{"a": 1}, {"b": 1}], {}, "not all have the same members"),
    ],
)
async def test_an_answer_that_lacks_what_is_asked_is_no_answer(
    stub: Stub, document: object, get: dict[str, object], said: str
) -> None:
    with pytest.raises(Unanswered, match=said):
        await ask(stub, document, **get)


async def test_raw_bytes_are_kept_before_they_are_read(stub: Stub) -> None:
    ledger = fakes.FakeLedger()
    stub.respond = lambda _query: answered(200, b"<html>")
    with pytest.raises(Unanswered):
        await source(stub, ledger).ask(Question(get=Get(path="/x")), AMPLE)
    assert [raw for raw, _ in ledger.blobs.values()] == [b"<html>"]


async def test_digests_go_into_the_address_encoded_and_the_token_into_its_header(stub: Stub, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("read-only\n")
    stub.respond = lambda _query: answered(200, b"[]")
    get = Get(path="/writes", parameters={"version": "candidate_digest"})
    question = Question(get=get, values={"version": "sha256:a&b=c"})
    await source(stub, token_file=tmp_path / "token").ask(question, AMPLE)
    assert stub.requests[0].startswith("GET /api/writes?version=sha256%3Aa%26b%3Dc HTTP/1.1\r\n")
    assert "authorization: bearer read-only" in stub.requests[0].lower()


@pytest.mark.parametrize("status", [204, 301, 401, 404, 500])
async def test_only_200_is_an_answer_and_nothing_is_followed(stub: Stub, status: int) -> None:
    stub.respond = lambda _query: answered(status, b"1", "Location: /elsewhere")
    with pytest.raises(Unanswered, match=f"answered {status}"):
        await source(stub).ask(Question(get=Get(path="/x")), AMPLE)
    assert len(stub.requests) == 1


async def test_a_server_that_says_nothing_is_given_up_in_time(stub: Stub) -> None:
    stub.respond = lambda _query: None
    with pytest.raises(Unanswered, match=r"no answer within 0\.5 s"):
        await source(stub, time_limit="500ms").ask(Question(get=Get(path="/x")), AMPLE)


async def test_a_body_or_a_list_beyond_the_limits_is_given_up(stub: Stub) -> None:
    stub.respond = lambda _query: answered(200, b"[" + b"1," * 50_000 + b"1]")
    with pytest.raises(Unanswered, match="more than 1,000 bytes"):
        await source(stub, max_bytes=1_000).ask(Question(get=Get(path="/x")), AMPLE)
    with pytest.raises(Unanswered, match="more than 100 rows"):
        await source(stub, max_rows=100).ask(Question(get=Get(path="/x")), AMPLE)


async def test_a_source_that_is_down_or_asked_in_sql_is_no_answer(tmp_path: Path) -> None:
    settings = HttpSettings(kind="http", url="http://127.0.0.1:1", token_file=tmp_path / "missing")
    down = HttpDataSource(settings.model_copy(update={"token_file": None}), fakes.FakeLedger().put_blob)
    with pytest.raises(Unanswered, match="ConnectError"):
        await down.ask(Question(get=Get(path="/x")), AMPLE)
    with pytest.raises(Unanswered, match="write `get`"):
        await down.ask(Question(query="select 1"), AMPLE)
    with pytest.raises(Unanswered, match=r"token file .* cannot be read"):
        await HttpDataSource(settings, fakes.FakeLedger().put_blob).ask(Question(get=Get(path="/x")), AMPLE)


async def test_an_answer_that_unpacks_to_far_more_than_its_size_is_not_unpacked(stub: Stub) -> None:
    bomb = gzip.compress(gzip.compress(b"1" * 20_000_000))
    stub.respond = lambda _query: answered(200, bomb, "Content-Encoding: gzip, gzip")
    with pytest.raises(Unanswered, match="compressed"):
        await source(stub).ask(Question(get=Get(path="/x")), AMPLE)
    assert "accept-encoding: identity" in stub.requests[0].lower()

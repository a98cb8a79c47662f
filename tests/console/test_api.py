"""The JSON API and the intake over real HTTP: bad input gets a problem document that says what is wrong and what next,
and changes nothing."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx
import pytest

from countermand.canonical import instant
from countermand.ledger.record import Kind
from tests import cases
from tests.console.conftest import Served
from tests.console.world import BASE, INCIDENT, PASSWORD, RELEASE, Story, playbook_bytes

Serve = Callable[..., Awaitable[Served]]


def an_output(number: int = 0, **changes: Any) -> dict[str, Any]:
    return {
        "observation_id": f"o-{number}",
        "release_id": RELEASE,
        "arm": "candidate",
        "signal": "hallucinations",
        "event_time": instant(BASE),
        "outcome": "bad",
    } | changes


def a_batch(batch_id: str = "b-1", items: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    return {"schema": "countermand.signals/v1", "batch_id": batch_id, "items": items or [an_output()]} | changes


class Api:
    """A client that keeps the last problem it met."""

    def __init__(self, served: Served, token: str) -> None:
        self.served = served
        self.http = httpx.AsyncClient(
            base_url=served.url, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
        )

    async def problem(self, method: str, path: str, **request: Any) -> tuple[int, str, str]:
        """(status, code, detail) of a refused call."""
        response = await self.http.request(method, path, **request)
        assert response.headers["content-type"] == "application/problem+json", response.text
        body = response.json()
        assert body["status"] == response.status_code
        return response.status_code, body["code"], body["detail"]


Clients = Callable[[Served, str], Api]
SignedIn = Callable[[Served, str], Awaitable[Api]]


@pytest.fixture
async def client() -> AsyncIterator[Clients]:
    """`client(served, token)`: closed after the test."""
    async with AsyncExitStack() as stack:

        def make(served: Served, token: str) -> Api:
            api = Api(served, token)
            stack.push_async_callback(api.http.aclose)
            return api

        yield make


@pytest.fixture
async def source(serve: Serve, client: Clients) -> Api:
    served = await serve()
    issued = await served.world.deps.accounts.issue_source_token("judge")
    return client(served, issued.token)


@pytest.fixture
def signed_in(client: Clients) -> SignedIn:
    async def sign_in(served: Served, subject: str) -> Api:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            body = {"subject": subject, "password": PASSWORD}
            answer = await http.post(f"{served.url}/api/v1/login", json=body, timeout=10)
        return client(served, answer.raise_for_status().json()["token"])

    return sign_in


# --- signals ----------------------------------------------------------------------------------------------------


async def test_a_batch_is_stored_once_however_often_it_is_sent(source: Api) -> None:
    first = await source.http.post("/api/v1/signals", json=a_batch(items=[an_output(1), an_output(2)]))
    again = await source.http.post("/api/v1/signals", json=a_batch(items=[an_output(1), an_output(2)]))
    assert first.status_code == 202
    assert again.json() == first.json()
    assert first.json()["accepted"] == 2
    other = await source.problem("POST", "/api/v1/signals", json=a_batch(items=[an_output(3)]))
    assert other[:2] == (409, "batch_conflict")


@pytest.mark.parametrize(
    ("content", "status", "code", "says"),
    [
        (b"{", 400, "not_json", "EOF"),
        (b"[1, 2", 400, "not_json", "EOF"),
        (b"\xff\xfe", 400, "not_json", ""),
        (b"null", 422, "schema", "body"),
        (json.dumps(a_batch(surprise=1)).encode(), 422, "schema", "surprise"),
        (json.dumps(a_batch(schema="countermand.signals/v9")).encode(), 422, "schema", "countermand.signals/v1"),
        (json.dumps(a_batch(batch_id="")).encode(), 422, "schema", "batch_id"),
        (json.dumps(a_batch(items=[an_output(n) for n in range(5_001)])).encode(), 422, "schema", "items"),
        (json.dumps(a_batch() | {"items": []}).encode(), 422, "schema", "0 items"),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "not_json", "recursion"),
        (json.dumps(a_batch(items=[an_output(groups={"a": [[[[1]]]]})])).encode(), 422, "all_rejected", "groups"),
        (json.dumps(a_batch(items=[json.loads("[" * 40 + "]" * 40)])).encode(), 400, "too_deep", "32"),
        (b" " * (1024 * 1024 + 1), 413, "too_large", "1048576"),
    ],
)
async def test_a_malformed_batch_gets_a_specific_refusal_and_leaves_nothing(
    source: Api, content: bytes, status: int, code: str, says: str
) -> None:
    answer = await source.problem(
        "POST", "/api/v1/signals", content=content, headers={"Content-Type": "application/json"}
    )
    assert answer[:2] == (status, code)
    assert says in answer[2]
    good = await source.http.post("/api/v1/signals", json=a_batch("after"))
    assert good.json()["duplicates"] == 0, "nothing of the malformed batch was kept"


@pytest.mark.parametrize(
    ("item", "code", "says"),
    [
        ({"arm": "control"}, "unknown_arm", "control"),
        ({"outcome": "NaN"}, "schema", "outcome"),
        ({"outcome": True}, "bool_as_number", "outcome"),
        ({"event_time": "2026-11-20T03:14:00"}, "schema", "timezone"),
        ({"observation_id": "a\x00b"}, "schema", "observation_id"),
        ({"observation_id": "x" * 201}, "too_long", "observation_id"),
        ({"surprise": 1}, "schema", "surprise"),
        ({"outcome": None, "value": math.nan}, "not_finite", "NaN"),
        ({"outcome": None, "value": math.inf}, "not_finite", "Infinity"),
        ({"outcome": None, "value": True}, "bool_as_number", "true"),
        ({"outcome": None, "value": 0.5}, "wrong_kind", "give `outcome`"),
        ({"outcome": None, "value": 1e308}, "wrong_kind", "give `outcome`"),
        ({"category": "praise"}, "wrong_kind", "give `outcome`"),
    ],
)
async def test_a_hostile_item_is_refused_for_itself_and_its_neighbour_is_kept(
    source: Api, item: dict[str, Any], code: str, says: str
) -> None:
    content = json.dumps(a_batch(items=[an_output(1), an_output(2, **item)]))
    answer = await source.http.post("/api/v1/signals", content=content, headers={"Content-Type": "application/json"})
    body = answer.json()
    assert (answer.status_code, body["accepted"]) == (202, 1), body
    (rejected,) = body["rejected"]
    assert (rejected["index"], rejected["code"]) == (1, code), rejected
    assert says in rejected["detail"]


def a_count(**changes: Any) -> dict[str, Any]:
    return {
        "release_id": RELEASE,
        "arm": "candidate",
        "signal": "hallucinations",
        "start": instant(BASE),
        "served": 10,
        "scored": 8,
        "bad": 3,
    } | changes


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"bad": 9}, "inconsistent", "bad 9 ≤ scored 8"),
        ({"scored": 11}, "inconsistent", "served 10"),
        ({"bad": -1}, "out_of_range", "bad"),
        ({"served": 2**53}, "out_of_range", "served"),
        ({"served": 1e308}, "schema", "served"),
        ({"bad": True}, "bool_as_number", "bad"),
        ({"bad": "3"}, "schema", "bad"),
        ({"arm": "control"}, "unknown_arm", "control"),
        ({"signal": "vibes"}, "unknown_signal", "vibes"),
        ({"bad": 0, "sum": 5, "sumsq": 5}, "wrong_kind", "'bad'"),
        ({"segment": "language=de"}, "wrong_kind", "language=de"),
        ({"start": instant(BASE + timedelta(hours=1))}, "future", "ahead"),
    ],
)
async def test_hostile_sums_are_refused_with_what_is_wrong(
    source: Api, changes: dict[str, Any], code: str, says: str
) -> None:
    body = {"schema": "countermand.signals/v1", "batch_id": "c-1", "counts": [a_count(**changes)]}
    answer = (await source.http.post("/api/v1/signals", json=body)).json()
    (rejected,) = answer["rejected"]
    assert (rejected["part"], rejected["code"]) == ("counts", code), rejected
    assert says in rejected["detail"]
    good = await source.http.post("/api/v1/signals", json=body | {"batch_id": "c-2", "counts": [a_count()]})
    assert good.json()["accepted"] == 1, "nothing of the refused sums was kept"


async def test_lines_of_json_are_taken_like_one_document(source: Api) -> None:
    head = {"schema": "countermand.signals/v1", "batch_id": "lines"}
    event = {"event_id": "e-1", "begins": instant(BASE), "what": "Half price on Friday"}
    lines = [head, an_output(1), a_count(), an_output(2, arm="control"), event]
    content = "\n".join(json.dumps(line) for line in lines) + "\n"
    answer = await source.http.post(
        "/api/v1/signals", content=content, headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.json()["accepted"] == 3, answer.json()
    assert [item["code"] for item in answer.json()["rejected"]] == ["unknown_arm"]


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b'{"schema":"countermand.signals/v1","batch_id":"b"}\n{"what":1}\n', "schema", "line 2"),
        (b'{"schema":"countermand.signals/v1","batch_id":"b"}\n{"observation_id"\n', "not_json", "line 2"),
        (b"[]\n", "schema", "line 1"),
        (b"", "schema", "line 1"),
        (b'{"schema":"countermand.signals/v1","batch_id":"b"}\n', "schema", "0 items"),
    ],
)
async def test_lines_that_do_not_fit_are_refused_with_their_number(
    source: Api, content: bytes, code: str, says: str
) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    answer = await source.problem("POST", "/api/v1/signals", content=content, headers=headers)
    assert answer[1] == code
    assert says in answer[2]


async def test_a_source_delivers_only_the_signals_that_name_it(serve: Serve, client: Clients) -> None:
    served = await serve()
    stranger = client(served, (await served.world.deps.accounts.issue_source_token("stranger")).token)
    answer = (await stranger.http.post("/api/v1/signals", json=a_batch())).json()
    assert [item["code"] for item in answer["rejected"]] == ["wrong_source"]


async def test_a_limited_token_reaches_its_releases_only(serve: Serve, client: Clients) -> None:
    served = await serve()
    accounts = served.world.deps.accounts
    for limits in ({"releases": ["another"]}, {"environments": ["another"]}):
        limited = client(served, (await accounts.issue_source_token("judge", **limits)).token)
        answer = (await limited.http.post("/api/v1/signals", json=a_batch())).json()
        assert [item["code"] for item in answer["rejected"]] == ["unknown_release"]
    fitting = client(served, (await accounts.issue_source_token("judge", releases=[RELEASE])).token)
    assert (await fitting.http.post("/api/v1/signals", json=a_batch("mine"))).json()["accepted"] == 1


async def test_a_gzip_bomb_is_stopped_at_the_limit(source: Api) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await source.problem("POST", "/api/v1/signals", content=bomb, headers=headers)
    assert answer[:2] == (413, "too_large")


async def test_each_rejected_item_says_why_and_the_others_are_kept(source: Api) -> None:
    items = [
        an_output(1),
        an_output(2, release_id="nobody-knows"),
        an_output(3, signal="vibes"),
        an_output(4, event_time=instant(BASE + timedelta(hours=1))),
        an_output(1, outcome="ok"),
    ]
    answer = (await source.http.post("/api/v1/signals", json=a_batch(items=items))).json()
    codes = {rejected["index"]: rejected["code"] for rejected in answer["rejected"]}
    assert codes == {1: "unknown_release", 2: "unknown_signal", 3: "future", 4: "duplicate_id_other_value"}
    assert answer["accepted"] == 1


async def test_only_a_source_may_push_and_a_source_may_do_nothing_else(
    source: Api, client: Clients, signed_in: SignedIn
) -> None:
    person = await signed_in(source.served, cases.MARIA)
    assert (await person.problem("POST", "/api/v1/signals", json=a_batch()))[:2] == (401, "unauthenticated")
    nobody = client(source.served, "no-such-token")
    assert (await nobody.problem("POST", "/api/v1/signals", json=a_batch()))[:2] == (401, "unauthenticated")
    for path in ("/api/v1/incidents", "/api/v1/asks", "/api/v1/ledger/records", "/api/v1/whoami"):
        assert (await source.problem("GET", path))[:2] == (401, "unauthenticated")


async def test_another_media_type_is_refused(source: Api) -> None:
    answer = await source.problem(
        "POST", "/api/v1/signals", content=b"x=1", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert answer[:2] == (415, "wrong_media_type")


# --- decisions --------------------------------------------------------------------------------------------------


async def refusals(served: Served) -> list[str]:
    records = await served.world.deps.ledger.records(incident_id=INCIDENT, kinds=[Kind.decision_refused])
    return [str(record.body["code"]) for record in records]


async def test_every_refused_decision_is_a_problem_with_its_code_and_stands_in_the_ledger(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve(Story.asked)
    maria = await signed_in(served, cases.MARIA)
    ask_id = (await maria.http.get("/api/v1/asks?mine=true")).json()["items"][0]["ask_id"]
    path = f"/api/v1/asks/{ask_id}/decisions"
    digest = (await maria.http.get(f"/api/v1/asks/{ask_id}")).json()["card"]["approval_digest"]
    vote = {"kind": "approve", "approval_digest": digest, "reason": "read the evidence and the plan"}

    unseen = await maria.problem("POST", path, json=vote | {"view_sha256": "sha256:" + "0" * 64})
    assert unseen[:2] == (409, "view_not_shown")
    shown = (await maria.http.get(f"/api/v1/asks/{ask_id}")).json()
    vote["view_sha256"] = shown["view_sha256"]
    short = await maria.problem("POST", path, json=vote | {"reason": "ok"})
    assert short[:2] == (422, "reason_too_short")
    accepted = (await maria.http.post(path, json=vote)).json()
    assert (accepted["have"], accepted["need"]) == (1, 2)
    twice = await maria.problem("POST", path, json=vote)
    assert twice[:2] == (409, "already_voted")
    assert "counts once" in twice[2]
    stale = await maria.problem("POST", path, json=vote | {"kind": "reject", "approval_digest": "sha256:" + "1" * 64})
    assert stale[:2] == (409, "stale")
    unknown = await maria.problem("POST", f"/api/v1/asks/{INCIDENT}-ask-99/decisions", json=vote)
    assert unknown[:2] == (404, "unknown_ask")
    assert await refusals(served) == [
        "view_not_shown", "reason_too_short", "already_voted", "stale", "unknown_ask",
    ]  # fmt: skip


async def test_the_same_idempotency_key_is_the_same_decision(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve(Story.asked)
    maria = await signed_in(served, cases.MARIA)
    ask_id = (await maria.http.get("/api/v1/asks")).json()["items"][0]["ask_id"]
    shown = (await maria.http.get(f"/api/v1/asks/{ask_id}")).json()
    vote = {
        "kind": "approve",
        "approval_digest": shown["card"]["approval_digest"],
        "view_sha256": shown["view_sha256"],
        "reason": "read the evidence and the plan",
    }
    path, key = f"/api/v1/asks/{ask_id}/decisions", {"Idempotency-Key": "retry-1"}
    await maria.http.post(path, json=vote, headers=key)
    await maria.http.post(path, json=vote, headers=key)
    records = await served.world.deps.ledger.records(incident_id=INCIDENT, kinds=[Kind.decision])
    assert len(records) == 1
    other = await maria.problem("POST", path, json=vote | {"kind": "reject"}, headers=key)
    assert other[:2] == (409, "stale")


async def test_a_playbook_that_does_not_parse_is_refused_with_its_lines(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve()
    lena = await signed_in(served, cases.LENA)
    answer = await lena.problem(
        "POST", "/api/v1/playbooks", content=b"schema: countermand.playbook/v1\nname: x\nquorum: 0\n"
    )
    assert answer[:2] == (422, "playbook_invalid")
    assert "3:" in answer[2]


async def test_errors_never_show_the_inside(serve: Serve, signed_in: SignedIn) -> None:
    served = await serve()
    lena = await signed_in(served, cases.LENA)
    for path in ("/api/v1/releases/none", "/api/v1/incidents/none", "/api/v1/asks/none-ask-1"):
        status, _, detail = await lena.problem("GET", path)
        assert status == 404
        assert "Traceback" not in detail


async def test_a_playbook_that_promises_a_message_without_a_template_is_refused_before_the_night_it_is_needed(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve()
    lena = await signed_in(served, cases.LENA)
    promised = b"{step: stage_completed, audiences: ["
    text = playbook_bytes().replace(promised, promised + b"exec, ")
    assert text != playbook_bytes()
    answer = await lena.problem("POST", "/api/v1/playbooks", content=text)
    assert answer[:2] == (422, "template_missing")
    assert "stage_completed for exec" in answer[2]


async def test_a_release_whose_watch_fell_silent_is_unknown_whatever_it_said_last(
    serve: Serve, signed_in: SignedIn
) -> None:
    served = await serve(Story.asked)
    maria = await signed_in(served, cases.MARIA)

    async def word() -> str:
        one = (await maria.http.get(f"/api/v1/releases/{RELEASE}")).json()
        listed = (await maria.http.get("/api/v1/releases")).json()["items"][0]
        assert listed | {"concerns": [], "way_back": one["way_back"]} == one
        return str(one["verdict"]["word"])

    served.world.story.clock.set(BASE)
    assert await word() == "trigger"
    served.world.story.clock.set(BASE + timedelta(minutes=10))
    assert await word() == "unknown"

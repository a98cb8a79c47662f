"""Answers that are no answers: refused, retried within the time limit, never taken for health, never raised."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from time import time
from typing import Any

import pytest

from countermand.detection.blocks import Arm
from tests.adapters.sources.prometheus_cases import COUNTERS, START, latency, pulled, signal
from tests.adapters.sources.prometheus_world import BLOCK
from tests.adapters.sources.servers import Stub, answered, free_port, ok

END = (START + BLOCK).timestamp()
LIMIT = 0.4


def healthy(query: str) -> bytes:
    """Both counters of both arms: 100 answers, 5 of them bad."""
    if query == "time()":
        return ok("scalar", [time(), str(time())])
    track = "canary" if "canary" in query else "stable"
    return ok(
        "matrix", [series(name, track, gain) for name, gain in (("answers_bad_total", 5), ("answers_total", 100))]
    )


def series(name: str, track: str, gain: float) -> dict[str, Any]:
    metric = {"__name__": name, "track": track, "instance": track, "job": "bot"}
    return {"metric": metric, "values": [[END - 5, "7"], [END - 1, str(7 + gain)]]}


def but(answer: bytes | None) -> Any:
    """Right answers about the time, and this one to every question."""
    return lambda query: healthy(query) if query == "time()" else answer


async def reasons(stub: Stub, **settings: Any) -> set[str | None]:
    found = await pulled(stub.url, signal(COUNTERS), **({"time_limit": "400ms"} | settings))
    return {block.reason for block in found.values()}


async def test_the_stub_is_healthy_by_itself(stub: Stub) -> None:
    stub.respond = healthy
    found = await pulled(stub.url, signal(COUNTERS))
    assert [(block.scored, block.bad) for block in found.values()] == [(100, 5)] * 2


async def test_counters_that_differ_in_name_alone_are_asked_for_together(stub: Stub) -> None:
    stub.respond = healthy
    await pulled(stub.url, signal(COUNTERS))
    assert sorted(stub.queries) == [
        "time()",
        *(f'{{__name__=~"answers_bad_total|answers_total",track="{track}"}}[8000ms]' for track in ("canary", "stable")),
    ]
    assert f"time={END:.3f}" in stub.requests[-1]


ANSWERS: dict[str, tuple[bytes | None, str]] = {
    "503": (answered(503, b'{"status":"error","errorType":"timeout"}'), "unreachable"),
    "429": (answered(429, b"", "Retry-After: 1"), "unreachable"),
    "a hanging server": (None, "unreachable"),
    "nothing at all": (b"", "unreachable"),
    "a truncated body": (healthy("canary")[:-20], "unreachable"),
    "something that is not HTTP": (b"hello\r\n\r\n", "unreachable"),
    "400": (answered(400, b'{"status":"error","errorType":"bad_data","error":"1:1: parse error"}'), "query_error"),
    "401": (answered(401, b"who are you"), "query_error"),
    "a redirect": (answered(302, b"", "Location: http://127.0.0.1:9/"), "query_error"),
    "a web page": (answered(200, b"<html>sign in</html>"), "query_error"),
    "other JSON": (answered(200, b'{"status":"success","data":[]}'), "query_error"),
    "an error with status 200": (answered(200, b'{"status":"error","error":"x"}'), "query_error"),
    "a time that is no number": (ok("matrix", [{"metric": {}, "values": [["x", "1"]]}]), "query_error"),
    "a time beyond all times": (answered(200, b'{"status":"success","data":{"resultType":"matrix","result":'
                                         b'[{"metric":{},"values":[[1e999,"1"]]}]}}'), "query_error"),
    "a value that is no number": (ok("matrix", [{"metric": {}, "values": [[END, "many"]]}]), "query_error"),
    "a value that is no text": (ok("matrix", [{"metric": {}, "values": [[END, 7]]}]), "query_error"),
    "a series without samples": (ok("matrix", [{"metric": {}, "values": []}]), "query_error"),
    "a native histogram": (ok("matrix", [{"metric": {}, "histograms": [[END, {"count": "1"}]]}]), "query_error"),
    "a warning": (ok("matrix", [series("answers_total", "canary", 1)], warnings=["a store is missing"]), "partial"),
    "no series": (ok("matrix", []), "empty"),
    "one counter of two": (ok("matrix", [series("answers_total", "canary", 100)]), "empty"),
    "infinity": (ok("matrix", [series(name, "canary", 0) | {"values": [[END, "+Inf"]]} for name in COUNTERS.values()]),
                 "not_finite"),
    "half an answer": (ok("matrix", [series(name, "x", 0.5) for name in COUNTERS.values()]), "inconsistent"),
    "huge counters": (ok("matrix", [series(name, "x", 1e300) for name in COUNTERS.values()]), "inconsistent"),
}  # fmt: skip


@pytest.mark.parametrize("what", ANSWERS)
async def test_an_answer_that_is_none_is_unknown_within_the_time_limit(stub: Stub, what: str) -> None:
    answer, reason = ANSWERS[what]
    stub.respond = but(answer)
    began = asyncio.get_running_loop().time()
    assert await reasons(stub) == {reason}
    assert asyncio.get_running_loop().time() - began < LIMIT + 0.5


@pytest.mark.parametrize("answer", [answered(503, b""), answered(429, b""), b"", healthy("canary")[:-20]])
async def test_what_may_pass_is_asked_again(stub: Stub, answer: bytes) -> None:
    lost = 3

    def respond(query: str) -> bytes:
        nonlocal lost
        lost -= 1
        return healthy(query) if lost < 0 else answer

    stub.respond = respond
    assert await reasons(stub, time_limit="10s") == {None}


async def test_what_will_not_pass_is_asked_once_and_said_in_the_log(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    stub.respond = but(answered(400, b"1:1: parse error"))
    with caplog.at_level(logging.WARNING):
        assert await reasons(stub, time_limit="10s") == {"query_error"}
    assert len(stub.requests) == 1 + len(Arm)
    assert "parse error" in caplog.text


async def test_an_answer_without_end_is_not_read_to_its_end(stub: Stub) -> None:
    stub.respond = but(answered(200, b" " * (16 * 1024 * 1024 + 1)))
    assert await reasons(stub, time_limit="10s") == {"query_error"}


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    found = await pulled(f"http://127.0.0.1:{free_port()}", signal(COUNTERS), time_limit="300ms")
    assert {block.reason for block in found.values()} == {"unreachable"}


async def test_a_redirect_is_not_followed(stub: Stub) -> None:
    async with Stub() as other:
        stub.respond = but(answered(307, b"", f"Location: {other.url}/api/v1/query"))
        other.respond = healthy
        assert await reasons(stub) == {"query_error"}
        assert other.requests == []


async def test_proxies_of_the_environment_are_not_used(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.respond = healthy
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert await reasons(stub) == {None}


@pytest.mark.parametrize("apart", [-61, 61])
async def test_clocks_a_minute_apart_are_unknown_and_a_few_seconds_are_not(stub: Stub, apart: int) -> None:
    def respond(query: str) -> bytes:
        return ok("scalar", [0, str(time() + shift)]) if query == "time()" else healthy(query)

    stub.respond, shift = respond, apart
    assert await reasons(stub) == {"skew"}
    shift = apart // 10
    assert await reasons(stub) == {None}


@pytest.mark.parametrize("now", [ok("vector", []), ok("scalar", [0, "NaN"]), ok("scalar", [0, "1e300"])])
async def test_a_time_that_is_none_is_unknown(stub: Stub, now: bytes) -> None:
    stub.respond = lambda query: now if query == "time()" else healthy(query)
    assert await reasons(stub) in ({"empty"}, {"not_finite"}, {"skew"})


async def test_the_token_is_sent_and_read_anew_and_never_logged(
    stub: Stub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stub.respond = healthy
    file = tmp_path / "token"
    for token in ("first-secret", "second-secret"):
        file.write_text(token + "\n")
        assert await reasons(stub, token_file=str(file)) == {None}
        assert f"authorization: bearer {token}" in stub.requests[-1].lower()
    stub.respond = but(answered(403, b"no"))
    assert await reasons(stub, token_file=str(file)) == {"query_error"}
    assert "secret" not in caplog.text


@pytest.mark.parametrize("content", [None, "s€cret"])
async def test_a_token_file_that_cannot_be_used_is_unknown(stub: Stub, tmp_path: Path, content: str | None) -> None:
    stub.respond = healthy
    if content is not None:
        (tmp_path / "token").write_text(content, encoding="utf-8")
    assert await reasons(stub, token_file=str(tmp_path / "token")) == {"query_error"}
    assert stub.requests == []


async def test_a_prefix_of_the_address_is_kept(stub: Stub) -> None:
    stub.respond = healthy
    await pulled(stub.url + "/prometheus/", signal(COUNTERS))
    assert all(request.startswith("GET /prometheus/api/v1/query?") for request in stub.requests)


async def test_a_histogram_that_runs_backwards_is_inconsistent(stub: Stub) -> None:
    def respond(query: str) -> bytes:
        if query == "time()":
            return healthy(query)
        one = series("x_bucket", query, 0)
        gains = {"0.1": 5, "0.5": 3, "1": 7, "+Inf": 9}
        return ok(
            "matrix",
            [
                {"metric": one["metric"] | {"le": le}, "values": [[END - 5, "0"], [END, str(n)]]}
                for le, n in gains.items()
            ],
        )

    stub.respond = respond
    found = await pulled(stub.url, latency({"histogram": "x_bucket"}))
    assert {block.reason for block in found.values()} == {"inconsistent"}


async def test_a_signal_without_a_query_is_unknown_and_derived_ones_are_not_asked_for(stub: Stub) -> None:
    stub.respond = healthy
    found = await pulled(stub.url, signal(None))
    assert {block.reason for block in found.values()} == {"no_query"}
    assert await pulled(stub.url, signal(None, kind="missing", of="answers")) == {}
    assert stub.queries == ["time()"] * 2


async def test_one_failing_arm_leaves_the_other_as_it_is(stub: Stub) -> None:
    stub.respond = lambda query: answered(400, b"") if "stable" in query else healthy(query)
    found = await pulled(stub.url, signal(COUNTERS))
    assert (found[Arm.candidate].scored, found[Arm.baseline].reason) == (100, "query_error")


@pytest.mark.parametrize(("age", "reason"), [(2.5, None), (2.6, "stale")])
async def test_a_counter_is_stale_after_two_and_a_half_scrapes(stub: Stub, age: float, reason: str | None) -> None:
    def respond(query: str) -> bytes:
        if query == "time()":
            return healthy(query)
        track = "canary" if "canary" in query else "stable"
        samples = {"values": [[END - 5, "1"], [END - age, "2"]]}
        return ok("matrix", [series(name, track, 0) | samples for name in COUNTERS.values()])

    stub.respond = respond
    assert await reasons(stub) == {reason}

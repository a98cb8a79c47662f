"""What MLflow may answer instead of what is expected, and labels that are none: unknown or missing, never healthy."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from activities.signal_ports import Pulled, PullRequest
from adapters.alerts import SqlAlerts
from adapters.database import Database
from adapters.mlflow_source import MlflowSource
from adapters.settings import SettingsInvalid
from adapters.source_settings import MlflowSettings, source_settings
from adapters.sources import ConfiguredSources
from countermand.playbook.signals import SignalSpec
from tests import cases
from tests.adapters.sources.mlflow_server import feedback
from tests.adapters.storage.releases import START

BLOCK = timedelta(seconds=60)
ENTRY: dict[str, Any] = {
    "kind": "mlflow",
    "url": "http://127.0.0.1:9/behind/a/proxy",
    "experiments": ["1", "7"],
    "arm_tag": "arm",
    "arms": {"candidate": "new", "baseline": "old"},
    "time_limit": "300ms",
}


class Server(httpx.AsyncBaseTransport):
    """Gives these answers in order, the last one again and again, and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception, delay: float = 0) -> None:
        self.answers, self.delay = list(answers), delay
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        await asyncio.sleep(self.delay)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


def spec(kind: str = "rate", **changes: Any) -> SignalSpec:
    by_kind: dict[str, dict[str, Any]] = {
        "rate": {"bad": "higher", "expect": 0.1},
        "score": {"bad": "lower", "range": [0, 1]},
        "categories": {"categories": ["billing"]},
        "latency": {},
        "gap": {"of": "x", "group_by": "language", "groups": ["de"]},
    }
    shared = {"kind": kind, "family": "model_quality", "meaning": "what the judge says", "source": "judge"}
    query = {"assessment": "x", "by": "LLM_JUDGE"} | ({"bad_when": "no"} if kind == "rate" else {})
    asked = {} if kind == "gap" else {"query": query}
    return SignalSpec.model_validate(shared | by_kind[kind] | asked | changes)


def trace(
    number: int, *labels: dict[str, Any], arm: str = "new", at: timedelta = timedelta(), **fields: Any
) -> dict[str, Any]:
    time = (START + at + timedelta(milliseconds=number)).isoformat().replace("+00:00", "Z")
    return {"trace_id": f"tr-{number}", "request_time": time, "tags": {"arm": arm}, "assessments": labels} | fields


def page(*traces: object, token: str = "", **more: object) -> httpx.Response:
    return httpx.Response(200, json={"traces": traces, "next_page_token": token} | more)


async def pull(server: Server, signal: SignalSpec | None = None, release_id: str = "rel-1", **settings: Any) -> Pulled:
    source = MlflowSource(MlflowSettings.model_validate(ENTRY | settings), server)
    release = cases.release().model_copy(update={"release_id": release_id})
    signals = {"grounded": signal or spec()}
    pulled = await source.pull(PullRequest(release=release, signals=signals, start=START, end=START + BLOCK))
    await source.close()
    return pulled


def reasons(pulled: Pulled) -> list[tuple[str, str | None]]:
    return [(block.arm.value, block.reason) for block in pulled.counts]


def missing(pulled: Pulled) -> int:
    """How many were served without label, in both arms."""
    assert {block.scored for block in pulled.counts} == {0}
    return sum(block.served for block in pulled.counts)


UNREACHABLE = [("candidate", "unreachable"), ("baseline", "unreachable")]
QUERY_ERROR = [("candidate", "query_error"), ("baseline", "query_error")]
GOOD = page(trace(1, feedback("x", "yes")))


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(503),
        httpx.Response(429),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("cut off"),
    ],
    ids=str,
)
async def test_what_a_retry_can_heal_is_retried_and_then_unreachable(answer: httpx.Response | Exception) -> None:
    assert reasons(await pull(Server(answer))) == UNREACHABLE
    healed = await pull(Server(answer, GOOD), time_limit="5s")
    assert len(healed.items) == 1
    assert reasons(healed) == [("candidate", None), ("baseline", None)]


async def test_a_slow_server_costs_no_more_than_the_time_limit() -> None:
    began = asyncio.get_running_loop().time()
    assert reasons(await pull(Server(GOOD, delay=30))) == UNREACHABLE
    assert asyncio.get_running_loop().time() - began < 2


async def test_pages_without_end_stop_at_the_time_limit() -> None:
    assert reasons(await pull(Server(page(trace(1), token="again"), delay=0.01))) == UNREACHABLE


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400),
        httpx.Response(401),
        httpx.Response(404),
        httpx.Response(302, headers={"location": "http://127.0.0.1:9/elsewhere"}),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b'{"traces": [{"trace_id": "tr-'),
        httpx.Response(200, content=b"[]"),
        page(trace(1, request_time="noon")),
        page(trace(1, request_time="2026-11-20T05:00:00")),
        page(trace(1, trace_id="a\nb")),
        page(trace(1, feedback("x", "yes") | {"metadata": "no mapping"})),
        page({"tags": {}}),
    ],
    ids=lambda answer: f"{answer.status_code} {answer.text[:40]}",
)
async def test_what_no_retry_heals_is_a_query_error_at_once(answer: httpx.Response) -> None:
    server = Server(answer)
    assert reasons(await pull(server, time_limit="20s")) == QUERY_ERROR
    assert len(server.asked) == 1


async def test_a_later_page_that_is_malformed_spoils_the_whole_answer() -> None:
    pulled = await pull(Server(page(trace(1, feedback("x", "yes")), token="more"), httpx.Response(200, content=b"{")))
    assert pulled.items == ()
    assert reasons(pulled) == QUERY_ERROR


async def test_the_question_names_the_experiments_the_time_and_the_token(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    server = Server(page(trace(1), token="next"), page(trace(2)))
    await pull(server, token_file=str(secret), overlap="2m", page_size=50)
    first, second = (json.loads(request.content) for request in server.asked)
    assert str(server.asked[0].url) == f"{ENTRY['url']}/api/3.0/mlflow/traces/search"
    assert server.asked[0].headers["authorization"] == "Bearer s3cret"
    assert [place["mlflow_experiment"]["experiment_id"] for place in first["locations"]] == ["1", "7"]
    since = int(START.timestamp()) * 1000
    assert first["filter"] == f"trace.timestamp_ms >= {since - 120_000} AND trace.timestamp_ms < {since + 60_000}"
    assert (first["max_results"], first.get("page_token"), second["page_token"]) == (50, None, "next")


async def test_no_token_reaches_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "token").write_text("s3cret")
    with caplog.at_level(logging.DEBUG):
        await pull(Server(httpx.Response(500, text="s3cret")), token_file=str(tmp_path / "token"))
    assert "unreachable" in caplog.text
    assert "s3cret" not in caplog.text


async def test_a_trace_on_two_pages_counts_once() -> None:
    twice = page(trace(1, feedback("x", "yes")), trace(2))
    pulled = await pull(Server(page(*json.loads(twice.content)["traces"], token="2"), twice))
    assert (len(pulled.items), missing(pulled)) == (1, 1)


async def test_an_empty_answer_is_no_traffic_of_either_arm() -> None:
    pulled = await pull(Server(httpx.Response(200, json={})))
    assert pulled.items == ()
    assert missing(pulled) == 0


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("rate", True, ("ok", None, None)),
        ("rate", False, ("bad", None, None)),
        ("rate", " Yes", ("ok", None, None)),
        ("rate", "NO", ("bad", None, None)),
        ("rate", "maybe", None),
        ("rate", 1, None),
        ("rate", [True], None),
        ("rate", None, None),
        ("score", 0.25, (None, 0.25, None)),
        ("score", 1, (None, 1.0, None)),
        ("score", True, None),
        ("score", "0.5", None),
        ("score", 1.5, None),
        ("score", 10**400, None),
        ("latency", 12.5, (None, 12.5, None)),
        ("latency", -1, None),
        ("categories", "billing", (None, None, "billing")),
        ("categories", "a" * 64, None),
        ("categories", {"a": 1}, None),
    ],
)
async def test_a_label_fits_its_signal_or_is_missing(
    kind: str, value: object, expected: tuple[object, ...] | None
) -> None:
    pulled = await pull(Server(page(trace(1, feedback("x", value)))), spec(kind))
    assert [(item.outcome, item.value, item.category) for item in pulled.items] == ([expected] if expected else [])
    assert missing(pulled) == (expected is None)


@pytest.mark.parametrize(
    "labels",
    [
        [feedback("x", "yes", by="HUMAN")],
        [feedback("x", "yes", by="CODE")],
        [feedback("another", "yes")],
        [feedback("x", "yes") | {"valid": False}],
        [feedback("x", "yes") | {"feedback": None, "expectation": {"value": "yes"}}],
        [feedback("x", "yes"), feedback("x", "no")],
        [feedback("x", "yes"), feedback("x", "perhaps")],
    ],
    ids=["person", "code", "other name", "replaced", "expectation", "contradiction", "half a contradiction"],
)
async def test_what_is_not_one_label_of_this_signal_leaves_the_output_missing(labels: Sequence[dict[str, Any]]) -> None:
    pulled = await pull(Server(page(trace(1, *labels))))
    assert pulled.items == ()
    assert missing(pulled) == 1


async def test_a_judge_that_failed_first_and_answered_then_has_labelled() -> None:
    pulled = await pull(Server(page(trace(1, feedback("x", None), feedback("x", "no"), feedback("x", False)))))
    assert [item.outcome for item in pulled.items] == ["bad"]


async def test_unfit_labels_are_said_and_change_the_evidence(caplog: pytest.LogCaptureFixture) -> None:
    fit, unfit = [await pull(Server(page(trace(1, feedback("x", value))))) for value in ("yes", "perhaps")]
    assert "no_label" in caplog.text
    assert {block.evidence for block in fit.counts}.isdisjoint(block.evidence for block in unfit.counts)
    assert None not in {block.evidence for block in (*fit.counts, *unfit.counts)}


@pytest.mark.parametrize(("outside", "reason"), [(1, None), (2, "out_of_range")])
async def test_more_than_one_score_in_a_hundred_outside_the_range_is_unknown(outside: int, reason: str | None) -> None:
    values = [7.0] * outside + [0.5] * (100 - outside)
    pulled = await pull(Server(page(*(trace(n, feedback("x", v)) for n, v in enumerate(values)))), spec("score"))
    assert reasons(pulled) == [("candidate", reason), ("baseline", None)]
    assert missing(pulled) == outside


async def test_late_labels_of_the_former_judge_are_not_mixed_with_those_of_the_new_one() -> None:
    before = -timedelta(minutes=5)
    old, new = feedback("x", "yes", version="1"), feedback("x", "yes", version="2")
    answer = page(trace(1, old, at=before), trace(2, new, at=before), trace(3, new))
    pulled = await pull(Server(answer))
    assert [item.observation_id.partition("/")[0] for item in pulled.items] == ["tr-2", "tr-3"]
    assert reasons(pulled) == [("candidate", None), ("baseline", None)]


@pytest.mark.parametrize(
    "other", [feedback("x", "yes", judge="judge-2"), feedback("x", "yes", version="2")], ids=["name", "version"]
)
async def test_arms_with_different_judges_are_never_compared(other: dict[str, Any]) -> None:
    pulled = await pull(Server(page(trace(1, feedback("x", "yes")), trace(2, other, arm="old"))))
    assert reasons(pulled) == [("candidate", "judge_changed"), ("baseline", "judge_changed")]


async def test_a_digest_of_the_judges_definition_tells_judges_apart() -> None:
    changed = feedback("x", "yes") | {"metadata": {"mlflow.assessment.scorerDigest": "d2"}}
    pulled = await pull(Server(page(trace(1, feedback("x", "yes")), trace(2, changed))))
    assert {reason for _, reason in reasons(pulled)} == {"judge_changed"}


async def test_one_trace_is_an_output_of_every_release_that_was_watched() -> None:
    first, second = [await pull(Server(GOOD), release_id=name) for name in ("rel-1", "rel-2")]
    assert first.items[0].observation_id != second.items[0].observation_id
    assert first.items[0].observation_id == (await pull(Server(GOOD))).items[0].observation_id
    longest = page(trace(1, feedback("x", "yes"), trace_id="t" * 100))
    assert (await pull(Server(longest), release_id="r" * 100)).items


@pytest.mark.parametrize(
    ("arms", "tags"),
    [
        ({"candidate": "$release_id", "baseline": "stable"}, ("rel-1", "stable")),
        (
            {"candidate": "$candidate.index", "baseline": "$baseline.index"},
            (cases.release().candidate.index, cases.release().baseline.index),
        ),
    ],
)
async def test_arms_may_be_told_apart_by_the_release_or_its_bundles(
    arms: dict[str, str], tags: tuple[str, str]
) -> None:
    server = Server(page(*(trace(number, feedback("x", "yes"), arm=tag) for number, tag in enumerate(tags))))
    assert [item.arm.value for item in (await pull(server, arms=arms)).items] == ["candidate", "baseline"]


async def test_the_same_tag_for_both_arms_is_inconsistent_and_nothing_is_asked() -> None:
    server = Server(GOOD)
    pulled = await pull(server, arms={"candidate": "$candidate.model", "baseline": "$baseline.model"})
    assert reasons(pulled) == [("candidate", "inconsistent"), ("baseline", "inconsistent")]
    assert server.asked == []


async def test_a_signal_without_a_query_is_a_query_error_and_a_computed_one_is_not_asked_for() -> None:
    assert reasons(await pull(Server(GOOD), spec(query=None))) == QUERY_ERROR
    assert await pull(Server(GOOD), spec("gap")) == Pulled()


async def test_the_sources_file_opens_one_client_per_source(tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(json.dumps({"sources": {"judge": ENTRY, "people": {"kind": "push"}}}))
    unused = SqlAlerts(Database(f"sqlite+aiosqlite:///{tmp_path}/unused.db"))
    sources = ConfiguredSources(source_settings(path), unused)
    assert isinstance(sources("judge"), MlflowSource)
    assert sources("judge") is sources("judge")
    assert sources("people") is None
    await sources.close()


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"url": "file:///etc"}, "url"),
        ({"url": "http://user:secret@127.0.0.1:5000"}, "url"),
        ({"arms": {"candidate": "new", "baseline": "new"}}, "arms needs two different values"),
        ({"arms": {"candidate": "new"}}, "arms needs two different values"),
        ({"arms": {"candidate": "$candidate.colour", "baseline": "old"}}, "colour"),
        ({"experiments": []}, "experiments"),
        ({"page_size": 501}, "page_size"),
        ({"time_limit": "0s"}, "time_limit"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_their_place(
    tmp_path: Path, changes: dict[str, Any], place: str
) -> None:
    with pytest.raises(ValidationError):
        MlflowSettings.model_validate(ENTRY | changes)
    path = tmp_path / "sources.yaml"
    path.write_text(json.dumps({"sources": {"judge": ENTRY | changes}}))
    with pytest.raises(SettingsInvalid, match=r"sources\.judge") as refused:
        source_settings(path)
    assert place in str(refused.value)

"""The demo service over HTTP: statuses of the control interface, what users see, how it ends."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from examples.demo.bundles import BASELINE, CANDIDATE
from tests.adapters.targets.embedded import EmbeddedHarness, free_port, start_service

SPLIT = "/control/splits/support-assistant"


@pytest.fixture(scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedHarness]:
    harness = EmbeddedHarness()
    await harness.start(tmp_path_factory.mktemp("service"))
    yield harness
    await harness.stop()


@pytest.fixture
def http(service: EmbeddedHarness) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {service.write_token}"}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False) as client:
        yield client


def wanted(candidate_bp: object = 100, baseline_bp: object = 9_900, **other: object) -> dict[str, object]:
    fields = {"candidate_bp": candidate_bp, "baseline_bp": baseline_bp}
    return {**fields, "idempotency_key": "key", "fence": 0, **other}


def generation(http: httpx.Client) -> int:
    return int(http.get(SPLIT).json()["generation"])


@pytest.mark.parametrize(
    "body",
    [
        wanted(100, 9_000),
        wanted(10_001, -1),
        wanted("100", 9_900),
        wanted(100.0, 9_900),
        wanted(True, 9_999),
        wanted(fence=-1),
        wanted(idempotency_key=""),
        wanted(canary_bp=0),
        {"candidate_bp": 100, "baseline_bp": 9_900},
    ],
)
def test_c8_an_invalid_split_is_422_and_changes_nothing(http: httpx.Client, body: dict[str, object]) -> None:
    now = generation(http)
    for query in ("", "?dry_run=true"):
        answer = http.put(f"{SPLIT}{query}", json=body, headers={"If-Match": f'"{now}"'})
        assert answer.status_code == 422
    assert generation(http) == now


@pytest.mark.parametrize(
    ("if_match", "path", "status"),
    [
        (None, SPLIT, 428),
        ('"999"', SPLIT, 412),
        ("W/nonsense", SPLIT, 412),
        ('"1"', "/control/splits/nobody", 404),
    ],
)
def test_a_write_needs_the_generation_it_starts_from(
    http: httpx.Client, if_match: str | None, path: str, status: int
) -> None:
    now = generation(http)
    headers = {"If-Match": if_match} if if_match else {}
    body = wanted(idempotency_key=f"if-match {if_match}")
    assert http.put(path, json=body, headers=headers).status_code == status
    assert generation(http) == now


def test_c6_a_lower_fence_is_409_and_a_key_again_is_200_already(http: httpx.Client) -> None:
    def put(candidate_bp: int, key: str, fence: int) -> httpx.Response:
        body = wanted(candidate_bp, 10_000 - candidate_bp, idempotency_key=key, fence=fence)
        return http.put(SPLIT, json=body, headers={"If-Match": f'"{generation(http)}"'})

    now = generation(http)
    assert put(2_500, "one", 7).json()["already"] is False
    assert put(0, "two", 8).json()["generation"] == now + 2
    late = put(2_500, "one", 7)
    assert (late.status_code, late.json()["already"], late.json()["candidate_bp"]) == (200, True, 0)
    assert put(2_500, "three", 7).status_code == 409
    assert put(9_000, "one", 8).status_code == 422
    history = http.get(f"{SPLIT}/history").json()
    assert [line["idempotency_key"] for line in history[-2:]] == ["one", "two"]


def test_tgt23_control_needs_a_token_and_a_write_needs_the_write_token(service: EmbeddedHarness) -> None:
    with httpx.Client(base_url=service.url, trust_env=False) as http:
        reader = {"Authorization": f"Bearer {service.read_token}"}
        for path in (SPLIT, f"{SPLIT}/history", f"{SPLIT}/observed", "/control/arms"):
            assert http.get(path).status_code == 401
            assert http.get(path, headers={"Authorization": "Bearer wrong"}).status_code == 401
            assert http.get(path, headers=reader).status_code == 200
        write = {"If-Match": '"1"'}
        assert http.put(SPLIT, json=wanted(), headers=write).status_code == 401
        assert http.put(SPLIT, json=wanted(), headers=write | reader).status_code == 403


def test_a_user_is_told_by_which_release_they_were_served(http: httpx.Client) -> None:
    digests = {"candidate": CANDIDATE.bundle.digest, "baseline": BASELINE.bundle.digest}
    answer = http.post("/chat", json={"question": "Are dogs welcome?"}, headers={"x-user-id": "someone"})
    assert answer.json() == {"answer": "Dogs on a lead are welcome everywhere except in the food hall."}
    assert answer.headers["x-release-digest"] == digests[answer.headers["x-release-arm"]]
    assert int(answer.headers["x-split-generation"]) == generation(http)


@pytest.mark.parametrize(
    ("body", "user"), [({"question": ""}, "someone"), ({}, "someone"), ({"question": "Hm?"}, None)]
)
def test_a_question_without_words_or_user_is_422(http: httpx.Client, body: dict[str, str], user: str | None) -> None:
    headers = {"x-user-id": user} if user else {}
    assert http.post("/chat", json=body, headers=headers).status_code == 422


def test_metrics_count_requests_by_arm_digest_and_outcome(http: httpx.Client) -> None:
    http.post("/chat", json={"question": "Are dogs welcome?"}, headers={"x-user-id": "someone"})
    lines = http.get("/metrics").text.splitlines()
    label = f'arm="baseline",digest="{BASELINE.bundle.digest}",outcome="ok"'
    count = next(line for line in lines if line.startswith(f"demo_requests_total{{{label}}}"))
    assert float(count.split()[-1]) >= 1
    assert f"demo_split_generation {generation(http)}.0" in lines


def test_the_fault_port_is_shut_unless_asked_for_and_both_signals_end_the_service(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        port = free_port()
        process = start_service(
            f"--port={port}", f"--database={tmp_path / 'x'}", DEMO_READ_TOKEN="r", DEMO_WRITE_TOKEN="w"
        )
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            trust_env=False,
            transport=httpx.HTTPTransport(retries=8),
        ) as http:
            assert http.get("/healthz").status_code == 200
            assert http.post("/faults", json={}).status_code == 404
            process.send_signal(number)
            assert process.wait(5) == 0


def test_without_tokens_the_service_does_not_start() -> None:
    process = start_service()
    assert process.wait(10) == 2


async def test_a_hanging_write_does_not_keep_the_service_from_ending(tmp_path: Path) -> None:
    harness = EmbeddedHarness()
    await harness.start(tmp_path)
    await harness.fault(hang=True)
    hanging = asyncio.create_task(harness.external_edit(0))
    done, _ = await asyncio.wait([hanging], timeout=0.3)
    assert not done
    await harness.stop()
    with pytest.raises(httpx.HTTPError):
        await hanging
